"""A shadow says how it differs, and can never break an exchange."""

from __future__ import annotations

from dataclasses import replace

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decide import decide
from phigate.policy.decision import Mode
from phigate.policy.shadow import Shade, shadowed
from tests.policy.making import DESTINATIONS, HIPAA, SITE, bundle_of, edit, facts

ASKED = facts(EntityType.PERSON)


def shade(enforced: Bundle, shadow: Bundle) -> Shade:
    return shadowed(shadow, ASKED, decide(enforced, ASKED)).shade


def test_each_difference_has_its_name(shipped: Bundle, shipped_files: dict[str, bytes]) -> None:
    closed = bundle_of(edit(shipped_files, DESTINATIONS, ("      baa:  ", "      bcr:  ")))
    turned = bundle_of(
        edit(
            shipped_files,
            SITE,
            ("[eu-cloud/gpt-eu, medgemma/medgemma-27b-it]", "[medgemma/medgemma-27b-it, eu-cloud/gpt-eu]"),
        )
    )
    treated = bundle_of(edit(shipped_files, HIPAA, ("transform: age90", "transform: redact")))
    assert shade(shipped, shipped) is Shade.SAME
    assert shade(shipped, closed) is Shade.STRICTER
    assert shade(closed, shipped) is Shade.LOOSER
    assert shade(shipped, turned) is Shade.ROUTE
    assert shade(shipped, treated) is Shade.TREATMENT


def test_a_shadow_that_cannot_decide_says_so(shipped: Bundle) -> None:
    said = shadowed(replace(shipped, apps={}), ASKED, decide(shipped, ASKED))
    assert (said.shade, said.mode, said.rules, said.forms) == (Shade.UNDECIDED, Mode.BLOCK, (), {})


def test_a_shadow_tells_what_it_would_have_done(shipped: Bundle) -> None:
    said = shadowed(shipped, ASKED, decide(shipped, ASKED))
    assert (said.app, said.policy, said.mode) == ("demo", shipped.digest, Mode.SEND_SCRUBBED)
    assert "hipaa.scrub-baa" in said.rules
