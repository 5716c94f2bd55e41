"""What a pointer says of the value that stands there."""

import pytest

from phigate.wire.parts import PartKind, labels

_SCHEMA = "/tools/0/function/parameters"


@pytest.mark.parametrize(
    ("pointer", "kind", "told"),
    [
        ("/messages/0/tool_calls/0/function/arguments#/patient/mrn", PartKind.TEXT, ("mrn", "patient")),
        ("/messages/0/tool_calls/0/function/arguments#/mrns/0/1", PartKind.NUMBER, ("mrn", "")),
        ("/messages/0/content#/mrns", PartKind.TEXT, ("mrns", "")),
        ("/messages/0/content#/cns/0", PartKind.TEXT, ("cns", "")),
        ("/messages/0/content#/address/0", PartKind.TEXT, ("address", "")),
        ("/messages/0/content#/a~1b/c~0d", PartKind.TEXT, ("c~d", "a/b")),
        ("/messages/0/content#/rows#/cpf", PartKind.TEXT, ("cpf", "")),
        ("/messages/0/content#/0", PartKind.TEXT, ("", "")),
        ("/messages/0/content#/mrn", PartKind.KEY, ("", "")),
        ("/messages/0/content", PartKind.TEXT, ("", "")),
        ("/messages/0/content/0/text", PartKind.TEXT, ("", "")),
        ("/messages/0/name", PartKind.NAME, ("", "")),
        ("/metadata/birthDate", PartKind.TEXT, ("birthDate", "metadata")),
        ("/seed", PartKind.NUMBER, ("seed", "")),
        (f"{_SCHEMA}/properties/mrn/const", PartKind.TEXT, ("mrn", "")),
        (f"{_SCHEMA}/properties/mrn/enum/3", PartKind.NUMBER, ("mrn", "")),
        (f"{_SCHEMA}/properties/mrn/exclusiveMinimum", PartKind.NUMBER, ("mrn", "")),
        (f"{_SCHEMA}/properties/mrn/description", PartKind.TEXT, ("", "")),
        (f"{_SCHEMA}/properties/mrn", PartKind.NAME, ("", "")),
        ("/response_format/json_schema/schema/properties/a~1b/default", PartKind.TEXT, ("a/b", "")),
    ],
)
def test_a_leaf_is_told_by_its_key(pointer: str, kind: PartKind, told: tuple[str, str]) -> None:
    assert labels(pointer, kind) == told
