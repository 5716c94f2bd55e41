"""Facts for ``phigate policy explain``: from a request body and the real detector, a ledger entry, or stubs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Facts, Found
from phigate.policy.replay import Record, facts_of, instant_of
from phigate.wire.parts import Attachments, Limits

if TYPE_CHECKING:
    from phigate.analysis import Analysis
    from phigate.wire.parts import Part

_FLOOR = datetime(1970, 1, 1, tzinfo=UTC)


def asked(folder: Path | None, options: dict[str, Any]) -> tuple[Bundle, Facts]:
    """Return the bundle and the facts that the options of `explain` name."""
    from phigate.cli.policy import clock, read_bundle

    entry = _entry(options) if options["rid"] or options["ledger"] else None
    if folder is not None:
        bundle = read_bundle(folder)
    elif entry is not None and options["config"] is not None:
        from phigate.cli.policy_kept import kept_bundle

        bundle = kept_bundle(options["config"], str(entry.get("policy", "")))
    else:
        raise click.UsageError("expected FOLDER, or --rid and --config for an entry and the bundle in force then")
    then = entry is not None and (options["then"] or folder is None)
    now = instant_of(entry) if entry is not None and then else clock(options["at"], bundle)
    return bundle, _with_options(_facts(bundle, now, entry, options), options)


def _facts(bundle: Bundle, now: datetime, entry: Record | None, options: dict[str, Any]) -> Facts:
    if entry is not None:
        return facts_of(entry, now=now)
    if not options["app"]:
        raise click.UsageError("expected --app beside --request or --findings")
    if options["request"] is not None:
        return _of_request(bundle, now, options["app"], options["request"].read())
    return _of_stubs(now, options["app"], options["findings"])


def _with_options(facts: Facts, options: dict[str, Any]) -> Facts:
    if options["purpose"] is not None:
        facts = replace(facts, purpose=options["purpose"])
    if options["tags"] is not None:
        facts = replace(facts, tags=frozenset(word for word in options["tags"].split(",") if word))
    if options["attachment"]:
        facts = replace(facts, attachments=Attachments.UNCLEANED)
    if options["unread"]:
        facts = replace(facts, complete=False)
    return replace(facts, model=options["model"]) if options["model"] else facts


def _of_stubs(now: datetime, app: str, findings: str) -> Facts:
    types = [name for name in findings.split(",") if name]
    return Facts(
        app=app,
        found=tuple(Found(EntityType(n) if n in EntityType.__members__ else n, "", (1.0,)) for n in types),
        complete=True,
        attachments=Attachments.NONE,
        model="",
        needs=frozenset(),
        now=now,
    )


def _of_request(bundle: Bundle, now: datetime, app: str, body: bytes) -> Facts:
    from phigate.deid.found import found
    from phigate.wire import chat

    request = chat.parse(body, limits=Limits())
    analysis = analyzed(bundle, request.parts)
    return Facts(
        app=app,
        found=found(analysis, request.parts, today=now.date()),
        complete=analysis.complete,
        attachments=request.attachments,
        model=request.model,
        needs=request.needs,
        now=now,
    )


def analyzed(bundle: Bundle, parts: Sequence[Part]) -> Analysis:
    """Return what the real detector finds in the parts of one request. Nothing of it is printed or kept."""
    return analyzed_each(bundle, [parts])[0]


def analyzed_each(bundle: Bundle, requests: Sequence[Sequence[Part]]) -> list[Analysis]:
    """Return what the real detector finds in each of several requests; it is started once."""
    from phigate.analyzers.presidio import PresidioAnalyzer

    async def run() -> list[Analysis]:
        analyzer = PresidioAnalyzer(bundle)
        await analyzer.start()
        try:
            return [await analyzer.analyze(parts, bundle=bundle) for parts in requests]
        finally:
            await analyzer.close()

    return asyncio.run(run())


def _entry(options: dict[str, Any]) -> Record:
    """Return the entry of an exchange, from --ledger or from the ledger of --config."""
    from phigate.cli.policy_sources import ledger_of, records

    if not options["rid"]:
        raise click.UsageError("expected --rid beside --ledger")
    place = ledger_of(options["ledger"], options["config"])
    for record in records(place, since=_FLOOR)[1]:
        if record.get("rid") == options["rid"] and "forms" in record:
            return record
    raise click.ClickException("the ledger holds no decision of that exchange")
