"""Where vectors of other projects lie, and a reason to skip where they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("PHIGATE_SHARED") or Path(__file__).parents[3] / "shared")


def vectors(name: str) -> Path:
    """Return a folder of shared vectors, or skip the test aloud."""
    folder = SHARED / "vectors" / name
    if not folder.is_dir():
        pytest.skip(f"no vectors at {folder}: set PHIGATE_SHARED to the folder that holds them")
    return folder
