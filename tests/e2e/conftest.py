from collections.abc import Iterator

import pytest

from tests.e2e.house import House, house


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway for all tests that leave it as they found it."""
    with house(tmp_path_factory.mktemp("house") / "site") as made:
        yield made
