"""Small builders for policy tests: edited copies of the shipped files, facts, problems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Facts, Found, Glass, Hold, Operator
from phigate.policy.load import read
from phigate.wire.parts import Attachments, Need

NOW = datetime(2026, 12, 15, tzinfo=UTC)
HIPAA, LGPD, GDPR = "regimes/hipaa.yaml", "regimes/lgpd.yaml", "regimes/gdpr.yaml"
SITE, DESTINATIONS = "site.yaml", "destinations.yaml"


def edit(files: Mapping[str, bytes], name: str, *changes: tuple[str, str]) -> dict[str, bytes]:
    """The files with texts of one of them replaced; each old text must stand there."""
    text = files[name].decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return {**files, name: text.encode()}


def problems(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Code and message of everything that reading finds."""
    return [(p.code, str(p)) for p in read(files).problems]


def bundle_of(files: Mapping[str, bytes]) -> Bundle:
    reading = read(files)
    assert reading.problems == ()
    assert reading.bundle is not None
    return reading.bundle


def facts(
    *types: EntityType | str,
    app: str = "demo",
    now: datetime = NOW,
    model: str = "clinical",
    complete: bool = True,
    attachments: Attachments = Attachments.NONE,
    needs: frozenset[Need] = frozenset(),
    tags: frozenset[str] | None = None,
    purpose: str | None = None,
    inherited: frozenset[Hold] = frozenset(),
    glass: Glass | None = None,
    score: float = 0.9,
    unchanged_by: frozenset[Operator] = frozenset({Operator.KEEP}),
    lang: str = "en",
) -> Facts:
    return Facts(
        app=app,
        found=tuple(Found(t, lang, (score,), unchanged_by) for t in types),
        complete=complete,
        attachments=attachments,
        model=model,
        needs=needs,
        now=now,
        inherited=inherited,
        tags=tags,
        purpose=purpose,
        glass=glass,
    )
