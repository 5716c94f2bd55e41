"""A second bundle, evaluated beside the enforced one: what it would decide is counted and recorded, never obeyed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from phigate.errors import PhigateError
from phigate.policy.bundle import Bundle
from phigate.policy.decide import decide
from phigate.policy.decision import Decision, Facts, Form, Mode


class Shade(StrEnum):
    """How the shadow differs, most worrying first."""

    LOOSER = "looser"  # some destination would take a looser form
    STRICTER = "stricter"
    ROUTE = "route"  # same forms, another first candidate
    TREATMENT = "treatment"  # same route, other operators, thresholds or obligations
    UNDECIDED = "undecided"  # the shadow raised: it knows no such app or model
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What the shadow would have done. ``fields`` of a `shadow` entry are app, policy, mode, rules and forms."""

    shade: Shade
    policy: str
    app: str
    mode: Mode
    rules: tuple[str, ...]
    forms: dict[str, Form]


def shadowed(shadow: Bundle, facts: Facts, enforced: Decision) -> Shadowed:
    """Return what the shadow bundle says of the same facts. Never raises: a shadow cannot break an exchange."""
    try:
        decision = decide(shadow, facts)
    except PhigateError:
        return Shadowed(Shade.UNDECIDED, shadow.digest, facts.app, Mode.BLOCK, (), {})
    shade = _shade(enforced, decision)
    return Shadowed(shade, shadow.digest, facts.app, decision.mode, decision.rules, dict(decision.forms))


def _shade(enforced: Decision, decision: Decision) -> Shade:
    names = enforced.forms.keys() | decision.forms.keys()
    pairs = [(enforced.forms.get(name, Form.NO), decision.forms.get(name, Form.NO)) for name in names]
    if any(after < before for before, after in pairs):
        return Shade.LOOSER
    if any(after > before for before, after in pairs):
        return Shade.STRICTER
    if enforced.candidates[:1] != decision.candidates[:1]:
        return Shade.ROUTE
    same = (
        enforced.operators == decision.operators
        and enforced.thresholds.table == decision.thresholds.table
        and enforced.residual == decision.residual
        and enforced.obligations == decision.obligations
    )
    return Shade.SAME if same else Shade.TREATMENT
