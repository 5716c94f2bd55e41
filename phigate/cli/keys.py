"""``phigate keys``: keys of apps and auditors. A key is shown once, when it is made; only its hash is kept."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phigate.errors import PhigateError

if TYPE_CHECKING:
    from phigate.store.state import StateDatabase

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("phigate.yaml"),
    show_default=True,
    help="The gateway's settings; they say where the keys' hashes are kept.",
)


@click.group()
def keys() -> None:
    """Make, list and revoke the keys of apps, which ask models, and of auditors, who read the ledger."""


@keys.command()
@click.option("--app", help="The app that calls with this key, as the signed bundle names it.")
@click.option("--auditor", help="The person or body that reads the ledger with this key; stands in the ledger.")
@_CONFIG
def create(app: str | None, auditor: str | None, config: Path) -> None:
    """Make a key for an app, or for an auditor of GET /ledger/…, and print it once; it is nowhere else."""
    from phigate.audit.shapes import is_id
    from phigate.store.app_keys import APP, AUDITOR, create_key

    if (app is None) == (auditor is None):
        raise click.UsageError("expected either --app NAME or --auditor NAME")
    name, kind = (app, APP) if app is not None else (auditor or "", AUDITOR)
    if not is_id(name):
        raise click.ClickException(f"expected the name of an {kind}: ASCII letters, digits and ._:/+-")
    with _errors():
        database = _database(config)
        key_id, key = create_key(database, name, now=time.time(), kind=kind)
        database.close()
        note = _unregistered(config, name) if kind == APP else ""
    if note:
        click.echo(note, err=True)
    click.echo(f"key {key_id} for {name}, shown this once:", err=True)
    click.echo(key)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
@_CONFIG
def list_(*, as_json: bool, config: Path) -> None:
    """List the keys: id, kind, app or auditor, made, revoked."""
    from phigate.store.app_keys import list_keys

    with _errors():
        database = _database(config)
        rows = list_keys(database)
        database.close()
    if as_json:
        table = [
            {
                "id": k.key_id,
                "kind": k.kind,
                k.kind: k.app,
                "created": _at(k.created_at),
                "revoked": _at(k.revoked_at),
            }
            for k in rows
        ]
        click.echo(json.dumps(table))
        return
    for key in rows:
        ended = f"revoked {_at(key.revoked_at)}" if key.revoked_at is not None else "in force"
        click.echo(f"{key.key_id}  {key.kind:<7}  {key.app:<24} made {_at(key.created_at)}  {ended}")
    if not rows:
        click.echo("no keys yet: phigate keys create --app NAME")


@keys.command()
@click.argument("key_id")
@_CONFIG
def revoke(key_id: str, config: Path) -> None:
    """Revoke a key by its id; the gateway follows within five seconds."""
    from phigate.store.app_keys import revoke_key

    with _errors():
        database = _database(config)
        revoke_key(database, key_id, now=time.time())
        database.close()
    click.echo(f"key {key_id} is revoked")


def _unregistered(config: Path, app: str) -> str:
    """Return a warning where the site's policies register no such app: its requests will be refused."""
    from phigate.app.settings import load
    from phigate.policy.load import read
    from phigate.store.bundles import load_folder

    reading = read(load_folder(load(config).policies))
    bundle = reading.bundle
    if bundle is None or reading.problems:
        return "warning: the policies cannot be read, so nobody knows whether they register this app"
    if app in bundle.apps:
        return ""
    known = ", ".join(sorted(bundle.apps))
    return f"warning: no app {app} is registered under apps: in site.yaml, so its requests are refused; known: {known}"


def _database(config: Path) -> StateDatabase:
    from phigate.app.settings import load
    from phigate.store.state import StateDatabase

    settings = load(config)
    return StateDatabase(settings.state / "app_keys.db")


def _at(seconds: int | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


class _errors:  # noqa: N801 - reads as a statement
    """Show an error of ours as one line and exit status 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PhigateError):
            raise click.ClickException(str(error)) from error
