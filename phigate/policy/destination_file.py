"""Reads ``destinations.yaml``: who may receive anything, where it stands, and on what paper (decisions 1)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from phigate.policy.bundle import Attestation, Destination, Model
from phigate.policy.decision import DestinationKind
from phigate.policy.fields import Fields, Source, closest
from phigate.policy.words import ENDPOINTS, FIELDS, NEVER, ON_PAPER, PAPERS
from phigate.policy.yamls import Entry, Map, Node, Scalar
from phigate.wire.parts import Need

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "file": ("phigate", "destinations"),
    "destination": (
        "kind", "endpoint", "provider", "models", "legal_entity", "country", "region", "region_pinned", "attest",
        "fields", "covers", "secret", "mtls", "replicas",
    ),
    "model": ("name", "can", "context"),
    "legal_entity": ("name", "address"),
    "attestation": ("doc", "signed", "expires", "covers", "revoked", "days", "module", "tia", "note"),
    "mtls": ("ca", "ca_digest", "client_secret"),
}  # fmt: skip
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# What stands inside the house. Link-local is left out: cloud machines keep their credentials there.
_INSIDE: Final = tuple(
    ipaddress.ip_network(n) for n in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")
)


def read_destinations(root: Map, source: Source) -> dict[str, Destination]:
    """Return the destinations by id; problems are noted in ``source``, whose reader raises them."""
    top = Fields(source, root, "destinations file", KEYS["file"])
    top.choice("phigate", ("destinations/v1",))
    return read_table(top.table("destinations", required=True), source)


def read_table(table: Mapping[str, Entry], source: Source) -> dict[str, Destination]:
    """Return the destinations of one table of them."""
    found = {}
    for name, entry in table.items():
        if _ID.fullmatch(name) is None:
            source.complain(f"destinations: expected an id of a-z, 0-9 and -, found {name!r}", entry.line)
        found[name] = _destination(name, Fields(source, entry.value, name, KEYS["destination"]), entry.line)
    return found


def _destination(name: str, row: Fields, line: int) -> Destination:
    kind = DestinationKind(row.choice("kind", [k.value for k in DestinationKind]))
    mtls = row.sub("mtls", KEYS["mtls"])
    entity = row.sub("legal_entity", KEYS["legal_entity"])
    external = kind is DestinationKind.EXTERNAL
    models = _models(row)
    destination = Destination(
        id=name,
        kind=kind,
        endpoint=_endpoint(row, row.text("endpoint"), kind, pinned=mtls is not None),
        provider=row.name("provider", None if external else "openai"),
        models=models,
        country=_country(row),
        region=row.text("region", ""),
        region_pinned=row.flag("region_pinned"),
        legal_name=entity.text("name") if entity else "",
        legal_address=entity.text("address") if entity else "",
        attest=_papers(row, models),
        fields=_body_fields(row) if external else frozenset(),
        covers=frozenset(row.words("covers", ON_PAPER)),
        secret=row.name("secret", ""),
        pinned_ca=mtls.text("ca") if mtls else "",
        pinned_ca_digest=mtls.digest("ca_digest") if mtls else "",
        client_secret=mtls.name("client_secret") if mtls else "",
        replicas=tuple(_endpoint(row, url, kind, pinned=mtls is not None) for url in row.words("replicas")),
        line=line,
    )
    if external and mtls is not None:
        row.complain("mtls", "only an on-prem destination pins a CA; delete it")
    if external and destination.replicas:
        row.complain("replicas", "only an on-prem destination has replicas; delete them")
    return destination


def _country(row: Fields) -> str:
    country = row.text("country", "")
    if country and (len(country) != 2 or not country.isascii() or not country.isupper()):
        row.complain("country", f"expected a two-letter code as BR, found {country!a}")
    return country


def _endpoint(row: Fields, text: str, kind: DestinationKind, *, pinned: bool) -> str:
    if not text:
        return ""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        host, port, url = "", None, urlsplit("")
    if url.scheme not in {"http", "https"} or not host or port == 0 or not text.isascii() or url.query or url.fragment:
        row.complain("endpoint", f"expected scheme, host and port as https://llm.example:443/v1, found {text!a}")
        return ""
    if url.username is not None or url.password is not None or "\\" in text or "%" in text or " " in text:
        row.complain("endpoint", "no user, password or escapes may stand in it; name a secret instead")
        return ""
    inside = _inside(host)
    if kind is DestinationKind.ONPREM:
        _must_be_inside(row, host, inside=inside, https=url.scheme == "https", pinned=pinned)
    elif url.scheme != "https" and not _loopback(host):
        row.complain("endpoint", "expected https for a destination outside, found http")
    return text.rstrip("/")


def _must_be_inside(row: Fields, host: str, *, inside: bool, https: bool, pinned: bool) -> None:
    if pinned and not https:
        row.complain("endpoint", "expected https where a CA is pinned, found http")
    if not inside and not pinned:
        row.complain(
            "endpoint",
            f"{host} is neither a loopback nor a private address, so nothing shows that it stands in the house; "
            "write its private address, or pin its CA under mtls, or call it external",
        )


def _inside(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in _INSIDE)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _models(row: Fields) -> tuple[Model, ...]:
    models: list[Model] = []
    for item in row.items("models", required=True):
        model = _model(row, item)
        if any(model.name == other.name for other in models):
            row.source.complain(f"{row.what}.models: {model.name!r} stands twice", item.line)
        if model.name in ENDPOINTS or model.name == "*":
            row.source.complain(f"{row.what}.models: {model.name!r} is a word of covers, not a model", item.line)
        models.append(model)
    if not models:
        row.complain("models", "expected at least one model, found none")
    return tuple(models)


def _model(row: Fields, item: Node) -> Model:
    if isinstance(item, Scalar):
        if isinstance(item.value, str) and item.value:
            return Model(item.value)
        row.source.complain(f"{row.what}.models: expected a name, found another thing", item.line)
        return Model("")
    fields = Fields(row.source, item, f"{row.what}.models", KEYS["model"])
    can = frozenset(Need(word) for word in fields.words("can", [need.value for need in Need]))
    return Model(fields.name("name"), can, fields.whole("context", 0, low=0, high=100_000_000))


def _papers(row: Fields, models: tuple[Model, ...]) -> tuple[Attestation, ...]:
    papers = []
    names = {model.name for model in models}
    for kind, entry in row.table("attest").items():
        if kind not in PAPERS:
            row.source.complain(f"{row.what}.attest: unknown paper {kind!r}; {closest(kind, PAPERS)}", entry.line)
        fields = Fields(row.source, entry.value, f"{row.what}.attest.{kind}", KEYS["attestation"])
        covers = fields.words("covers", ("*", *ENDPOINTS, *names), required=True)
        paper = Attestation(
            kind=kind,
            doc=fields.digest("doc"),
            signed=fields.date("signed"),
            expires=fields.date("expires"),
            covers=covers,
            revoked=fields.flag("revoked"),
        )
        if paper.expires <= paper.signed:
            fields.complain("expires", "expected a day after signed, found one before")
        papers.append(paper)
    return tuple(papers)


def _body_fields(row: Fields) -> frozenset[str]:
    if not row.has("fields"):
        return FIELDS
    words = row.words("fields")
    for word in words:
        if word in NEVER:
            row.complain("fields", f"{word} never leaves; delete it")
    return frozenset(words)
