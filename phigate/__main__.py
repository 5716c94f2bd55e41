"""``python -m phigate`` is the command ``phigate``."""

from phigate.cli.main import main

main()
