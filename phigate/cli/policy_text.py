"""The slow tier of ``phigate policy test``: ``text:`` cases run through the real detector."""

from __future__ import annotations

from dataclasses import replace

from phigate.cli.policy_facts import analyzed
from phigate.phi import PHIText
from phigate.policy.bundle import Bundle, Case
from phigate.policy.cases import Outcome, Result, cases_of, differences, facts_of, stage
from phigate.policy.decide import decide
from phigate.wire.parts import Part, PartKind


def run_texts(bundle: Bundle) -> list[Result]:
    """Run every case that has a text: its findings come from the detector, all else from ``given``."""
    return [_run(bundle, case) for case in cases_of(bundle) if "text" in case.body]


def _run(bundle: Bundle, case: Case) -> Result:
    from phigate.deid.found import found

    part = Part(0, "/messages/0/content", PHIText(str(case.body["text"])), PartKind.TEXT, "user")
    analysis = analyzed(bundle, (part,))
    setting = stage(bundle, case)
    facts = replace(
        facts_of(case, setting), found=found(analysis, (part,)), complete=analysis.complete, app=setting.app
    )
    decision = decide(setting.bundle, facts)
    types = frozenset(str(f.entity_type) for f in facts.found)
    problems = tuple(differences(case, setting, decision, finds=types))
    asked = frozenset(r.id for name in setting.regimes for r in bundle.regimes[name].rules)
    outcome = Outcome.FAILED if problems else Outcome.PASSED
    return Result(case, outcome, problems, frozenset(decision.rules), asked)
