"""``phigate ledger`` for whoever keeps it for years: segments, roll, archive, hold, release, drop."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.errors import PhigateError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.app.settings import Settings
    from phigate.audit.record import Draft, Receipt
    from phigate.store.retention import Kept
    from phigate.tlog.report import Report

CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), default=Path("phigate.yaml"), show_default=True, help="The settings."
)
ACTOR = click.option("--actor", required=True, help="Who does this, as an id: it stands in the ledger for good.")
_YEARS = click.option(
    "--years", type=click.IntRange(min=6), default=6, show_default=True, help="Local law may ask more."
)


@contextmanager
def said() -> Iterator[None]:
    """Turn what goes wrong into one line and exit status 1."""
    from phigate.tlog.errors import TlogError

    try:
        yield
    except (PhigateError, TlogError) as error:
        raise click.ClickException(str(error)) from error


def loaded(config: Path) -> Settings:
    """Return the settings."""
    from phigate.app.settings import load

    return load(config)


def append(settings: Settings, draft: Draft, *, eid: str = "") -> Receipt:
    """Append one entry: through the gateway that runs, or by opening the ledger."""
    from phigate.audit.schema import check
    from phigate.store.appending import appending
    from phigate.store.open import new_id

    async def work() -> Receipt:
        async with appending(
            settings.database, keys=settings.keys, origin=settings.origin, state=settings.state
        ) as ledger:
            return await ledger.append_as(draft, eid=eid or new_id())

    check(draft)
    return asyncio.run(work())


def kept_of(settings: Settings, years: int) -> list[Kept]:
    """Return all segments of the configured ledger, and how long each is kept."""
    from phigate.store.places import ledger_name, segments
    from phigate.store.retention import kept

    return kept(segments(settings.database, name=ledger_name(settings.origin)), years=years)


def _one(settings: Settings, origin: str, years: int = 6) -> Kept:
    for each in kept_of(settings, years):
        if each.segment.origin == origin:
            return each
    raise click.ClickException(f"expected a segment {origin}, found none: see phigate ledger segments")


def _actor(actor: str) -> str:
    from phigate.audit.shapes import is_id

    if not is_id(actor):
        raise click.UsageError("expected an id: ASCII letters, digits and ._:/+-, with a letter in it")
    return actor


@click.command()
@CONFIG
@_YEARS
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def segments(*, config: Path, years: int, as_json: bool) -> None:
    """List the segments: size, state, how long each is kept, and what holds it."""
    from phigate.store.retention import why_not

    with said():
        for each in kept_of(loaded(config), years):
            row: dict[str, Any] = {
                "origin": each.segment.origin,
                "size": each.segment.size,
                "closed": each.segment.closed,
                "until": f"{each.until:%Y-%m-%d}",
                "held_for": sorted(each.cases),
                "archive": each.archive,
                "kept_because": why_not(each, now=datetime.now(UTC)) or "",
            }
            text = f"{row['origin']}  {row['size']} entries, {'closed' if row['closed'] else 'open'}"
            click.echo(json.dumps(row) if as_json else f"{text}; {row['kept_because'] or 'may be dropped'}")


@click.command()
@CONFIG
@click.option("--why", default="command", show_default=True, help="A word for the entry: command, emergency.")
def roll(*, config: Path, why: str) -> None:
    """Close the open segment now and begin the next, with keys of its own; the gateway may run meanwhile."""
    from phigate.audit.record import Draft, Kind
    from phigate.store.places import newest_origin
    from phigate.store.rolling import following

    with said():
        settings = loaded(config)
        origin = newest_origin(settings.database, settings.origin)
        after = following(origin, keys=settings.keys, at_s=time.time())
        try:
            append(settings, Draft(Kind.SEGMENT_CLOSE, {"next": after, "why": why}))
        except UnavailableError:
            # A half year that was over closes by itself as soon as the ledger is opened: that is what was asked for.
            if newest_origin(settings.database, settings.origin) != after:
                raise
    click.echo(f"{origin} is closed; {after} follows")


@click.command()
@click.argument("place", type=click.Path(path_type=Path))
@CONFIG
@click.option("--origin", required=True, help="Which segment.")
@ACTOR
def archive(place: Path, *, config: Path, origin: str, actor: str) -> None:
    """Write a closed segment to the file PLACE, which ends in .tar, and enter its digest in the ledger."""
    from dataclasses import replace

    from phigate.store.retention import archive as write

    with said():
        settings = loaded(config)
        draft = write(_one(settings, origin).segment, place, verify=_verified)
        receipt = append(settings, replace(draft, fields={**draft.fields, "actor": _actor(actor)}))
    click.echo(f"{place}  {draft.fields['digest']}  {receipt.record_id}")


def _verified(place: Path) -> Report:
    from phigate.cli.verify_sources import open_source
    from phigate.store.verifying import verify_log
    from phigate.tlog.verify import Demand

    with open_source(place) as source:
        return verify_log(source, Demand())


@click.command()
@click.argument("case")
@CONFIG
@click.option("--origin", required=True, help="Which segment.")
@ACTOR
@click.option("--release", is_flag=True, help="End the hold instead.")
def hold(case: str, *, config: Path, origin: str, actor: str, release: bool) -> None:
    """Keep a segment for CASE, whatever its age; or release it."""
    from phigate.audit.record import Draft, Kind

    with said():
        settings = loaded(config)
        this = _one(settings, origin)
        if release and case not in this.cases:
            raise click.ClickException(f"expected a hold of {origin} for {case}, found none")
        op = "release" if release else "place"
        fields = {"segment": this.segment.origin, "op": op, "case": _actor(case), "actor": _actor(actor)}
        receipt = append(settings, Draft(Kind.HOLD, {**fields}))
    click.echo(f"{origin}: {'released from' if release else 'held for'} {case}, {receipt.record_id}")


@click.command()
@CONFIG
@click.option("--origin", required=True, help="Which segment.")
@_YEARS
@ACTOR
@click.option("--as-owner", default="", metavar="URL", help="PostgreSQL: the database as a member of phigate_owner.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(*, config: Path, origin: str, years: int, actor: str, as_owner: str, yes: bool) -> None:
    """Destroy a segment that is old enough, archived, and held by nobody; its last signed head stays for ever."""
    from phigate.store.places import ledger_name
    from phigate.store.places import segments as find
    from phigate.store.retention import destroy, destroyed, last_words, why_not

    with said():
        settings = loaded(config)
        this = _one(settings, origin, years)
        why = why_not(this, now=datetime.now(UTC))
        if why is not None:
            raise click.ClickException(why)
        if not yes:
            click.confirm(f"destroy {origin} with its {this.segment.size} entries", abort=True)
        draft, note = last_words(this, actor=_actor(actor))
        if origin not in destroyed(find(settings.database, name=ledger_name(settings.origin))):
            append(settings, draft)  # a crash after this line: the command, run again, finishes what it says
        destroy(this.segment, keep=settings.keys, note=note, owner=as_owner)
    click.echo(f"{origin} was destroyed; its last head is kept in {settings.keys}")
