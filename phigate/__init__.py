"""phigate: a privacy gateway between hospital apps and language models."""
