"""``phigate ledger`` for those who run it: doctor, hammer, recover. Reading and evidence are in `ledger`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from phigate.errors import PhigateError

_CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), default=Path("phigate.yaml"), show_default=True, help="The settings."
)


@click.command()
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def doctor(context: click.Context, *, config: Path, as_json: bool) -> None:
    """Look at what surrounds the configured ledger: software, disk, keys, anchor, clock.

    Exit status 1 when something is bad.
    """
    from phigate.app.settings import load
    from phigate.store.doctoring import BAD, examine
    from phigate.store.places import newest_origin

    try:
        settings = load(config)
    except PhigateError as error:
        raise click.ClickException(str(error)) from error
    bad = False
    for finding in examine(
        settings.database, keys=settings.keys, origin=newest_origin(settings.database, settings.origin)
    ):
        bad = bad or finding.level == BAD
        click.echo(json.dumps(asdict(finding)) if as_json else f"{finding.level:<5} {finding.what}")
    context.exit(int(bad))


@click.command()
@click.option("--database", help="sqlite:///FILE or postgresql+psycopg://…; without it a SQLite file of its own.")
@click.option("--seconds", type=float, default=5.0, show_default=True)
@click.option("--clients", type=int, default=64, show_default=True, help="Of each replica.")
@click.option("--replicas", type=int, default=1, show_default=True, help="Processes; more than one needs PostgreSQL.")
@click.option("--rate", type=float, default=0.0, help="Entries a second of all together; 0 is as fast as it goes.")
@click.option("--json", "as_json", is_flag=True)
def hammer(*, database: str | None, seconds: float, clients: int, replicas: int, rate: float, as_json: bool) -> None:
    """Append to a ledger as fast as it goes, check proofs meanwhile, verify it at the end.

    Never name a ledger that is in use: its entries stay for good.
    """
    from phigate.store.hammer import hammer as strike
    from phigate.store.source import DatabaseSource
    from phigate.store.verifying import verify_log
    from phigate.tlog.verify import Demand

    origin = "hammer.invalid/phigate"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = database or f"sqlite:///{folder}/ledger.db"
        try:
            result = strike(
                url, keys=folder / "keys", origin=origin, seconds=seconds, clients=clients, replicas=replicas, rate=rate
            )
        except PhigateError as error:
            raise click.ClickException(str(error)) from error
        with DatabaseSource(url, origin=origin) as source:
            verdict = verify_log(source, Demand()).verdict.name
    if as_json:
        click.echo(json.dumps({**asdict(result), "verdict": verdict}))
        return
    click.echo(
        f"{result.per_second:.0f} durable entries a second, {replicas} x {clients} clients, {seconds:g} s\n"
        f"append p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms; refused {result.refused}\n"
        f"{result.proofs} proofs made and checked meanwhile, {result.proof_ms:.1f} ms each\n"
        f"fsync of 4 kB {result.fsync_ms:.2f} ms; {result.entries} entries, {verdict}"
    )


@click.command()
@_CONFIG
@click.option("--new-database", required=True, help="Where the new log goes; for SQLite a file that is not there yet.")
@click.option("--new-origin", required=True, help="Its name; never that of a log that was signed before.")
@click.option("--actor", required=True, help="Who declares this, as an id: it stands in the log for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def recover(*, config: Path, new_database: str, new_origin: str, actor: str, yes: bool) -> None:
    """Go on after a restored backup: open a new log whose first entry declares what the old one lost.

    First try to bring the old database up to date from an export or a standby. Nothing of the old log is changed.
    """
    from phigate.app.settings import load
    from phigate.store.places import ledger_name
    from phigate.store.recovering import declare_loss, lost_of
    from phigate.store.rolling import begun

    try:
        settings = load(config)
        # The key folder knows which segment was the last, and the database that was restored may not.
        origin = [settings.origin, *begun(settings.keys, ledger_name(settings.origin))][-1]
        loss = lost_of(settings.database, keys=settings.keys, origin=origin)
        click.echo(
            f"{origin} was signed up to {loss.signed} entries, the database holds {loss.restored}: "
            f"{loss.lost} are lost unless they are found elsewhere"
        )
        if not yes:
            click.confirm(f"declare this in a new log {new_origin}", abort=True)
        record = asyncio.run(declare_loss(loss, new_database, keys=settings.keys, origin=new_origin, actor=actor))
    except PhigateError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{record}: set ledger.database and ledger.origin in {config} to the new ones, and start")
