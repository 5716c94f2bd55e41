"""Values in JSON and XML by key and path; FHIR's element names are known in both.

Nothing is parsed strictly: text around, cut-off documents and broken quotes still give hints up to where they break.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.labels import kinds_of_key
from phigate.analyzers.layers import Hint

_JSON_TOKEN: Final = re.compile(
    r'"((?:[^"\\\n]|\\.){0,4000}+)"(\s{0,8}+:)?|([{}\[\]])|(?<=[:\[, ])(-?\d[\d.]{2,40})(?=[,\s}\]])'
)
_XML_ELEMENT: Final = re.compile(r"<([A-Za-z][\w:.-]{0,60}+)([^<>]{0,2000}+)>(?:([^<]{1,2000}+)(?=</))?")
_XML_ATTRIBUTE: Final = re.compile(r"([A-Za-z][\w:.-]{0,40}+)\s?=\s?(?:\"([^\"<]{1,500})\"|'([^'<]{1,500})')")
_NOTHING: Final = frozenset(
    [
        "null",
        "none",
        "true",
        "false",
        "n/a",
        "na",
        "nil",
        "unknown",
        "unk",
        "undefined",
        "male",
        "female",
        "m",
        "f",
        "other",
        "official",
        "usual",
        "home",
        "work",
        "mobile",
        "temp",
        "old",
        "maiden",
        "nickname",
        "phone",
        "email",
        "fax",
        "pager",
        "postal",
        "physical",
        "both",
        "active",
        "final",
        "yes",
        "no",
        "sim",
        "nao",
        "si",
        "oui",
        "ja",
    ]
)
# FHIR and CDA elements, by name alone or by parent and name, folded without separators.
_BY_NAME: Final = {
    "family": "person", "given": "person", "line": "street", "streetaddressline": "street", "streetname": "street",
    "housenumber": "street", "city": "city", "district": "county", "state": "location", "postalcode": "zip", "country": "location",
    "birthdate": "dob", "birthtime": "dob", "deceaseddatetime": "date", "effectivetime": "date", "authoredon": "date",
    "recordeddate": "date", "effectivedatetime": "date", "onsetdatetime": "date", "issued": "date", "lastupdated": "date",
    "performeddatetime": "date", "start": "date", "end": "date", "time": "date", "date": "date", "suffix": "person",
    "serialnumber": "device", "lotnumber": "device", "deviceidentifier": "device", "udicarrier": "device", "carrierhrf": "device",
    "sub": "id", "mothersmaidenname": "relative",
}  # fmt: skip
_BY_PARENT: Final = {
    ("name", "text"): "person", ("identifier", "value"): "id", ("telecom", "value"): "phone", ("contact", "value"): "phone",
    ("address", "text"): "street", ("subject", "display"): "person", ("patient", "display"): "person",
    ("performer", "display"): "clinician", ("practitioner", "display"): "clinician", ("author", "display"): "clinician",
    ("requester", "display"): "clinician", ("recorder", "display"): "clinician", ("asserter", "display"): "clinician",
    ("individual", "display"): "clinician", ("generalpractitioner", "display"): "clinician", ("participant", "display"): "clinician",
    ("managingorganization", "display"): "org", ("serviceprovider", "display"): "org", ("organization", "display"): "org",
    ("subject", "reference"): "reference", ("patient", "reference"): "reference", ("performer", "reference"): "reference",
    ("encounter", "reference"): "reference", ("id", "extension"): "id", ("telecom", "use"): "",
    ("period", "start"): "date", ("period", "end"): "date", ("location", "display"): "org", ("actor", "display"): "clinician",
    ("beneficiary", "display"): "person", ("subscriber", "display"): "person", ("payor", "display"): "org",
    ("policyholder", "display"): "person",
}  # fmt: skip
_SILENT: Final = frozenset(
    [
        "system",
        "code",
        "coding",
        "use",
        "type",
        "status",
        "version",
        "resourcetype",
        "valuesystem",
        "unit",
        "profile",
        "versionid",
        "rank",
        "language",
        "mode",
    ]
)
_CARERS: Final = frozenset({"practitioner", "provider", "doctor", "physician"})
_PATIENTS: Final = frozenset({"", "patient", "person", "contact"})


def _plain(key: str) -> str:
    return "".join(c for c in key.lower() if c.isalnum())


def kind_of(key: str, parent: str, value: str) -> str:
    """Return the kind of a value under a key and its parent key, "" where neither says anything."""
    name, above = _plain(key), _plain(parent)
    known = _BY_PARENT.get((above, name))
    if known is None and name in _SILENT:
        known = ""
    if known is None:
        known = _BY_NAME.get(name)
    if known is None and name == "name":
        known = "clinician" if above in _CARERS else "person" if above in _PATIENTS else ""
    if known is None:
        kinds = kinds_of_key(key)
        known = next((kind for kind in PREFERENCE if kind in kinds), "")
    return "email" if known == "phone" and "@" in value else known


# Where a key may mean several kinds, the first that stands here.
PREFERENCE: Final = (
    "cpf", "cnpj", "cns", "rg", "pis", "titulo", "cnh", "certidao", "crm", "renavam", "ssn", "npi", "mrn", "dob", "age", "zip", "fax", "phone",
    "email", "ip", "mac", "relative", "clinician", "person", "street", "city", "county", "location", "plan", "card", "account", "license",
    "vehicle", "device", "case", "username", "id", "org", "date", "url",
)  # fmt: skip


def _worth(value: str) -> bool:
    return any(c.isalnum() for c in value) and value.strip().lower() not in _NOTHING


def json_hints(text: str) -> list[Hint]:
    """Return hints for values of objects; a list passes its key on to its members."""
    hints: list[Hint] = []
    stack: list[str] = []  # keys of the enclosing objects, "" for lists and for the outermost
    key = ""
    for match in _JSON_TOKEN.finditer(text):
        string, colon, bracket, number = match.groups()
        if bracket is not None:
            if bracket in "{[":
                if len(stack) < 200:
                    stack.append(key)
                key = key if bracket == "[" else ""
            else:
                key = stack.pop() if stack else ""
                if bracket == "}" and stack:
                    key = key or stack[-1]
            continue
        if string is not None and colon is not None:
            key = string[:80]
            continue
        value = string if string is not None else number
        if not key or not value or not _worth(value):
            continue
        parent = next((k for k in reversed(stack) if k and k != key), "")
        kind = kind_of(key, parent, value)
        if kind:
            start = match.start(1) if string is not None else match.start(4)
            hints.append(Hint(start, start + len(value), kind))
    return hints


def xml_hints(text: str) -> list[Hint]:
    """Return hints for element contents and for attributes called value, extension, or by a telling name."""
    hints: list[Hint] = []
    parents: list[str] = []
    for match in _XML_ELEMENT.finditer(text):
        tag = match.group(1).rsplit(":", 1)[-1]
        parent = parents[-1] if parents else ""
        content = match.group(3)
        if content is not None and _worth(content):
            kind = kind_of(tag, parent, content)
            if kind:
                lead = len(content) - len(content.lstrip())
                start = match.start(3) + lead
                hints.append(Hint(start, start + len(content.strip()), kind))
        elif not match.group(2).rstrip().endswith("/"):
            parents = [*parents[-6:], tag]
        for attribute in _XML_ATTRIBUTE.finditer(match.group(2)):
            group = 2 if attribute.group(2) is not None else 3
            value, name = attribute.group(group), attribute.group(1).rsplit(":", 1)[-1]
            kind = kind_of(tag, parent, value) if name == "value" else kind_of(name, tag, value)
            if kind and _worth(value):
                start = match.start(2) + attribute.start(group)
                hints.append(Hint(start, start + len(value), kind))
    return hints
