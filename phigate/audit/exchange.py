"""Drafts about exchanges: what an intent, an outcome and a refusal say, from the values of the exchange. Pure.

Fields and their meaning: docs/ledger-format.md. An intent stands for one attempt and is durable before its first byte
leaves; it counts as a disclosure unless its outcome is ``not_sent``. Whatever these builders are given, they write
types, counts, ids and digests; `schema.check` refuses the rest at append time.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from phigate.analysis import Analysis
from phigate.audit.record import JSON, Draft, Kind, Receipt, Status
from phigate.audit.shapes import PAPER, SAFE_INTEGER, is_id, is_provider_id
from phigate.finding import EntityType
from phigate.policy.bundle import Destination
from phigate.policy.decision import Candidate, Decision, Form, Hold, Operator
from phigate.wire.parts import Attachments

_NO_WORD: Final = re.compile(r"[^a-z0-9.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResidualSummary:
    """What the re-scan said of the copy that left: clean, after how many passes, which informative types stay."""

    clean: bool
    passes: int
    types_left: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()  # destinations in the house whose models found nothing in it


def intent(
    *,
    rid: str,
    attempt: int,
    app: str,
    actor: str,
    decision: Decision,
    candidate: Candidate,
    destination: Destination,
    analysis: Analysis,
    attachments: Attachments,
    operators: Mapping[EntityType, Mapping[Operator, int]],
    residual: ResidualSummary | None,
    inherited: frozenset[Hold],
    released: tuple[int, bytes],
    dropped: int,
    subjects: Sequence[tuple[str, str]] = (),
    tables: Sequence[tuple[str, str, str]] = (),
) -> Draft:
    """Say that ``released`` (size and MAC) is about to go to one destination. Append it before the first byte leaves.

    ``rid`` is a UUID, ``attempt`` counts from 1; ``actor`` is a pseudonym or "". ``residual`` is None where no re-scan
    runs (form raw, on-prem). ``dropped`` counts the body fields that stayed behind. ``subjects`` are source and tag of
    each patient, ``tables`` kind, vintage and digest of what generalised values.
    """
    fields: dict[str, JSON] = {
        "app": app,
        **({"actor": actor} if actor else {}),
        "subj": [[source, tag] for source, tag in subjects],
        "tables": [list(table) for table in tables],
        **_decided(decision),
        **_detected(analysis),
        "attachments": attachments.value,
        "destination": _destination(destination, candidate),
        "operators": {
            str(kind): {operator.value: n for operator, n in counts.items() if n}
            for kind, counts in operators.items()
            if any(counts.values())
        },
        "inherited": _sorted(hold.value for hold in inherited),
        "in": _body(released),
        "dropped": dropped,
    }
    if residual is not None:
        fields["residual"] = {
            "clean": residual.clean,
            "passes": residual.passes,
            "types_left": _sorted(_type(name) for name in residual.types_left),
            **({"readers": [*residual.readers]} if residual.readers else {}),
        }
    return Draft(Kind.INTENT, _without_empty(fields, keep=("found", "forms", "regimes")), rid, attempt)


def outcome(
    *,
    rid: str,
    attempt: int,
    intent: Receipt,
    status: Status,
    http_status: int,
    sent: tuple[int, bytes] | None,
    answer: tuple[int, bytes] | None,
    tokens: Mapping[str, int],
    misses: Mapping[EntityType, int],
    found_in_reply: Mapping[EntityType, int],
    latency_ms: int,
    provider_request_id: str,
    usage: Mapping[str, JSON] | None = None,
    model: str = "",
) -> Draft:
    """Say how the attempt of ``intent`` ended. Append it before the last byte reaches the app.

    ``sent`` is what really left (outside only), ``answer`` what was forwarded to the app, both as size and MAC.
    ``http_status`` is the upstream's, 0 when none came. ``usage`` is `wire.usage.Usage.to_json`, ``model`` the one
    that says it answered. A model or a provider's request id that is no id is left out.
    """
    fields: dict[str, JSON] = {
        "intent": {"idx": intent.index, "leaf": intent.leaf.hex(), "log": intent.origin},
        "status": status.value,
        "tokens": {name: n for name, n in tokens.items() if n},
        "miss": _by_type(misses),
        "found": _by_type(found_in_reply),
        "latency_ms": min(max(latency_ms, 0), SAFE_INTEGER),
    }
    if 100 <= http_status <= 599:
        fields["http"] = http_status
    if sent is not None and sent[0]:  # of nothing there is no MAC; the status says that nothing left
        fields["sent"] = _body(sent)
    if answer is not None:
        fields["out"] = _body(answer)
    if is_provider_id(provider_request_id):
        fields["provider_request"] = provider_request_id
    if is_id(model):
        fields["model"] = model
    if usage:
        fields["usage"] = dict(usage)
    return Draft(Kind.OUTCOME, _without_empty(fields), rid, attempt)


def refusal(
    *,
    rid: str,
    app: str,
    reason: str,
    decision: Decision | None,
    analysis: Analysis | None,
    count: int = 1,
) -> Draft:
    """Say that ``count`` requests were refused for ``reason``, an error code.

    ``rid`` and ``app`` are "" where many requests, or unauthenticated ones, share one entry (decisions 20).
    """
    fields: dict[str, JSON] = {"reason": reason, "count": count}
    if app:
        fields["app"] = app
    if decision is not None:
        fields.update(_decided(decision))
    if analysis is not None:
        fields.update(_detected(analysis))
    return Draft(Kind.REFUSAL, _without_empty(fields), rid)


def break_glass(
    *,
    rid: str,
    app: str,
    actor: str,
    role: str,
    reason: str,
    form: Form,
    until: datetime,
    review_by: datetime,
    policy: str,
) -> Draft:
    """Say that an emergency opened one step for one exchange. Append it before anything is sent.

    ``actor`` is the pseudonym of who called for it; a second person reviews it before ``review_by``.
    """
    fields: dict[str, JSON] = {
        "app": app,
        "actor": actor,
        "role": role,
        "reason": reason,
        "form": form.name.lower(),
        "until": _time(until),
        "review_by": _time(review_by),
        "policy": policy,
    }
    return Draft(Kind.BREAK_GLASS, fields, rid)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _decided(decision: Decision) -> dict[str, JSON]:
    basis = (_word(each) for each in decision.legal_basis)
    return {
        "tenant": decision.tenant,
        "alias": decision.alias,
        "purpose": decision.purpose,
        "basis": [word for word in basis if word],
        "policy": decision.bundle,
        "regimes": [[name, version] for name, version in decision.regimes],
        "rules": list(decision.rules),
        "overrides": list(decision.overrides),
        "obligations": list(decision.obligations),
        "flags": list(decision.flags),
        "tags": _sorted(decision.tags),
        "mode": decision.mode.value,
        "forms": {name: form.name.lower() for name, form in decision.forms.items()},
    }


def _detected(analysis: Analysis) -> dict[str, JSON]:
    found: dict[str, list[JSON]] = {}
    for part in analysis.parts:
        for finding in part.findings:
            # Tenths, rounded to nearest: integers only, and no reader needs more of a score.
            tenths = min(max(round(finding.score * 10), 0), 10)
            old = found.get(finding.entity_type.value)
            if old is None:
                found[finding.entity_type.value] = [1, tenths]
            else:
                assert isinstance(old[0], int)
                assert isinstance(old[1], int)
                old[0], old[1] = old[0] + 1, max(old[1], tenths)
    return {
        "detector": analysis.detector,
        "lang": _sorted({part.lang for part in analysis.parts if part.lang}),
        "complete": analysis.complete,
        "unread": _sorted(why.value for why in analysis.unread),
        "found": {name: found[name] for name in sorted(found)},
    }


def _destination(destination: Destination, candidate: Candidate) -> JSON:
    """Name who receives it and the papers it stands on; the bundle of that digest holds name and address in full."""
    papers: list[JSON] = [
        [each.kind, _document(each.doc), each.expires.strftime("%Y-%m-%d")]
        for each in sorted(destination.attest, key=lambda paper: (paper.kind, paper.doc))
        if not each.revoked
    ]
    fields: dict[str, JSON] = {
        "id": destination.id,
        "kind": candidate.kind.value,
        "form": candidate.form.name.lower(),
        "model": candidate.model,
        "country": destination.country,
        "region": destination.region,
        "recipient": _word(destination.legal_name),
        "attestations": papers,
    }
    return _without_empty(fields)


def _document(doc: str) -> str:
    """Return the digest or id of a paper as the bundle has it, or the digest of that string when it is neither."""
    return doc if PAPER.holds(doc) else f"sha256:{hashlib.sha256(doc.encode()).hexdigest()}"


def _word(text: str) -> str:
    """Turn a name or citation of the signed bundle into an id: "Art. 11, II, f" becomes ``art.11-ii-f``; "" if none."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    word = _NO_WORD.sub("-", folded).replace(".-", ".").strip("-.")[:96]
    return word if is_id(word) else ""


def _type(name: str) -> str:
    return name if name in EntityType.__members__ else "UNKNOWN"


def _by_type(counts: Mapping[EntityType, int]) -> dict[str, JSON]:
    return {str(kind): n for kind, n in counts.items() if n}


def _sorted(words: Iterable[str]) -> list[JSON]:
    return [*sorted(words)]


def _body(size_and_mac: tuple[int, bytes]) -> JSON:
    return {"n": size_and_mac[0], "mac": size_and_mac[1].hex()}


def _without_empty(fields: dict[str, JSON], *, keep: Iterable[str] = ()) -> dict[str, JSON]:
    """Leave out what says nothing, so that a short entry stays short; zero and false do say something."""
    kept = frozenset(keep)
    return {name: value for name, value in fields.items() if name in kept or value not in ("", [], {})}
