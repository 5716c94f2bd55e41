"""Which fields an entry of each kind has, and what each may hold; `check` refuses everything else.

This is the gate behind the promise that no text of a request is ever in the ledger (docs/ledger-format.md): the
appender calls `check` on every draft, whoever built it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phigate.analysis import Unread
from phigate.audit.record import Draft, Kind, Status
from phigate.audit.shapes import (
    BODY,
    CODE,
    COUNT,
    COUNTRY,
    DAY,
    DETECTOR,
    DIGEST,
    FLAG,
    HASH,
    ID,
    LANG,
    ORIGIN,
    PAPER,
    PROVIDER_ID,
    SAFE_INTEGER,
    SIGNATURE,
    TAG,
    TIME,
    UUID,
    VERSION,
    VKEY,
    Shape,
    list_of,
    number,
    one_of,
    record,
    row,
    table,
)
from phigate.errors import UnavailableError
from phigate.finding import EntityType
from phigate.policy.decision import DestinationKind, Form, Hold, Mode, Operator
from phigate.wire.parts import Attachments

TYPE: Final = one_of([*(each.value for each in EntityType), "UNKNOWN"])
FORM: Final = one_of([form.name.lower() for form in Form])
TOKENS: Final = one_of(["sent", "restored", "withheld", "lost", "invented"])
_HOLDS: Final = list_of(one_of([hold.value for hold in Hold]))

_DESTINATION: Final = record(
    {"id": ID, "kind": one_of([kind.value for kind in DestinationKind]), "form": FORM, "model": ID},
    {
        "country": COUNTRY,
        "region": ID,
        "recipient": ID,
        "attestations": list_of(row(CODE, PAPER, DAY)),
    },
)
_DECIDED: Final[dict[str, Shape]] = {
    "tenant": ID,
    "alias": ID,
    "purpose": CODE,
    "basis": list_of(ID),
    "ropa": ID,
    "policy": DIGEST,
    "regimes": list_of(row(ID, VERSION)),
    "rules": list_of(ID),
    "overrides": list_of(ID),
    "obligations": list_of(ID),
    "flags": list_of(ID),
    "tags": list_of(ID),
    "mode": one_of([mode.value for mode in Mode]),
    "forms": table(ID, FORM),
}
_DETECTED: Final[dict[str, Shape]] = {
    "detector": DETECTOR,
    "lang": list_of(LANG),
    "complete": FLAG,
    "unread": list_of(one_of([why.value for why in Unread])),
    "found": table(TYPE, row(COUNT, number(0, 10))),
}
_CALLER: Final[dict[str, Shape]] = {"app": ID, "actor": ID, "subj": list_of(row(CODE, TAG), limit=64)}

REQUIRED: Final[dict[Kind, dict[str, Shape]]] = {
    Kind.GENESIS: {"format": number(1, 1), "keyring": DIGEST},
    Kind.INTENT: {
        "app": ID,
        "detector": _DETECTED["detector"],
        "complete": FLAG,
        "found": _DETECTED["found"],
        "attachments": one_of([each.value for each in Attachments]),
        "policy": DIGEST,
        "regimes": _DECIDED["regimes"],
        "mode": _DECIDED["mode"],
        "forms": _DECIDED["forms"],
        "destination": _DESTINATION,
        "in": BODY,
    },
    Kind.OUTCOME: {
        "intent": record({"idx": COUNT, "leaf": HASH}, {"log": ORIGIN}),
        "status": one_of([status.value for status in Status]),
    },
    Kind.REFUSAL: {"reason": CODE, "count": number(1, SAFE_INTEGER)},
    Kind.HEARTBEAT: {"size": COUNT, "root": HASH},
    Kind.CONFIG: {"policy": DIGEST},
    Kind.KEY: {"op": one_of(["add", "retire"]), "role": one_of(["record", "checkpoint"]), "vkey": VKEY},
    Kind.ACCESS: {"actor": ID, "what": CODE},
    Kind.EXPORT: {"actor": ID, "size": COUNT, "root": HASH},
    Kind.ERASURE: {"request": ID, "article": ID, "count": COUNT},
    Kind.CLOCK: {"seen": TIME, "before": TIME},
    Kind.LOSS: {"count": number(1, SAFE_INTEGER), "since": TIME, "until": TIME},
    Kind.RESTORE: {"origin": ORIGIN, "size": COUNT, "root": HASH, "restored": COUNT, "actor": ID},
    Kind.ANCHOR: {"type": CODE, "size": COUNT, "root": HASH},
    Kind.SEGMENT_CLOSE: {"next": ORIGIN},
    Kind.HOLD: {"segment": ORIGIN, "op": one_of(["place", "release"]), "case": ID, "actor": ID},
    Kind.DESTRUCTION: {"segment": ORIGIN, "size": COUNT, "root": HASH, "last": TIME, "checkpoint": DIGEST, "actor": ID},
    Kind.BREAK_GLASS: {"app": ID, "actor": ID, "reason": CODE, "until": TIME},
    Kind.REVIEW: {"actor": ID, "idx": COUNT, "verdict": CODE},
    Kind.SHADOW: {"app": ID, "policy": DIGEST, "mode": _DECIDED["mode"]},
}
OPTIONAL: Final[dict[Kind, dict[str, Shape]]] = {
    Kind.GENESIS: {
        "software": ID,
        "previous": record({"origin": ORIGIN, "size": COUNT, "root": HASH}, {"restored": COUNT, "lost": COUNT}),
    },
    Kind.INTENT: {
        **_CALLER,
        **_DECIDED,
        **_DETECTED,
        "operators": table(TYPE, table(one_of([each.value for each in Operator]), COUNT)),
        "residual": record(
            {"clean": FLAG, "passes": number(0, 100), "types_left": list_of(TYPE)}, {"readers": list_of(ID)}
        ),
        "inherited": _HOLDS,
        "dropped": COUNT,
        "tables": list_of(row(CODE, ID, DIGEST)),
    },
    Kind.OUTCOME: {
        "http": number(0, 599),
        "sent": BODY,
        "out": BODY,
        "tokens": table(TOKENS, COUNT),
        "miss": table(TYPE, COUNT),
        "found": table(TYPE, COUNT),
        "latency_ms": COUNT,
        "provider_request": PROVIDER_ID,
        "model": ID,
        "usage": record({"completion": COUNT}, {"prompt": COUNT, "cached": COUNT, "estimated": FLAG}),
        "by": one_of(["reconciler"]),
    },
    Kind.REFUSAL: {
        **_CALLER,
        **_DECIDED,
        **_DETECTED,
        "attachments": one_of([each.value for each in Attachments]),
        "inherited": _HOLDS,
    },
    Kind.HEARTBEAT: {"open": COUNT, "queue": COUNT, "settled": COUNT},
    Kind.CONFIG: {"signed_by": list_of(ID), "files": number(0, 10_000), "software": ID, "previous": DIGEST},
    Kind.KEY: {"why": CODE},
    Kind.ACCESS: {"from": COUNT, "to": COUNT, "rid": UUID},
    Kind.EXPORT: {"from": COUNT, "digest": DIGEST, "segment": ORIGIN},
    Kind.CLOCK: {"why": CODE},
    Kind.LOSS: {"seqs": list_of(row(COUNT, COUNT)), "why": CODE},
    Kind.RESTORE: {"lost": COUNT},
    Kind.ANCHOR: {"digest": DIGEST},
    Kind.SEGMENT_CLOSE: {"why": CODE},
    Kind.DESTRUCTION: {"archive": DIGEST},
    Kind.BREAK_GLASS: {"role": ID, "form": FORM, "review_by": TIME, "policy": DIGEST},
    Kind.REVIEW: {"leaf": HASH, "role": ID, "key": HASH, "sig": SIGNATURE},
    Kind.SHADOW: {"rules": list_of(ID), "forms": _DECIDED["forms"], "shade": CODE},
}
_KNOWN: Final[dict[Kind, Mapping[str, Shape]]] = {
    kind: {**OPTIONAL.get(kind, {}), **required} for kind, required in REQUIRED.items()
}
_ATTEMPT: Final = number(0, 100)
_ABOUT_AN_EXCHANGE: Final = frozenset({Kind.INTENT, Kind.OUTCOME})


def check(draft: Draft) -> None:
    """Raise `UnavailableError` (code ``entry_refused``) unless every field is known, needed ones stand, all fit.

    The message names the field and what was expected, never the value.
    """
    required = REQUIRED[draft.kind]
    known = _KNOWN[draft.kind]
    for name in required:
        if name not in draft.fields:
            raise _refused(draft.kind, name, "expected it, found none")
    for name, value in draft.fields.items():
        shape = known.get(name)
        if shape is None:
            raise _refused(draft.kind, "", "expected known fields only, found another")
        if not shape.holds(value):
            raise _refused(draft.kind, name, f"expected {shape.says}")
    _check_exchange(draft)


def _check_exchange(draft: Draft) -> None:
    """Intent and outcome name an exchange and an attempt; others may name an exchange."""
    if draft.rid and not UUID.holds(draft.rid):
        raise _refused(draft.kind, "rid", f"expected {UUID.says}")
    if draft.kind in _ABOUT_AN_EXCHANGE and not draft.rid:
        raise _refused(draft.kind, "rid", "expected the id of the exchange, found none")
    if not _ATTEMPT.holds(draft.attempt) or (draft.kind in _ABOUT_AN_EXCHANGE and draft.attempt == 0):
        raise _refused(draft.kind, "attempt", "expected a count from 1 to 100")
    if draft.attempt and not draft.rid:
        raise _refused(draft.kind, "attempt", "expected it beside the id of an exchange only")


def _refused(kind: Kind, name: str, problem: str) -> UnavailableError:
    where = f"field {name} of " if name else ""
    return UnavailableError(f"{where}{kind.value} entry: {problem}", code="entry_refused")
