"""Presidio behind the Analyzer port, off the event loop, without a network."""
