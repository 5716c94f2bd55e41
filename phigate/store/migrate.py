"""Bring a database to the newest schema of one branch (ledger, state, vault). The scripts ship in the wheel."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from phigate.errors import SettingsError

_ONE_AT_A_TIME: Final = threading.Lock()  # Alembic keeps its context in module globals
_PACKAGE: Final = Path(__file__).resolve().parent.parent
_PLACES: Final = (_PACKAGE / "_data" / "migrations", _PACKAGE.parent / "migrations")


def scripts() -> Path:
    """Return the folder of migrations: package data in a wheel, the repository's own in a checkout."""
    for place in _PLACES:
        if (place / "env.py").is_file():
            return place
    raise SettingsError("expected the folder migrations in the package or beside it, found none: reinstall phigate")


def configuration(connection: sa.Connection | None = None) -> Config:
    """Return Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: sa.Connection, branch: str) -> None:
    """Run the missing migrations of a branch. Safe to call from several replicas at once."""
    with _ONE_AT_A_TIME:
        command.upgrade(configuration(connection), f"{branch}@head")


def current(connection: sa.Connection, branch: str) -> bool:
    """Return whether this database stands at the newest revision of the branch. Changes nothing."""
    head = ScriptDirectory.from_config(configuration()).as_revision_number(f"{branch}@head")
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    found = {row[0] for row in connection.execute(sa.text("SELECT version_num FROM alembic_version"))}
    heads = (head,) if isinstance(head, str) else tuple(head or ())
    return set(heads) <= found
