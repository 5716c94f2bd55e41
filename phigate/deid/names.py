"""Which name is a part of exactly one longer name: Souza of Maria Souza. In doubt a name stands alone (decisions 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from phigate.finding import EntityType

NAMES: Final = frozenset({EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME})
_TITLES: Final = frozenset(
    word
    for row in (
        "mr mrs ms miss mx dr dra sr sra srta sres don dona doña senhor senhora m mme mlle monsieur madame herr frau",
        "prof profa sig sigra signor signora dott dottssa dhr mevr mw de la do da dos das del di van von den der",
    )
    for word in row.split()
)
_CROWD: Final = 32  # a word that so many names share tells nothing; looking further would cost time


def words(folded: str) -> tuple[str, ...]:
    """Return the words of a folded name that carry identity: no titles, particles or lone letters."""
    bare = (word.strip(".,;'") for word in folded.replace("-", " ").split())
    return tuple(word for word in bare if len(word) > 1 and word not in _TITLES)


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


def parents(names: Iterable[str]) -> dict[str, str]:
    """Map each folded name that is part of exactly one longest name to that name."""
    split = {name: words(name) for name in names}
    ordered = sorted((name for name in split if split[name]), key=lambda name: (-len(split[name]), name))
    longest: dict[str, list[str]] = {}  # word -> longest names that hold it
    found: dict[str, str] = {}
    for name in ordered:
        part = split[name]
        crowd = min((longest.get(word, []) for word in part), key=len)
        if len(crowd) > _CROWD:
            continue
        holders = [whole for whole in crowd if len(split[whole]) > len(part) and _within(part, split[whole])]
        if len(holders) == 1:
            found[name] = holders[0]
        elif not holders:
            for word in set(part):
                longest.setdefault(word, []).append(name)
    return found
