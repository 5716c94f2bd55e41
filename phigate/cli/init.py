"""``phigate init``: a site's own folder: settings, a copy of the policies to edit, a place for ledger and keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from phigate.errors import OperatorError

_SETTINGS: Final = """\
# Where this gateway stands. Everything that decides what may leave is in the signed folder policies/, not here.
phigate: settings/v1

# Other addresses than 127.0.0.1 need tls: {{certificate: FILE, key: FILE}}, or behind_proxy: true where a proxy in
# front ends TLS.
listen: {{host: 127.0.0.1, port: {port}}}
workers: {workers}

# The signed policies. Edit, then: phigate policy check policies && phigate policy sign policies ...
policies: policies

# Whose signatures on policies.lock count, at least two roles: `phigate policy sign --help` shows how to make a key.
policy_keys: []

# One entry before anything leaves and one before an answer ends. PostgreSQL: postgresql+psycopg://USER@HOST/NAME
ledger: {{database: "sqlite:///ledger.db", origin: {origin}, keys: keys, state: state}}

# Secrets that destinations.yaml names, each from the environment or from a file; never written here.
secrets: {{{secrets}}}

# What one request may cost before it is refused, and how many may be open at once.
limits: {{body_bytes: 16777216, depth: 64, parts: 20000, capacity: 256}}
"""


def write_site(
    folder: Path,
    *,
    port: int = 8080,
    endpoints: Mapping[str, str] | None = None,
    external_key: str = "",
    development: bool = False,
    workers: int = 1,
) -> Path:
    """Write a site into an empty folder and return its phigate.yaml.

    Without ``endpoints`` the policies are the shipped ones, to be edited and signed; with them (demo, tests) their
    contracts are written relative to today and signed with the development key.
    """
    from phigate.store.bundles import copy_policies
    from phigate.store.bundles import write_site as write_signed

    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"the folder {folder} is not empty; name a new one, nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    if development:
        write_signed(folder / "policies", endpoints=endpoints or {}, today=datetime.now(UTC).date())
    else:
        copy_policies(folder / "policies")
    secrets = ""
    if external_key:
        (folder / "external.key").write_text(external_key, encoding="utf-8")
        (folder / "external.key").chmod(0o600)
        secrets = 'EU_CLOUD_KEY: "file:external.key"'
    config = folder / "phigate.yaml"
    origin = "audit.phigate.example/demo" if development else "audit.hospital.example/phigate"
    config.write_text(_SETTINGS.format(port=port, workers=workers, origin=origin, secrets=secrets), encoding="utf-8")
    return config


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--port", default=8080, show_default=True, help="Where the gateway will listen on 127.0.0.1.")
@click.option("--dev", is_flag=True, help="Sign the policies with the development key: loopback only, never patients.")
def init(folder: Path, *, port: int, dev: bool) -> None:
    """Write a site's own copy of settings and policies into FOLDER."""
    try:
        config = write_site(folder, port=port, development=dev)
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {config} and {folder / 'policies'}\n\nnext:")
    click.echo(f"  1. edit {folder / 'policies'}: destinations.yaml (your model servers, contracts), site.yaml (apps)")
    click.echo(f"  2. phigate policy check {folder / 'policies'}")
    if not dev:
        click.echo(f"  3. phigate policy sign {folder / 'policies'} --role ...   (two people of different roles)")
    click.echo(f"  {3 if dev else 4}. phigate keys create --app NAME --config {config}")
    click.echo(f"  {4 if dev else 5}. phigate serve --config {config}{' --dev' if dev else ''}")
