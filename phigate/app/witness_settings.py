"""The part of phigate.yaml that says where the ledger's witnesses answer, and what follows when they are silent.

    ledger:
      witnesses:
        at: [{name: compliance.hospital.example, url: "https://compliance.hospital.example:8099", ca: ca.pem}]
        every_s: 10
        stale_s: 300
        when_stale: alarm          # or refuse: no new exchange until the witnesses answer again

Whose cosignature counts, and how many are needed, the root-signed keyring says and never this file.
"""

from __future__ import annotations

from pathlib import Path

from phigate.errors import SettingsError
from phigate.policy.fields import Fields
from phigate.store.cosigning import WitnessAt, WitnessRules, check_places


def read_witnesses(ledger: Fields, base: Path) -> WitnessRules:
    """Read ``ledger.witnesses``; without it nobody is asked. Problems are noted at the fields."""
    rules = WitnessRules()
    if not ledger.has("witnesses"):
        return rules
    part = ledger.sub("witnesses", ("at", "every_s", "stale_s", "when_stale"))
    if part is None:
        return rules
    at: list[WitnessAt] = []
    for row in part.rows("at", ("name", "url", "ca")):
        place = WitnessAt(row.name("name"), row.text("url"), base / row.text("ca") if row.has("ca") else None)
        try:
            check_places([place])
        except SettingsError as error:
            row.complain("url", str(error))
        if place.ca is not None and not place.ca.is_file():
            row.complain("ca", f"no file {place.ca}; name a PEM file")
        if place.name in {other.name for other in at}:
            row.complain("name", f"{place.name} stands twice")
        at.append(place)
    every_s = part.number("every_s", rules.every_s, low=1, high=3600)
    stale_s = part.number("stale_s", rules.stale_s, low=5, high=86_400)
    if stale_s < 2 * every_s:
        part.complain("stale_s", f"expected at least twice every_s, {2 * every_s:g}, found {stale_s:g}")
    refuse = part.choice("when_stale", ("alarm", "refuse"), "alarm") == "refuse"
    return WitnessRules(at=tuple(at), every_s=every_s, stale_s=stale_s, refuse=refuse)
