"""The slow tier of ``phigate policy test``: ``text:`` cases run through the real detector."""

from __future__ import annotations

from dataclasses import replace

from phigate.analysis import Analysis
from phigate.cli.policy_facts import analyzed_each
from phigate.phi import PHIText
from phigate.policy.bundle import Bundle, Case
from phigate.policy.cases import Outcome, Result, cases_of, differences, facts_of, stage
from phigate.policy.decide import decide
from phigate.wire.parts import Part, PartKind


def run_texts(bundle: Bundle) -> list[Result]:
    """Run every case that has a text: its findings come from the detector, all else from ``given``."""
    texts = [case for case in cases_of(bundle) if "text" in case.body]
    parts = [Part(0, "/messages/0/content", PHIText(str(case.body["text"])), PartKind.TEXT, "user") for case in texts]
    found = analyzed_each(bundle, [(part,) for part in parts]) if parts else []
    return [_run(bundle, *each) for each in zip(texts, parts, found, strict=True)]


def _run(bundle: Bundle, case: Case, part: Part, analysis: Analysis) -> Result:
    from phigate.deid.found import found

    setting = stage(bundle, case)
    given = facts_of(case, setting)
    facts = replace(
        given,
        found=found(analysis, (part,), today=given.now.date()),
        complete=analysis.complete and given.complete,
        app=setting.app,
    )
    decision = decide(setting.bundle, facts)
    types = frozenset(str(f.entity_type) for f in facts.found)
    problems = tuple(differences(case, setting, decision, finds=types))
    asked = frozenset(r.id for name in setting.regimes for r in bundle.regimes[name].rules)
    outcome = Outcome.FAILED if problems else Outcome.PASSED
    return Result(case, outcome, problems, frozenset(decision.rules), asked)
