"""What a family of numbers looks like: shape, check digits, the labels that announce it, and what each is worth.

Scores: ``formatted`` is the written form with its own separators, ``plain`` the bare characters, both with right check
digits; ``wrong`` multiplies either where the check digits do not fit. A label of one of ``labels`` close by lifts every
form to `LABELLED`: a label and the right length are enough, a mistyped check digit notwithstanding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from phigate.finding import EntityType

LABELLED: Final = 0.95


def words_of(text: str) -> list[str]:
    """Return the words of a list that is written as running text."""
    return text.split()


@dataclass(frozen=True, slots=True)
class Spec:
    """One kind of number. Shapes match the whole candidate: ``compact`` without separators, in upper case."""

    name: str
    entity_type: EntityType
    labels: frozenset[str]
    compact: re.Pattern[str]
    written: re.Pattern[str] | None = None
    check: Callable[[str], bool] | None = None
    formatted: float = 0.9
    plain: float = 0.4
    wrong: float = 0.5
    lengths: tuple[int, ...] = ()  # lengths of the compact form, so that only fitting specs are tried


def spec(
    name: str,
    entity_type: EntityType,
    labels: str,
    compact: str,
    written: str | None = None,
    *,
    lengths: tuple[int, ...],
    check: Callable[[str], bool] | None = None,
    formatted: float = 0.9,
    plain: float = 0.4,
    wrong: float = 0.5,
) -> Spec:
    """Make a spec from the text of its patterns."""
    return Spec(
        name,
        entity_type,
        frozenset(labels.split()),
        re.compile(compact),
        None if written is None else re.compile(written),
        check,
        formatted,
        plain,
        wrong,
        lengths,
    )
