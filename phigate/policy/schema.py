"""JSON Schema (2020-12) of the policy files, for editors: completion and early errors. The loader decides.

Made from the loader's own key lists and words, so that the two cannot drift apart.
"""

from __future__ import annotations

from typing import Final

from phigate.finding import EntityClass, EntityType
from phigate.policy import cases, destination_file, lock, regime_file, site_file
from phigate.policy.decision import DestinationKind, Operator
from phigate.policy.words import (
    BASES,
    FLAGS,
    HANDLED,
    HUMAN,
    LANGUAGES,
    METHODS,
    MODES,
    ON_PAPER,
    PAPERS,
    PURPOSES,
    ROLES,
    TAGS,
)
from phigate.wire.parts import Need

Schema = dict[str, object]
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_DATE: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$"}
_DIGEST: Final[Schema] = {"type": "string", "pattern": "^sha256:[0-9a-f]{4,64}$"}
_COUNTRY: Final[Schema] = {"type": "string", "pattern": "^[A-Z]{2}$"}
_TYPES: Final = [t.value for t in EntityType]
_OPERATORS: Final = [o.value for o in Operator]


def _word(*words: str) -> Schema:
    return {"enum": list(words)}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "uniqueItems": True}


def _rows(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _table(item: Schema, names: list[str] | None = None) -> Schema:
    table: Schema = {"type": "object", "additionalProperties": item}
    if names is not None:
        table["propertyNames"] = {"enum": names}
    return table


def _object(keys: tuple[str, ...], known: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """Return a closed object of these keys; a key without a schema of its own takes anything."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: known.get(key, {}) for key in keys},
        "required": list(required),
    }


def schemas() -> dict[str, Schema]:
    """Return the schema of each kind of file by its name: regime, destinations, examples, site, lock."""
    kinds = {
        "regime": _regime(),
        "destinations": _destinations("destinations/v1"),
        "examples": _destinations("examples/v1"),
        "site": _site(),
        "lock": _lock(),
    }
    return {name: {"$schema": DRAFT, "title": f"phigate {name} file", **schema} for name, schema in kinds.items()}


def _to() -> dict[str, Schema]:
    return {"any": _FLAG, "has": _list(_word(*PAPERS)), "transfer_ok": _FLAG}


def _regime() -> Schema:
    keys = regime_file.KEYS
    mode = _object(keys["mode"], {"mode": _word("keep_onprem", "block")}, ("mode",))
    countries = _list(_COUNTRY)
    return _object(
        keys["file"],
        {
            "phigate": _word("regime/v1"),
            "regime": _head(),
            "tables": _object(keys["tables"], {"zip3": _word(*regime_file.ZIP3), "ages": _word("hipaa-89")}),
            "legal_basis": _table(_TEXT, list(BASES)),
            "transfer": _object(
                keys["transfer"],
                {"free": countries, "adequate": countries, "else_any": _list(_word(*PAPERS)), "cite": _TEXT},
                ("cite",),
            ),
            "retention": _object(
                keys["retention"], {"min_days": _COUNT, "max_days": _COUNT, "cite": _TEXT}, ("min_days",)
            ),
            "entities": _rows(_entity()),
            "residual": _residual(),
            "token": _object(keys["token"], {"scope": _word("conversation", "request"), "source": _word("random")}),
            "date_shift": _object(
                keys["date_shift"],
                {
                    "key": _word("per_subject"),
                    "range_days": {"type": "integer", "minimum": 1, "maximum": 3660},
                    "keep_weekday": _FLAG,
                    "fallback_without_subject": _word("year", "redact"),
                },
                ("range_days",),
            ),
            "default": mode,
            "on_error": mode,
            "human_duties": _list(_word(*HUMAN)),
            "rules": _rows(_rule()),
            "changelog": _rows(_object(keys["change"], {"version": _TEXT, "change": _TEXT}, keys["change"])),
            "tests": _rows(_case()),
        },
        ("phigate", "regime", "retention", "entities", "default", "on_error", "rules"),
    )


def _head() -> Schema:
    keys = regime_file.KEYS
    return _object(
        keys["regime"],
        {
            "id": _TEXT,
            "version": _TEXT,
            "effective": _DATE,
            "owner": _TEXT,
            "method": _word(*METHODS),
            "expert": _object(keys["expert"], {"doc": _DIGEST, "expires": _DATE}, keys["expert"]),
        },
        ("id", "version", "effective", "owner", "method"),
    )


def _entity() -> Schema:
    languages = ("default", *LANGUAGES)
    return _object(
        regime_file.KEYS["entity"],
        {
            "types": _list(_word(*_TYPES)),
            "class": _word(*(c.value for c in EntityClass)),
            "threshold": _object(languages, dict.fromkeys(languages, _SHARE), ("default",)),
            "transform": _word(*_OPERATORS),
            "cite": _TEXT,
        },
        regime_file.KEYS["entity"],
    )


def _residual() -> Schema:
    return _object(
        regime_file.KEYS["residual"],
        {
            "factor": {"type": "number", "minimum": 0.1, "maximum": 1},
            "detectors": _word("other_set"),
            "vault_exact": {"const": True},
            "max_quasi_types": {"type": "integer", "minimum": 0, "maximum": 3},
            "on_dirty": _word("keep_onprem"),
            "reader": _TEXT,
        },
        ("factor", "max_quasi_types"),
    )


def _rule() -> Schema:
    keys = regime_file.KEYS
    when = _object(
        keys["when"],
        {
            "phi": _word("any", "none"),
            "purpose_in": _list(_word(*PURPOSES)),
            "tag_any": _list(_TEXT),
            "finding_any": _list(_word(*_TYPES)),
            "attachments": _word("uncleaned"),
            "detection": _word("incomplete"),
            "site_flag": _word(*FLAGS),
        },
    )
    return _object(
        keys["rule"],
        {
            "id": _TEXT,
            "effect": _word("permit", "limit"),
            "mode": _word(*MODES),
            "when": when,
            "to": _object(keys["to"], _to()),
            "floor": _FLAG,
            "obligations": _list(_word(*HANDLED, *HUMAN)),
            "cite": _TEXT,
        },
        ("id", "effect", "mode", "when", "cite"),
    )


def _case() -> Schema:
    return _object(cases.KEYS, {"name": _TEXT, "at": _DATE}, ("name",))


def _destinations(version: str) -> Schema:
    keys = destination_file.KEYS
    paper = _object(
        keys["attestation"],
        {
            "doc": _DIGEST,
            "signed": _DATE,
            "expires": _DATE,
            "covers": _list(_TEXT),
            "revoked": _FLAG,
            "days": _COUNT,
        },
        ("doc", "signed", "expires", "covers"),
    )
    model = _object(
        keys["model"], {"name": _TEXT, "can": _list(_word(*(n.value for n in Need))), "context": _COUNT}, ("name",)
    )
    destination = _object(
        keys["destination"],
        {
            "kind": _word(*(k.value for k in DestinationKind)),
            "endpoint": {"type": "string", "pattern": "^https?://"},
            "provider": _TEXT,
            "models": {"type": "array", "items": {"anyOf": [_TEXT, model]}, "minItems": 1},
            "legal_entity": _object(keys["legal_entity"], {"name": _TEXT, "address": _TEXT}, keys["legal_entity"]),
            "country": _COUNTRY,
            "region": _TEXT,
            "region_pinned": _FLAG,
            "attest": _table(paper, list(PAPERS)),
            "fields": _list(_TEXT),
            "covers": _list(_word(*ON_PAPER)),
            "secret": _TEXT,
            "replicas": _list({"type": "string", "pattern": "^https?://"}),
            "mtls": _object(keys["mtls"], {"ca": _TEXT, "ca_digest": _DIGEST, "client_secret": _TEXT}, keys["mtls"]),
        },
        ("kind", "endpoint", "models"),
    )
    file_keys = keys["file"] if version.startswith("destinations") else (*keys["file"], "test_clock")
    return _object(
        file_keys,
        {"phigate": _word(version), "test_clock": _DATE, "destinations": _table(destination)},
        file_keys,
    )


def _site() -> Schema:
    keys = site_file.KEYS
    match = _object(keys["match"], {"tenant": _TEXT, "app": _TEXT})
    approval = _object(keys["flag"], {"approved_by": _word(*ROLES), "expires": _DATE, "ticket": _TEXT}, keys["flag"])
    names = _list(_TEXT)
    return _object(
        keys["file"],
        {
            "phigate": _word("site/v1"),
            "test_clock": _DATE,
            "apps": _table(_app()),
            "bind": _rows(_object(keys["bind"], {"match": match, "regimes": names}, keys["bind"])),
            "unbound": _word("all_regimes"),
            "aliases": _table({"type": "array", "items": {"type": "string", "pattern": "^[^/]+/.+$"}, "minItems": 1}),
            "flags": _table({"anyOf": [{"const": False}, approval]}, list(FLAGS)),
            "tags": names,
            "detector": _detector(),
            "reply": _word("stream", "hold"),
            "restore_in_urls": names,
            "overrides": _rows(_override(match)),
            "break_glass": _break_glass(),
            "context_keys": _rows(
                _object(
                    keys["context_key"],
                    {"kid": _TEXT, "key": {"type": "string", "pattern": "^ed25519:"}, "issuer": _TEXT, "apps": names},
                    keys["context_key"],
                )
            ),
            "max_stale_hours": {"type": "integer", "minimum": 1, "maximum": 720},
            "tests": _rows(_case()),
        },
        ("phigate", "test_clock", "apps", "aliases"),
    )


def _detector() -> Schema:
    keys, names = site_file.KEYS, _list(_TEXT)
    return _object(
        keys["detector"],
        {
            "knob": _word("recall", "balanced"),
            "allow": names,
            "deny": _rows(_object(keys["deny"], {"text": _TEXT, "type": _word(*_TYPES)}, keys["deny"])),
            "part_timeout_s": {"type": "number", "minimum": 0.05, "maximum": 60},
            "detector_down": _word("refuse", "onprem"),
            "rescan": _word("second_set"),
        },
    )


def _break_glass() -> Schema:
    names = _list(_TEXT)
    return _object(
        site_file.KEYS["break_glass"],
        {
            "roles": names,
            "reasons": _list({"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}),
            "ttl_minutes": {"type": "integer", "minimum": 1, "maximum": 1440},
            "max_steps": {"const": 1},
            "never_above": _word("floor"),
            "review_hours": {"type": "integer", "minimum": 1, "maximum": 72},
            "notify": names,
        },
        ("roles", "reasons", "ttl_minutes", "review_hours"),
    )


def _app() -> Schema:
    keys, names = site_file.KEYS, _list(_TEXT)
    return _object(
        keys["app"],
        {
            "tenant": _TEXT,
            "purpose": _word(*PURPOSES),
            "tags": _list({"anyOf": [_word(*TAGS), _TEXT]}),
            "tags_required": _FLAG,
            "regimes": names,
            "aliases": names,
            "default_alias": _TEXT,
            "strict_models": _FLAG,
            "limits": _object(
                keys["limits"], {"requests_per_minute": _COUNT, "concurrent": _COUNT, "queue_share": _SHARE}
            ),
        },
        ("tenant",),
    )


def _override(match: Schema) -> Schema:
    keys = site_file.KEYS
    return _object(
        keys["override"],
        {
            "id": _TEXT,
            "match": match,
            "limit": _word("send_scrubbed", "keep_onprem", "block"),
            "transform": _table(_word(*_OPERATORS), _TYPES),
            "threshold": _table(_SHARE, _TYPES),
            "accept": _object(keys["accept"], {"rule": _TEXT, **_to()}, ("rule",)),
            "lift": _list(_TEXT),
            "reason": _TEXT,
            "widen": _FLAG,
            "approved_by": _word(*ROLES),
            "expires": _DATE,
            "ticket": _TEXT,
        },
        ("id", "match"),
    )


def _lock() -> Schema:
    signature = _object(lock.KEYS["signature"], {"role": _word(*ROLES, lock.DEVELOPMENT)}, lock.KEYS["signature"])
    return _object(
        lock.KEYS["file"],
        {"phigate": _word("lock/v1"), "effective": _DATE, "files": _table(_DIGEST), "signatures": _rows(signature)},
        lock.KEYS["file"],
    )
