"""Benchmarks: conditions first, then figures side by side from one run. None of them is a test."""
