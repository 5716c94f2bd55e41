"""The shipped bundle, loaded once, and small builders of facts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from phigate.policy.bundle import Bundle
from phigate.policy.load import load
from phigate.store.bundles import load_folder, shipped_folder

NOW = datetime(2026, 12, 15, tzinfo=UTC)


@pytest.fixture(scope="session")
def shipped_files() -> dict[str, bytes]:
    return dict(load_folder(shipped_folder()))


@pytest.fixture(scope="session")
def shipped(shipped_files: dict[str, bytes]) -> Bundle:
    return load(shipped_files, dev=True)
