"""Tests of phigate/tlog."""
