"""``phigate ledger erase`` and ``disclosures``: what a patient may ask for. Numbers are read from standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.cli.ledger_keep import CONFIG, append, loaded, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.app.settings import Settings
    from phigate.store.vault import Erasure, Vault

_TENANT = click.option("--tenant", required=True, help="Whose patient, as apps are registered with it.")


def _numbers() -> list[str]:
    """Read the patient's numbers, one a line: never from the command line, which others see and shells remember."""
    numbers = [line.strip() for line in sys.stdin if line.strip()]
    if not numbers:
        raise click.UsageError("expected the patient's numbers on standard input, one a line, found none")
    return numbers


def _vault(settings: Settings) -> Vault:
    from phigate.store.vault import Vault

    return Vault(settings.state / "vault.db", keys=settings.keys)


def _lookups(vault: Vault, tenant: str) -> list[bytes]:
    return [lookup for number in _numbers() for lookup in vault.lookups.all_of(tenant, number)]


@click.command()
@CONFIG
@_TENANT
@click.option("--request", required=True, help="Id of the request for erasure, as your files have it.")
@click.option("--article", default="gdpr.art.17", show_default=True, help="On what it stands, as an id.")
def erase(*, config: Path, tenant: str, request: str, article: str) -> None:
    """Destroy the key of a patient, whose numbers come on standard input, so that all tags become noise.

    Every entry and proof stays what it was; the ledger gets one entry that names nobody. Take a new backup of the
    vault afterwards: those from before open nothing any more.
    """
    from phigate.audit.shapes import is_id
    from phigate.store.open import new_id

    if not is_id(request) or not is_id(article):
        raise click.UsageError("expected ids as --request and --article: letters, digits and ._:/+-")
    with said():
        settings = loaded(config)
        vault = _vault(settings)
        try:
            done = vault.erase(_lookups(vault, tenant), eid=new_id(), request=request, article=article)
            vault.rekey()
            # A crash before the entry stands: the next erasure writes it first, under the same id, once.
            for each in vault.pending():
                receipt = _enter(settings, each)
                vault.written(each.eid)
        finally:
            vault.close()
    click.echo(f"{done.count} exchanges can no longer be connected; {receipt}")


def _enter(settings: Settings, done: Erasure) -> str:
    from phigate.audit.record import Draft, Kind

    fields: dict[str, Any] = {"request": done.request, "article": done.article, "count": done.count}
    return append(settings, Draft(Kind.ERASURE, fields), eid=done.eid).record_id


@click.command()
@CONFIG
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def disclosures(*, config: Path, tenant: str, as_json: bool) -> None:
    """List what left about a patient, whose numbers come on standard input: when, to whom, for what, which types.

    What an entry says is believed only where it carries the tag that the patient's key makes.
    """
    from phigate.store.places import ledger_name, segments

    with said():
        settings = loaded(config)
        vault = _vault(settings)
        try:
            wanted = vault.exchanges(_lookups(vault, tenant))
        finally:
            vault.close()
        count = 0
        for found in segments(settings.database, name=ledger_name(settings.origin)) if wanted else ():
            for row in _about(found.url, found.log_id, wanted):
                count += 1
                click.echo(json.dumps(row) if as_json else _line(row))
    if not as_json:
        click.echo(
            f"{count} disclosures on record; what neither context nor number connected to the patient is not known"
        )


def _about(url: str, log_id: int, wanted: dict[str, set[str]]) -> Iterator[dict[str, Any]]:
    """Yield what the intents of these exchanges say, where their tags are the patient's and they were sent."""
    import sqlalchemy as sa

    from phigate.store.places import reading_engine
    from phigate.tlog.record import parse_entry

    sql = sa.text("SELECT idx, entry FROM ledger_entry WHERE log_id = :log AND rid = :rid ORDER BY idx")
    engine = reading_engine(url)
    try:
        with engine.connect() as connection:
            for rid, tags in sorted(wanted.items()):
                rows = connection.execute(sql, {"log": log_id, "rid": rid}).all()
                entries = [(row.idx, parse_entry(bytes(row.entry)).fields) for row in rows]
                yield from _left([(idx, dict(fields)) for idx, fields in entries], tags)
    finally:
        engine.dispose()


def _left(entries: Sequence[tuple[int, dict[str, Any]]], tags: set[str]) -> Iterator[dict[str, Any]]:
    unsent = {each["attempt"] for _, each in entries if each["kind"] == "outcome" and each["status"] == "not_sent"}
    for idx, each in entries:
        mine = each["kind"] == "intent" and tags & {tag for _, tag in each.get("subj", [])}
        if mine and each["attempt"] not in unsent and each["destination"]["kind"] == "external":
            yield {
                "record": f"{each['log']}#{idx}",
                "ts": each["ts"],
                "recipient": each["destination"].get("recipient", each["destination"]["id"]),
                "country": each["destination"].get("country", ""),
                "form": each["destination"]["form"],
                "purpose": each.get("purpose", ""),
                "types": sorted(each["found"]),
            }


def _line(row: dict[str, Any]) -> str:
    where = f"{row['recipient']} {row['country']}".strip()
    return f"{row['ts']}  {where}  {row['form']}  {row['purpose']}  {', '.join(row['types'])}  {row['record']}"
