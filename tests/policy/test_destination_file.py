"""Destinations: what stands inside the house must show it; papers and models are named exactly."""

from __future__ import annotations

import pytest

from phigate.policy.decision import DestinationKind
from phigate.policy.words import FIELDS
from phigate.wire.parts import Need
from tests.policy.making import DESTINATIONS, bundle_of, edit, problems

ONPREM = 'endpoint: "http://127.0.0.1:8001/v1"'
OUTSIDE = 'endpoint: "https://llm.example/v1"'

WRONG: dict[str, tuple[str, str, str, str]] = {
    "unknown key": ("country: BR", "contry: BR", "PG001", "did you mean 'country'?"),
    "id with capitals": ("  eu-cloud:", "  EU_Cloud:", "PG001", "expected an id of a-z"),
    "unknown kind": ("kind: onprem  #", "kind: inside  #", "PG001", "unknown word 'inside'"),
    "country in words": ("country: SE", "country: Sweden", "PG001", "two-letter code"),
    "no endpoint": (f"    {ONPREM}\n", "", "PG001", "'endpoint' is missing"),
    "no scheme": (ONPREM, 'endpoint: "127.0.0.1:8001"', "PG001", "expected scheme, host and port"),
    "other scheme": (ONPREM, 'endpoint: "ftp://127.0.0.1"', "PG001", "expected scheme, host and port"),
    "port beyond": (ONPREM, 'endpoint: "http://127.0.0.1:99999"', "PG001", "expected scheme, host and port"),
    "port zero": (ONPREM, 'endpoint: "http://127.0.0.1:0"', "PG001", "expected scheme, host and port"),
    "query": (ONPREM, 'endpoint: "http://127.0.0.1/v1?x=1"', "PG001", "expected scheme, host and port"),
    "broken brackets": (ONPREM, 'endpoint: "http://[::1/v1"', "PG001", "expected scheme, host and port"),
    "look-alike host": (OUTSIDE, 'endpoint: "https://lӏm.example/v1"', "PG001", "expected scheme, host and port"),
    "user in it": (OUTSIDE, 'endpoint: "https://key@llm.example/v1"', "PG001", "no user, password or escapes"),
    "escape in it": (OUTSIDE, 'endpoint: "https://llm.example/%2e"', "PG001", "no user, password or escapes"),
    "http outside": (OUTSIDE, 'endpoint: "http://llm.example/v1"', "PG001", "expected https for a destination outside"),
    "http to an address outside": (OUTSIDE, 'endpoint: "http://10.0.0.7/v1"', "PG001", "expected https"),
    "no provider": ("    provider: openai\n", "", "PG001", "'provider' is missing"),
    "no models": (
        "models:\n      - {name: gpt-eu",
        "models: []\n    x:\n      - {name: gpt-eu",
        "PG001",
        "at least one model",
    ),
    "model twice": ("- {name: gpt-eu,", "- gpt-eu\n      - {name: gpt-eu,", "PG001", "'gpt-eu' stands twice"),
    "model called like an endpoint": ("- {name: gpt-eu,", "- {name: chat,", "PG001", "is a word of covers"),
    "model that is a number": ("- {name: gpt-eu,", "- 4\n      - {name: gpt-eu,", "PG001", "expected a name"),
    "unknown capability": ("[tools, logit_bias", "[tools, logit_biass", "PG001", "did you mean 'logit_bias'?"),
    "unknown paper": ("      baa:  ", "      bba:  ", "PG001", "did you mean 'baa'?"),
    "no doc": ('doc: "sha256:11aa", ', "", "PG023", "'doc' is missing"),
    "no digest": ('doc: "sha256:11aa"', 'doc: "folder 3"', "PG023", "expected sha256:"),
    "covers another's model": ("covers: [chat]}", "covers: [gpt-us]}", "PG001", "unknown word 'gpt-us'"),
    "ends before it begins": ('expires: "2028-01-10"', 'expires: "2026-01-10"', "PG001", "expected a day after signed"),
    "field that never leaves": (
        "    region: sweden-1\n",
        "    region: sweden-1\n    fields: [user]\n",
        "PG001",
        "user never leaves",
    ),
    "unknown cover": (
        "    region: sweden-1\n",
        "    region: sweden-1\n    covers: [sell]\n",
        "PG001",
        "unknown word 'sell'",
    ),
    "pinned CA outside": (
        "    region: sweden-1\n",
        '    region: sweden-1\n    mtls: {ca: x, ca_digest: "sha256:00aa", client_secret: S}\n',
        "PG001",
        "only an on-prem destination pins a CA",
    ),
    "legal entity without address": (', address: "1 Quay, Dublin 2, IE"', "", "PG001", "'address' is missing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_has_its_code_and_its_remedy(case: str, shipped_files: dict[str, bytes]) -> None:
    old, new, code, says = WRONG[case]
    found = problems(edit(shipped_files, DESTINATIONS, (old, new)))
    assert [m for c, m in found if c == code and says in m and m.startswith("destinations.yaml:")], found


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "llm.hospital.example",
        "medgemma",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.2.1",
        "172.32.0.1",
        "[2001:db8::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "localhost.example",
        "10.0.0.1.example",
    ],
)
def test_what_does_not_show_that_it_stands_inside_is_not_onprem(host: str, shipped_files: dict[str, bytes]) -> None:
    found = problems(edit(shipped_files, DESTINATIONS, (ONPREM, f'endpoint: "http://{host}:8001/v1"')))
    assert any("neither a loopback nor a private address" in message for _, message in found), found


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "[::1]", "[fd00::1]"]
)
def test_loopback_and_private_addresses_are_inside(host: str, shipped_files: dict[str, bytes]) -> None:
    bundle = bundle_of(edit(shipped_files, DESTINATIONS, (ONPREM, f'endpoint: "http://{host}:8001/v1/"')))
    assert bundle.destinations["medgemma"].endpoint == f"http://{host}:8001/v1"


