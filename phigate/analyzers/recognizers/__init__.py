"""Our recognizers, one family a module."""
