"""Fixtures of the ledger's tests: a folder of its own, and an async backend."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