def test_a_name_is_inside_only_with_a_pinned_ca_over_https(shipped_files: dict[str, bytes]) -> None:
    mtls = 'mtls: {ca: /etc/ca.pem, ca_digest: "sha256:00aa", client_secret: GATEWAY_CERT}'
    good = edit(shipped_files, DESTINATIONS, (ONPREM, f'endpoint: "https://llm.hospital.example/v1"\n    {mtls}'))
    found = bundle_of(good).destinations["medgemma"]
    assert (found.pinned_ca, found.pinned_ca_digest, found.client_secret) == (
        "/etc/ca.pem",
        "sha256:00aa",
        "GATEWAY_CERT",
    )
    plain = edit(shipped_files, DESTINATIONS, (ONPREM, f'endpoint: "http://llm.hospital.example/v1"\n    {mtls}'))
    assert any("expected https where a CA is pinned" in message for _, message in problems(plain))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_stand_in_on_loopback_may_speak_http(host: str, shipped_files: dict[str, bytes]) -> None:
    bundle = bundle_of(edit(shipped_files, DESTINATIONS, (OUTSIDE, f'endpoint: "http://{host}:9/v1"')))
    assert bundle.destinations["eu-cloud"].kind is DestinationKind.EXTERNAL


def test_a_destination_reads_as_it_stands(shipped_files: dict[str, bytes]) -> None:
    destination = bundle_of(shipped_files).destinations["eu-cloud"]
    assert destination.fields == FIELDS
    assert not destination.fields & {"user", "metadata"}
    assert destination.models[0].can >= {Need.TOOLS}
    assert (destination.legal_name, destination.secret) == ("Example Cloud Ireland Ltd", "EU_CLOUD_KEY")
    assert {paper.kind for paper in destination.attest} == {"baa", "dpa", "zero_retention", "no_training"}
    assert destination.line > 0


def test_an_allow_list_and_covers_of_its_own_are_taken(shipped_files: dict[str, bytes]) -> None:
    change = ("    region: sweden-1\n", "    region: sweden-1\n    fields: [model, messages]\n    covers: [store]\n")
    found = bundle_of(edit(shipped_files, DESTINATIONS, change)).destinations["eu-cloud"]
    assert found.fields == {"model", "messages"}
    assert found.covers == {"store"}
    assert bundle_of(shipped_files).destinations["medgemma"].fields == frozenset()
