"""``phigate policy keygen | sign | verify``: two people in two roles answer for a bundle."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phigate.cli.policy import CONFIG, FOLDER, JSON, TRUST, failing, write_json
from phigate.policy.words import ROLES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from phigate.policy.lock import Lock


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--role", type=click.Choice(ROLES), required=True, help="The role that its owner signs in.")
def keygen(file: Path, role: str) -> None:
    """Make a signing key in FILE (mode 0600, never overwritten) and print the line for phigate.yaml."""
    from phigate.signing import create_key_file, read_private

    with failing():
        create_key_file(file)
        public = _public(read_private(file))
    click.echo("add this to policy_keys in phigate.yaml on the gateway:")
    click.echo(f'  - {{role: {role}, key: "{public}"}}')


@click.command()
@FOLDER
@click.option("--role", type=click.Choice(ROLES), help="The role in which you sign.")
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Your key, from keygen.")
@click.option("--effective", metavar="DATE", help="The day from which the bundle holds. Default: today, or as it is.")
@click.option("--dev", is_flag=True, help="Sign with the development key, which counts only under --dev.")
@JSON
def sign(folder: Path, *, role: str | None, key: Path | None, effective: str | None, dev: bool, as_json: bool) -> None:
    """Sign the files of a bundle as they are now. Signatures over other files are dropped.

    Read `phigate policy check` and `phigate policy diff` first: you answer for what you sign.
    """
    from phigate.policy import lock as locks
    from phigate.signing import read_private
    from phigate.store.bundles import load_folder, write_lock_file

    if dev == (role is not None or key is not None) or (not dev and (role is None or key is None)):
        raise click.UsageError("expected --role and --key, or --dev alone")
    with failing():
        _must_read(folder)
        lock = _lock_of(folder, effective)
        before = len(lock.signatures)
        signer = locks.development_key() if dev else read_private(_given(key))
        signed_as = locks.DEVELOPMENT if dev else str(role)
        if not dev:
            lock = locks.without(lock, locks.DEVELOPMENT)
        lock = locks.sign(lock, role=signed_as, key=signer)
        write_lock_file(folder, lock)
        load_folder(folder)
    roles = [signature.role for signature in lock.signatures]
    if as_json:
        write_json({"bundle": lock.digest, "effective": lock.effective, "roles": roles})
        return
    click.echo(f"bundle {lock.digest}, effective {lock.effective}, signed by {', '.join(roles)}")
    click.echo(f"your public key: {_public(signer)}")
    if not dev and len(roles) < 2:
        click.echo("one more role must sign before a gateway takes it")
    elif before == 0 and dev:
        click.echo("this is a development signature: it counts only under --dev, on loopback")


def _given(key: Path | None) -> Path:
    assert key is not None  # the usage check above
    return key


def _must_read(folder: Path) -> None:
    from phigate.cli.policy_sources import bundle_of, files_of

    bundle_of(files_of(str(folder)))


def _lock_of(folder: Path, effective: str | None) -> Lock:
    """Return the lock to sign: the one that stands there if it speaks of these files, else a fresh one."""
    from phigate.policy import lock as locks
    from phigate.store.bundles import load_folder, make_lock

    files = load_folder(folder)
    old = locks.read_lock(files[locks.FILE]) if locks.FILE in files else None
    date = effective or (old.effective if old is not None else datetime.now(UTC).date().isoformat())
    fresh = make_lock(files, effective=date)
    return old if old is not None and old.body() == fresh.body() else fresh


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


@click.command()
@FOLDER
@TRUST
@CONFIG
@click.option("--dev", is_flag=True, help="The development signature is enough.")
@JSON
def verify(folder: Path, *, trust: tuple[str, ...], config: Path | None, dev: bool, as_json: bool) -> None:
    """Say whether a gateway with these trusted keys would load the bundle, and who signed it."""
    from phigate.cli.policy_sources import trusted
    from phigate.policy.load import load
    from phigate.store.bundles import load_folder

    with failing():
        bundle = load(load_folder(folder), trust=trusted(trust, config), dev=dev)
    if as_json:
        write_json({"bundle": bundle.digest, "signed_by": bundle.signed_by, "effective": bundle.effective})
    else:
        click.echo(f"good: bundle {bundle.digest}, signed by {', '.join(bundle.signed_by)}")
