"""JSON Schema documents inside a body: what their strings are, and how they make room for surrogates.

Keywords follow JSON Schema 2020-12 and the drafts still in use (04, 07, 2019-09). Property names are names of the
app's; keywords are structure. A keyword with an unforeseen type of value is scanned as free JSON, never refused: what a
schema means is the model server's business.
"""

from __future__ import annotations

from dataclasses import replace

from phigate.wire.spec import BOOLEAN, FREE, NUMBER, Leaf, Members, Spec, name, text, word
from phigate.wire.strict import JSON

_TYPES = word("string number integer boolean object array null", "a JSON Schema type").string
_FORMATS = word(
    "date-time date time duration email idn-email hostname idn-hostname ipv4 ipv6 uri uri-reference iri iri-reference"
    " uri-template uuid json-pointer relative-json-pointer regex int32 int64 float double byte binary password",
    "a format named by JSON Schema or OpenAPI",
).string
_DIALECTS = word(
    "http://json-schema.org/draft-04/schema# http://json-schema.org/draft-06/schema#"
    " http://json-schema.org/draft-07/schema# http://json-schema.org/draft-07/schema"
    " https://json-schema.org/draft/2019-09/schema https://json-schema.org/draft/2020-12/schema",
    "the address of a published JSON Schema dialect",
).string

_fields: dict[str, Spec] = {}
SCHEMA = Spec(object=Members(_fields, foreign=False), boolean=True, lenient=True)


def _lenient(spec: Spec) -> Spec:
    return replace(spec, lenient=True)


# Providers take [A-Za-z0-9_.-] in names of properties, which holds no surrogate.
_NAMED = _lenient(Spec(object=Members(others=SCHEMA, foreign=False, names=True)))
_LISTED = _lenient(Spec(array=SCHEMA))
_NAMES = _lenient(Spec(array=_lenient(name())))

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLES = (
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
)
_TEXTS = (
    "title",
    "description",
    "$comment",
    "$ref",
    "$id",
    "id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "pattern",
)
_FREE = ("enum", "const", "default", "examples", "example")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "maxContains")
_FLAGS = ("uniqueItems", "deprecated", "readOnly", "writeOnly", "nullable")

_fields.update(
    {
        "type": _lenient(Spec(string=_TYPES, array=Spec(string=_TYPES, lenient=True))),
        "format": _lenient(Spec(string=_FORMATS)),
        "$schema": _lenient(Spec(string=_DIALECTS)),
        "required": _NAMES,
        "dependentRequired": _lenient(Spec(object=Members(others=_NAMES, foreign=False, names=True))),
        "items": _lenient(Spec(object=SCHEMA.object, array=SCHEMA, boolean=True)),
        "contentEncoding": _lenient(text()),
        "contentMediaType": _lenient(text()),
        **dict.fromkeys(_MAPS, _NAMED),
        **dict.fromkeys(_LISTS, _LISTED),
        **dict.fromkeys(_SINGLES, SCHEMA),
        **dict.fromkeys(_TEXTS, _lenient(Spec(string=Leaf()))),
        **dict.fromkeys(_FREE, FREE),
        **dict.fromkeys((*_COUNTS, *_BOUNDS), _lenient(NUMBER)),
        **dict.fromkeys(_FLAGS, _lenient(BOOLEAN)),
    }
)


def make_room(schema: JSON) -> None:
    """Change a schema in place so that a model can write a surrogate wherever it would have written the value.

    Patterns, formats and length limits of strings go. An integer may also be a string, since identifiers are often
    declared as integers and a model held to the type would have to invent one; so may any number whose own enum,
    const, default or examples now hold a surrogate (decisions 9).
    """
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type")
    if kinds not in ("integer", "number"):
        schema.pop("format", None)
    for keyword in ("pattern", "minLength", "maxLength"):
        schema.pop(keyword, None)
    _widen(schema, kinds)
    for below in _subschemas(schema):
        make_room(below)


def _widen(schema: dict[str, JSON], kinds: JSON) -> None:
    listed = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    if "string" in listed or not ("integer" in listed or "number" in listed):
        return
    closed = "enum" in schema or "const" in schema
    if _has_text(schema) or ("integer" in listed and not closed):
        schema["type"] = [*listed, "string"]


def _has_text(schema: dict[str, JSON]) -> bool:
    values: list[JSON] = [schema.get("const"), schema.get("default")]
    for keyword in ("enum", "examples"):
        several = schema.get(keyword)
        values.extend(several if isinstance(several, list) else [])
    return any(isinstance(value, str) for value in values)


def _subschemas(schema: dict[str, JSON]) -> list[JSON]:
    found: list[JSON] = [schema.get(keyword) for keyword in _SINGLES]
    for keyword in _MAPS:
        named = schema.get(keyword)
        found.extend(named.values() if isinstance(named, dict) else [])
    for keyword in (*_LISTS, "items"):
        several = schema.get(keyword)
        found.extend(several if isinstance(several, list) else [several])
    return found
