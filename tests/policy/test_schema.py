"""The JSON Schema takes what ships and refuses what the loader refuses; the shipped schemas are fresh."""

from __future__ import annotations

import json

import jsonschema
import pytest

from phigate.policy.schema import schemas
from phigate.policy.yamls import parse, plain
from phigate.store.bundles import shipped_folder
from tests.policy.making import DESTINATIONS, HIPAA, SITE, edit

KINDS = {SITE: "site", DESTINATIONS: "destinations", "examples.yaml": "examples", "policy.lock": "lock"}


def check(name: str, data: bytes) -> None:
    jsonschema.validate(plain(parse(data, file=name)), schemas()[KINDS.get(name, "regime")])


def test_every_shipped_file_fits_its_schema(shipped_files: dict[str, bytes]) -> None:
    for name, data in shipped_files.items():
        check(name, data)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (HIPAA, "tables:", "tabels:"),
        (HIPAA, "types: [AGE]", "types: [AEG]"),
        (HIPAA, "phi: none", "phi: nothing"),
        (SITE, "raw_under_baa: false", "raw_under_baa: true"),
        (DESTINATIONS, "country: SE", "country: Sweden"),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(
    name: str, old: str, new: str, shipped_files: dict[str, bytes]
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(name, edit(shipped_files, name, (old, new))[name])


def test_the_shipped_schemas_are_fresh() -> None:
    for name, schema in schemas().items():
        assert json.loads((shipped_folder() / "schema" / f"{name}.json").read_text("utf-8")) == schema
        jsonschema.Draft202012Validator.check_schema(schema)
