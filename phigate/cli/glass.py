"""``phigate glass``: the calls for break-glass in the ledger, and the second person's review of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.cli.policy import JSON, failing, write_json
from phigate.errors import SettingsError

if TYPE_CHECKING:
    from phigate.app.settings import Settings
    from phigate.audit.pseudonyms import Pseudonyms
    from phigate.audit.review import Call

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("phigate.yaml"),
    show_default=True,
    help="The gateway's settings: its ledger, its keys, and policy_keys with the names of who may review.",
)


@click.group()
def glass() -> None:
    """List the calls for break-glass, and review them.

    A call opens one step for one exchange in an emergency. Somebody else than who called looks at it afterwards, and
    signs what they think of it with their own key.
    """


@glass.command(name="list")
@_CONFIG
@JSON
@click.option("--open", "unreviewed", is_flag=True, help="Those alone that nobody reviewed yet.")
def list_(*, config: Path, as_json: bool, unreviewed: bool) -> None:
    """List the calls: when, who, why, what it opened, who reviewed it. Exit status 1 if a review is overdue."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    with failing():
        settings = _settings(config)
        found = _calls(settings, _pseudonyms(settings))
    rows = [_row(call, now) for call in found if not (unreviewed and call.reviews)]
    if as_json:
        write_json(rows)
    else:
        for row in rows:
            click.echo(_line(row))
        click.echo(f"{len(rows)} calls, {sum(row['state'] == 'overdue' for row in rows)} overdue")
    if any(row["state"] == "overdue" for row in rows):
        raise SystemExit(1)


@glass.command()
@click.argument("record")
@click.option("--verdict", type=click.Choice(["justified", "not_justified"]), required=True)
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Your own signing key, from phigate policy keygen; its public half stands in policy_keys with your name.",
)
@_CONFIG
def review(record: str, *, verdict: str, key: Path, config: Path) -> None:
    """Sign your verdict on the call RECORD, as `phigate glass list` shows it, and write it into the ledger.

    RECORD is ORIGIN#INDEX, or INDEX alone where only one log holds a call there.
    """
    from phigate.audit import review as reviews
    from phigate.policy.lock import public_bytes
    from phigate.signing import read_private

    with failing():
        settings = _settings(config)
        names, private = _pseudonyms(settings), read_private(key)
        by = reviews.reviewer(settings.policy_keys, public_bytes(private))
        found = [c for c in _calls(settings, names) if record in (c.record_id, str(c.index))]
        if len(found) != 1:
            raise SettingsError(
                f"expected one call for break-glass {record}, found {len(found)}; see phigate glass list"
            )
        (call,) = found
        if any(each["key"] == by.key.hex() for each in call.reviews):
            raise SettingsError(f"you reviewed {call.record_id} already; a review is never changed")
        draft = reviews.review(call, verdict=verdict, by=by, key=private, names=names)
        written = asyncio.run(_append(settings, draft))
    click.echo(f"{written}: {by.name} finds {call.record_id} {verdict.replace('_', ' ')}")


async def _append(settings: Settings, draft: Any) -> str:
    from phigate.store.appending import appending
    from phigate.store.open import new_id

    async with appending(settings.database, keys=settings.keys, origin=settings.origin, state=settings.state) as ledger:
        return (await ledger.append_as(draft, eid=new_id())).record_id


def _settings(config: Path) -> Settings:
    from phigate.app.settings import load

    return load(config)


def _pseudonyms(settings: Settings) -> Pseudonyms:
    from phigate.audit.pseudonyms import FILE, Pseudonyms
    from phigate.signing import read_secret

    return Pseudonyms(read_secret(settings.keys / FILE))


def _calls(settings: Settings, names: Pseudonyms) -> list[Call]:
    from phigate.audit.review import calls

    return calls(_entries(settings), trust=settings.policy_keys, names=names)


def _entries(settings: Settings) -> Iterator[tuple[str, int, bytes, dict[str, Any]]]:
    """Yield what speaks of calls, from every segment of the ledger."""
    from phigate.store.places import ledger_name, segments
    from phigate.store.source import DatabaseSource
    from phigate.tlog.record import parse_entry

    kinds = {"break_glass", "review", "intent"}
    for segment in segments(settings.database, name=ledger_name(settings.origin)):
        with DatabaseSource(segment.url, origin=segment.origin) as source:
            for at in range(0, source.size, 512):
                for row in source.rows(at, min(at + 512, source.size)):
                    if row.kind in kinds:
                        fields = dict(parse_entry(bytes(row.entry)).fields)
                        yield segment.origin, row.idx, bytes(row.leaf), fields


def _row(call: Call, now: str) -> dict[str, Any]:
    fields = call.fields
    return {
        "record": call.record_id,
        "at": fields["ts"],
        "state": call.state(now),
        "app": fields["app"],
        "actor": fields["actor"],
        "role": fields.get("role", ""),
        "reason": fields["reason"],
        "rid": fields.get("rid", ""),
        "until": fields["until"],
        "review_by": fields.get("review_by", ""),
        "sent": call.sent,
        "reviews": [{"actor": r["actor"], "role": r["role"], "verdict": r["verdict"]} for r in call.reviews],
        "void": call.void,
    }


def _line(row: dict[str, Any]) -> str:
    went = ", ".join(row["sent"]) or "nothing was sent"
    who = f"{row['role']} {row['actor']} of {row['app']}"
    head = f"{row['record']} {row['at'][:19]}Z {row['state']}: {who}, {row['reason']}; to {went}"
    lines = [f"{head}; review by {row['review_by'][:16]}Z"]
    lines += [f"    {r['role']} {r['actor']}: {r['verdict'].replace('_', ' ')}" for r in row["reviews"]]
    lines += [f"    a review does not count: {why}" for why in row["void"]]
    return "\n".join(lines)
