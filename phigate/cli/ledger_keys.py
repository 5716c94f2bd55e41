"""``phigate ledger keys``: list, prepare, revoke. One checkpoint key a segment; a new one is a new segment.

Whoever holds the root key runs `prepare` and `revoke`, on any machine with the key folder and the root key in it; the
gateway needs neither the root key nor these commands while it runs.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from phigate.cli.ledger_keep import CONFIG, loaded, said


@click.group()
def keys() -> None:
    """Look after the keys of the ledger: rotation by segment, revocation by size."""


@keys.command("list")
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_keys(*, config: Path, as_json: bool) -> None:
    """List the keys of the keyring, and what each may sign."""
    from phigate.store.key_folder import read_keyring

    with said():
        found = read_keyring(loaded(config).keys)
        if found is None:
            raise click.ClickException("expected a keyring, found none: the first start of the gateway makes it")
    keyring = found[0]
    if not as_json:
        click.echo(f"keyring {keyring.version}, root keys {keyring.fingerprint}, expires {keyring.expires}")
    for each in keyring.keys:
        row = {"role": each.role.value, "origin": each.origin, "vkey": each.key.to_text(), "from": each.start}
        row |= {} if each.end is None else {"until": each.end}
        bounds = f"from {each.start}" + ("" if each.end is None else f" until {each.end}")
        click.echo(json.dumps(row) if as_json else f"{each.role.value:<10}  {each.key.to_text()}  {bounds}")


@keys.command()
@CONFIG
@click.option("--segments", "count", type=click.IntRange(1, 8), default=1, show_default=True, help="How many ahead.")
def prepare(*, config: Path, count: int) -> None:
    """Make the keys of the next segments and a keyring that lists them; needs the root key in the folder.

    After a key was stolen: prepare, then `phigate ledger roll --why emergency`, then revoke the old one by size.
    """
    from phigate.store.key_folder import ledger_keys
    from phigate.store.places import end_of, half_of, newest_origin, next_origin

    with said():
        settings = loaded(config)
        origin, at_s = newest_origin(settings.database, settings.origin), time.time()
        for _ in range(count):
            at_s = max(at_s, end_of(half_of(origin)).timestamp() if half_of(origin) else at_s)
            origin = next_origin(origin, at_s=at_s)
            ledger_keys(settings.keys, origin=origin, now=time.time())
            click.echo(origin)


@keys.command()
@CONFIG
@click.argument("vkey")
@click.option("--origin", required=True, help="Of which segment.")
@click.option("--until", type=click.IntRange(min=0), required=True, help="The size up to which it counts.")
def revoke(vkey: str, *, config: Path, origin: str, until: int) -> None:
    """End a key at a size of its segment, never by time: what it signed for a larger one is void. Needs the root key.

    VKEY is a checkpoint or enrolment key of the keyring, or a record key that a `key` entry introduced.
    """
    from phigate.store.key_folder import revoke as end

    with said():
        settings = loaded(config)
        keyring = end(settings.keys, vkey=vkey, origin=origin, until=until, now=datetime.now(UTC))
    click.echo(f"keyring {keyring.version}: {vkey.partition('+')[0]} counts up to {until}")
