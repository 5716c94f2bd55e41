"""Schemas: keywords are structure, everything else is scanned, and surrogates fit where values did."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from phigate.wire.json_schema import SCHEMA, make_room
from phigate.wire.parts import Limits, PartKind
from phigate.wire.spec import Members, Spec
from phigate.wire.strict import JSON, dump, load
from phigate.wire.walk import Walker

TOKEN = "[[PERSON_1]]"


def walk(schema: Any) -> list[tuple[str, str, PartKind]]:
    walker = Walker(limits=Limits(), known=frozenset())
    walker.body({"s": load(json.dumps(schema).encode(), limits=Limits())}, Spec(object=Members({"s": SCHEMA})))
    return [(part.pointer.removeprefix("/s"), part.text.reveal(), part.kind) for part in walker.parts]


def room(schema: Any) -> Any:
    tree: JSON = load(json.dumps(schema).encode(), limits=Limits())
    make_room(tree)
    return json.loads(dump(tree))


def test_keywords_types_formats_and_dialects_are_structure() -> None:
    assert (
        walk(
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": ["object", "null"],
                "format": "date-time",
                "minLength": 3,
                "uniqueItems": True,
                "additionalProperties": False,
                "items": [{"type": "string"}, True],
            }
        )
        == []
    )


def test_property_names_are_names_and_words_are_text() -> None:
    assert walk(
        {
            "properties": {"Ana Prado": {"description": "her record", "enum": ["a", 12345678]}},
            "required": ["Ana Prado"],
            "dependentRequired": {"x": ["y"]},
            "type": "Ana",
            "format": "cpf",
            "x-ward": {"k": "v"},
        }
    ) == [
        ("/properties/Ana Prado", "Ana Prado", PartKind.NAME),
        ("/properties/Ana Prado/description", "her record", PartKind.TEXT),
        ("/properties/Ana Prado/enum/0", "a", PartKind.TEXT),
        ("/properties/Ana Prado/enum/1", "12345678", PartKind.NUMBER),
        ("/required/0", "Ana Prado", PartKind.NAME),
        ("/dependentRequired/x", "x", PartKind.NAME),
        ("/dependentRequired/x/0", "y", PartKind.NAME),
        ("/type", "Ana", PartKind.TEXT),
        ("/format", "cpf", PartKind.TEXT),
        ("/x-ward", "x-ward", PartKind.KEY),
        ("/x-ward/k", "k", PartKind.KEY),
        ("/x-ward/k", "v", PartKind.TEXT),
    ]


@pytest.mark.parametrize("keyword", ["properties", "required", "type", "items", "allOf", "minimum", "title", "$ref"])
def test_a_keyword_with_an_unforeseen_value_is_scanned_and_not_refused(keyword: str) -> None:
    for value in ("Ana Prado", {"k": "Ana Prado"}, ["Ana Prado"], [["Ana Prado"]]):
        assert "Ana Prado" in [text for _, text, _ in walk({keyword: value})]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"type": "string", "pattern": "x", "format": "date", "minLength": 1, "maxLength": 2, "title": "t"},
            {"type": "string", "title": "t"},
        ),
        (
            {"type": "integer", "format": "int32", "minimum": 1},
            {"type": ["integer", "string"], "format": "int32", "minimum": 1},
        ),
        ({"type": ["integer", "null"]}, {"type": ["integer", "null", "string"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "integer", "const": 1}, {"type": "integer", "const": 1}),
        ({"type": "integer", "enum": [TOKEN, 2]}, {"type": ["integer", "string"], "enum": [TOKEN, 2]}),
        ({"type": "number"}, {"type": "number"}),
        ({"type": "number", "default": TOKEN}, {"type": ["number", "string"], "default": TOKEN}),
        ({"type": "number", "const": TOKEN}, {"type": ["number", "string"], "const": TOKEN}),
        ({"type": "number", "examples": [TOKEN]}, {"type": ["number", "string"], "examples": [TOKEN]}),
        ({"type": ["string", "integer"]}, {"type": ["string", "integer"]}),
        ({"type": 5, "enum": 7}, {"type": 5, "enum": 7}),
        (True, True),
    ],
)
def test_room_is_made_for_surrogates(before: Any, after: Any) -> None:
    assert room(before) == after


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"properties": {"pattern": s}},
        lambda s: {"patternProperties": {"^a": s}},
        lambda s: {"$defs": {"maxLength": s}},
        lambda s: {"definitions": {"d": s}},
        lambda s: {"dependentSchemas": {"d": s}},
        lambda s: {"allOf": [s]},
        lambda s: {"anyOf": [True, s]},
        lambda s: {"oneOf": [s]},
        lambda s: {"prefixItems": [s]},
        lambda s: {"items": s},
        lambda s: {"items": [s]},
        lambda s: {"additionalProperties": s},
        lambda s: {"not": s},
        lambda s: {"if": s, "then": s, "else": s},
        lambda s: {"contains": s},
        lambda s: {"propertyNames": s},
        lambda s: {"unevaluatedItems": s, "unevaluatedProperties": s, "additionalItems": s},
        lambda s: {"properties": {"a": {"items": {"anyOf": [s]}}}},
    ],
)
def test_room_is_made_at_every_depth(wrap: Any) -> None:
    assert room(wrap({"type": "string", "pattern": "^[0-9]{11}$"})) == wrap({"type": "string"})


def test_a_surrogate_meets_the_schema_that_its_value_met() -> None:
    schema = {
        "type": "object",
        "properties": {
            "mrn": {"type": "integer", "minimum": 1_000_000},
            "name": {"type": "string", "pattern": "^[A-Z][a-z]+ [A-Z][a-z]+$", "maxLength": 10},
            "born": {"type": "string", "format": "date"},
        },
        "required": ["mrn", "name", "born"],
    }
    jsonschema.validate({"mrn": 20456789, "name": "Ana Prado", "born": "1949-02-11"}, schema)
    tokens = {"mrn": "[[MRN_1]]", "name": "[[PERSON_1.2]]", "born": "[[DATE_2+12d]]"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tokens, schema)
    jsonschema.validate(tokens, room(schema))
