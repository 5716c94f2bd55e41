"""The hot path: the layers in their order over one prepared view, without Presidio around them.

`find` is what the recognizers of `engine` hand to Presidio piece by piece; both give the same findings.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import NameFinder, View
from phigate.analyzers.recognizers.address_lines import find_address_lines
from phigate.analyzers.recognizers.ages import find_ages
from phigate.analyzers.recognizers.dates import find_dates
from phigate.analyzers.recognizers.facilities import find_facilities
from phigate.analyzers.recognizers.generic import find_anchored
from phigate.analyzers.recognizers.labelled import find_labelled
from phigate.analyzers.recognizers.numbers import NumberLayer
from phigate.analyzers.recognizers.phones import find_phones
from phigate.analyzers.recognizers.places import find_places
from phigate.analyzers.shapes import field_findings
from phigate.finding import EntityType as T
from phigate.finding import Finding

# Anything weaker never leaves a layer: no threshold of any regime, lowered by any factor, reaches below it.
FLOOR: Final = 0.1
_OWNED: Final = frozenset({T.EMAIL, T.URL, T.IP_ADDRESS, T.MAC, T.UUID, T.IBAN})
_FULL_DATES: Final = frozenset({"dates:iso", "dates:dmy", "dates:words"})
_OWNS: Final = 0.5
_NUMBERS: Final = NumberLayer()


@functools.cache
def names() -> NameFinder | None:
    """Load the layers of names once a process; None while they are not installed."""
    try:
        from phigate.analyzers.names import detector  # noqa: PLC0415 - loading the lists takes a moment
    except ImportError:
        return None
    return detector.NameDetector(detector.shipped_weights())


def find_patterns(view: View) -> list[Finding]:
    """Return what layers L0 and L1 find, with offsets into the shadow; worked out once a view."""
    known = view.memo.get("patterns")
    if known is not None:
        assert isinstance(known, list)
        return known
    surroundings = Surroundings(view)
    found = field_findings(view, surroundings)
    anchored = find_anchored(view)
    found += anchored
    dates = find_dates(view, surroundings)
    found += dates
    taken = _taken(view, (*anchored, *dates))
    if any(c in view.shadow for c in "0123456789"):
        found += find_phones(view, surroundings, taken)
        found += _NUMBERS.find(view, surroundings, taken)
    found += find_labelled(view, surroundings, taken)
    found += find_ages(view, surroundings)
    found += find_places(view, surroundings)
    found += find_facilities(view)
    found += find_address_lines(view)
    found = [f for f in found if f.score >= FLOOR]
    view.memo["patterns"] = found
    return found


def _taken(view: View, findings: Iterable[Finding]) -> bytearray:
    """Mark the characters that dates and addresses own, so that no number is read into them."""
    taken = bytearray(len(view.shadow))
    for finding in findings:
        if finding.score >= _OWNS and (finding.entity_type in _OWNED or finding.source in _FULL_DATES):
            taken[finding.start : finding.end] = b"\1" * (finding.end - finding.start)
    return taken


def find_names(view: View) -> list[Finding]:
    """Return what layers L2 and L3 find; empty while they are not installed."""
    known = view.memo.get("names")
    if known is None:
        finder = names()
        known = view.memo["names"] = finder.find(view) if finder is not None else []
    assert isinstance(known, list)
    return known


def find(view: View) -> list[Finding]:
    """Return the findings of all layers that look at one part alone, with offsets into the shadow."""
    return [*find_patterns(view), *find_names(view)]
