"""The orders of operators per family, and their join: what two regimes that disagree come down to.

Step 5 of the semantics (docs/policy.md). The join takes all operators at once, so that no order of regimes matters:
within one chain the rightmost wins, across chains only redaction satisfies both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from phigate.finding import Family
from phigate.policy.decision import Operator

_O = Operator

CHAINS: Final[dict[Family, tuple[Operator, ...]]] = {
    Family.ID: (_O.KEEP, _O.HASH_KEYED, _O.SURROGATE, _O.TOKEN, _O.REDACT),
    Family.DATE: (_O.KEEP, _O.DATE_SHIFT, _O.YEAR, _O.TOKEN, _O.REDACT),
    Family.AGE: (_O.KEEP, _O.AGE90, _O.BAND5, _O.REDACT),
    Family.GEO: (_O.KEEP, _O.POSTAL3, _O.STATE, _O.REDACT),
}


def admits(family: Family, operator: Operator) -> bool:
    """Return whether an operator makes sense for a family: its own chain, or that of identifiers."""
    return operator in CHAINS[family] or operator in CHAINS[Family.ID]


def join(family: Family, operators: Iterable[Operator]) -> Operator:
    """Return the least operator that is as strict as each; without any, redact."""
    asked = set(operators)
    if not asked:
        return Operator.REDACT
    for chain in (CHAINS[family], CHAINS[Family.ID]):
        if asked.issubset(chain):
            return max(asked, key=chain.index)
    return Operator.REDACT


def looser(family: Family, operator: Operator, than: Operator) -> bool:
    """Return whether ``operator`` does not satisfy a demand for ``than``."""
    return join(family, (operator, than)) is not operator
