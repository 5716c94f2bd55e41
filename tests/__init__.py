"""Tests mirror phigate/ one to one; fakes.py has a twin of every port."""
