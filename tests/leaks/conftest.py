"""Fixtures for tests that try to get an identifier out."""

import pytest

from phigate.policy.bundle import Bundle
from tests.exchange import demo_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return demo_bundle(tmp_path_factory.mktemp("site"))
