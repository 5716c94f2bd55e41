"""``phigate witness``: vouch for the heads of a ledger from a host that the ledger's operator does not control."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phigate.errors import OperatorError

if TYPE_CHECKING:
    from phigate.signing import Signer

_KEY = click.option("--key", "key_uri", required=True, help="Key URI, such as file:/etc/phigate/witness.key.")
_NAME = click.option("--name", required=True, help="Name of this witness, such as compliance.hospital.example.")
_STATE = click.option(
    "--state", type=click.Path(path_type=Path), required=True, help="SQLite file of what was cosigned."
)
_CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), default=Path("phigate.yaml"), show_default=True, help="The gateway's."
)
_QUORUM = click.option("--quorum", type=int, help="How many witnesses must cosign a head.  [default: one at least]")


@click.group()
def witness() -> None:
    """Vouch for the heads of ledgers, and show what was vouched for."""


@witness.command()
@click.argument("file", type=click.Path(path_type=Path))
@_NAME
def key(file: Path, name: str) -> None:
    """Create the key of a witness in FILE and print its verifier key, for the keyring and for C2SP policies."""
    from phigate.signing import create_key_file

    try:
        create_key_file(file)
        click.echo(_vkey(_signer(f"file:{file}", name)))
    except OperatorError as error:
        raise click.ClickException(str(error)) from None


@witness.command()
@_KEY
@_NAME
def vkey(key_uri: str, name: str) -> None:
    """Print the verifier key of this witness."""
    try:
        click.echo(_vkey(_signer(key_uri, name)))
    except OperatorError as error:
        raise click.ClickException(str(error)) from None


@witness.command()
@_STATE
def show(state: Path) -> None:
    """Show the newest head of each log that was cosigned, one JSON object a line, and what contradicted it."""
    from phigate.app.witness import WitnessState, describe

    if not state.is_file():
        raise click.ClickException(f"expected a state file {state}, found none")
    try:
        opened = WitnessState(state)
        click.echo(describe(opened), nl=False)
        opened.close()
    except OperatorError as error:
        raise click.ClickException(str(error)) from None


@witness.command()
@_STATE
@_KEY
@_NAME
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="C2SP policy whose log lines name the logs; an export has one.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8099, show_default=True)
@click.option("--tls-certificate", type=click.Path(exists=True, dir_okay=False), help="PEM, with --tls-key.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front ends TLS.")
def serve(
    state: Path,
    key_uri: str,
    name: str,
    policy: Path,
    host: str,
    port: int,
    *,
    tls_certificate: str | None,
    tls_key: str | None,
    behind_proxy: bool,
) -> None:
    """Serve POST /add-checkpoint until told to stop."""
    import uvicorn

    from phigate.app.witness import WitnessState, build_witness
    from phigate.tlog.errors import TlogError
    from phigate.tlog.witness import known_logs

    if bool(tls_certificate) != bool(tls_key):
        raise click.UsageError("expected --tls-certificate and --tls-key together")
    if not (_loopback(host) or tls_key or behind_proxy):
        raise click.UsageError(f"expected TLS or --behind-proxy on {host}, which is not a loopback address")
    try:
        app = build_witness(WitnessState(state), signer=_signer(key_uri, name), logs=known_logs(policy.read_bytes()))
    except TlogError as error:
        raise click.ClickException(f"{policy}: {error}") from None
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
    uvicorn.run(
        app,
        host=host,
        port=port,
        ssl_certfile=tls_certificate,
        ssl_keyfile=tls_key,
        server_header=False,
        log_level="warning",
        access_log=False,
    )


@witness.command()
@click.argument("vkey")
@_CONFIG
@_QUORUM
def trust(vkey: str, config: Path, quorum: int | None) -> None:
    """List the witness VKEY in the keyring, which the root key signs anew; the gateway takes it up at its next start.

    Then say in the settings where it answers: ledger: {witnesses: {at: [{name: …, url: …}]}}
    """
    from phigate.store.witness_trust import trust_witness

    with _mended():
        keyring = trust_witness(_keys(config), vkey, quorum=quorum, now=time.time())
    click.echo(f"keyring version {keyring.version}: quorum {keyring.quorum}, {keyring.fingerprint}")


@witness.command()
@click.argument("name")
@_CONFIG
@_QUORUM
def distrust(name: str, config: Path, quorum: int | None) -> None:
    """Take the witness NAME out of the keyring: what it cosigned counts no more."""
    from phigate.store.witness_trust import distrust_witness

    with _mended():
        keyring = distrust_witness(_keys(config), name, quorum=quorum, now=time.time())
    click.echo(f"keyring version {keyring.version}: quorum {keyring.quorum}, {keyring.fingerprint}")


def _keys(config: Path) -> Path:
    from phigate.app.settings import load

    return load(config).keys


@contextmanager
def _mended() -> Iterator[None]:
    try:
        yield
    except OperatorError as error:
        raise click.ClickException(str(error)) from None


def _signer(key_uri: str, name: str) -> Signer:
    from phigate.signing import open_signer
    from phigate.tlog.errors import TlogError

    try:
        return open_signer(key_uri, name=name)
    except TlogError as error:  # the name
        raise click.ClickException(str(error)) from None


def _vkey(signer: Signer) -> str:
    from phigate.app.witness import witness_key

    return witness_key(signer).to_text()


def _loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
