"""Names for the slots: pools by language, made-up names, and the forms in which people write them."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from zlib import crc32

from phigate.analyzers.names.lexicon import GIVEN, LANGUAGES
from training import lexicon

# Share of names held out for the development set, by checksum of the name: the same on every machine.
_DEV_SHARE: Final = 10
_MADE_UP = 0.16  # names in no list: only their place in the sentence and their shape give them away
_FOREIGN = 0.14
_COMMON = 0.06  # names that are ordinary words

_PARTICLES: Final = {
    "pt": ["da", "de", "dos", "do", "das", "e"],
    "es": ["de", "de la", "del", "de los", "y"],
    "de": ["von", "von der", "zu", "van"],
    "fr": ["de", "de la", "du", "Le", "La"],
    "it": ["De", "Di", "Del", "Della", "D'", "Lo", "La"],
    "nl": ["van", "de", "van de", "van der", "van den", "ten", "ter", "'t", "in 't"],
    "en": ["Mac", "O'", "St. ", "van", "de la"],
}
_SUFFIXES: Final = {"en": ["Jr.", "Sr.", "III", "II"], "pt": ["Filho", "Neto", "Júnior", "Sobrinho"], "es": ["Jr."]}


@lru_cache(maxsize=8)
def word_names(lang: str) -> list[str]:
    """Return names that are ordinary words, from slot_values.txt."""
    found: list[str] = []
    inside = False
    for line in (lexicon.HERE / "slot_values.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            inside = line == f"[word_names {lang}]"
        elif inside:
            found += [name.strip() for name in line.split("|") if name.strip()]
    return found


@lru_cache(maxsize=1)
def _lists() -> tuple[dict[str, dict[str, list[str]]], list[str], list[str]]:
    """Return pools by language and kind ("f", "m", "last"), and given names and surnames of everywhere else."""
    pools: dict[str, dict[str, list[str]]] = {lang: defaultdict(list) for lang in LANGUAGES}
    other: dict[bool, set[str]] = {True: set(), False: set()}
    import importlib
    import pkgutil

    from faker.providers import person

    for module in sorted(pkgutil.iter_modules(person.__path__), key=lambda item: item.name):
        if not module.ispkg:
            continue
        provider = importlib.import_module(f"faker.providers.person.{module.name}").Provider
        lang = module.name[:2]
        for attribute, kind in (("first_names_female", "f"), ("first_names_male", "m"), ("last_names", "last")):
            values = [value for value in getattr(provider, attribute, ()) if isinstance(value, str)]
            values = [value for value in values if lexicon.latin(value) and 1 < len(value) < 24]
            if lang in LANGUAGES and module.name not in {"en_TH", "en", "en_PK", "en_KE", "en_NG", "en_IN"}:
                pools[lang][kind] += values
            else:
                other[kind == "last"] |= set(values)
    for flag, names in lexicon.mimesis_names():
        other[flag & GIVEN == 0] |= {name for name in names if lexicon.latin(name) and 1 < len(name) < 24}
    for flag, names in lexicon.census_names():
        other[flag & GIVEN == 0] |= {name.title() for name in names}
    flag = GIVEN
    for flag, words in lexicon.own_names():
        other[(flag == GIVEN and False) or flag != GIVEN] |= set(words)
    brazil = next(iter(lexicon.brazilian_names()))[1]
    women = [name.title() for name in brazil if name.endswith("A")]
    men = [name.title() for name in brazil if name.endswith("O")]
    pools["pt"]["f"] += women[::4]
    pools["pt"]["m"] += men[::3]
    import json
    from pathlib import Path

    import mimesis

    data = json.loads((Path(mimesis.__file__).parent / "datasets/pt-br/person.json").read_text("utf-8"))
    pools["pt"]["last"] += data["surnames"]
    return pools, sorted(other[False]), sorted(other[True])


def _of_split(names: list[str], *, dev: bool) -> list[str]:
    return [name for name in names if (crc32(name.lower().encode()) % 100 < _DEV_SHARE) == dev]


@dataclass(slots=True)
class Person:
    """One invented person: given names, surnames, language and gender."""

    given: list[str]
    last: str
    lang: str
    female: bool
    suffix: str = ""

    def show(self, rng: random.Random, form: str) -> str:
        """Write the name in one of the forms of README.md."""
        first = self.given[0]
        last = self.last
        match form:
            case "first":
                return first if rng.random() < 0.85 else " ".join(self.given)
            case "last":
                return last if self.lang in {"de", "fr", "nl", "it", "en"} else last.split()[-1]
            case "initials":
                letters = [
                    word[0].upper() for word in [*self.given, *last.replace("'", " ").split()] if word[0].isupper()
                ]
                return rng.choice([".".join(letters) + ".", "".join(letters), ". ".join(letters) + "."])
            case "reversed":
                separator = rng.choice([", ", ", ", ", ", " ", ","])
                upper = rng.random() < 0.35
                return (last.upper() if upper else last) + separator + " ".join(self.given)
            case "short":
                return rng.choice(
                    [
                        f"{first} {last[0].upper()}.",
                        f"{first[0]}. {last}",
                        f"{first[0]} {last}",
                        f"{first} {last[0].upper()}",
                    ]
                )
            case _:
                return self._full(rng)

    def _full(self, rng: random.Random) -> str:
        given = list(self.given)
        if self.lang == "en" and rng.random() < 0.2:
            given = [given[0], rng.choice("ABCDEFGHJKLMNPRSTW") + rng.choice([".", ""])]
        elif rng.random() < 0.5:
            given = given[:1]
        name = " ".join([*given, self.last])
        if self.suffix:
            name += rng.choice([" ", ", "] if self.lang == "en" else [" "]) + self.suffix
        return name


@dataclass(slots=True)
class People:
    """Draws people. ``dev`` draws from the held-out tenth of every list alone."""

    rng: random.Random
    dev: bool
    _pools: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _given: list[str] = field(default_factory=list)
    _last: list[str] = field(default_factory=list)
    _chains: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pools, given, last = _lists()
        self._pools = {
            lang: {kind: _of_split(names, dev=self.dev) for kind, names in kinds.items()}
            for lang, kinds in pools.items()
        }
        self._given, self._last = _of_split(given, dev=self.dev), _of_split(last, dev=self.dev)

    def draw(self, lang: str, *, female: bool | None = None) -> Person:
        """Draw one person, mostly of this language."""
        rng = self.rng
        female = rng.random() < 0.5 if female is None else female
        chance = rng.random()
        home = lang
        if chance < _FOREIGN:
            home = rng.choice(LANGUAGES)
        given = [self._given_name(home, female=female)]
        if rng.random() < (0.45 if home in {"pt", "es"} else 0.15):
            given.append(self._given_name(home, female=female))
        if home in {"fr", "de"} and len(given) == 2 and rng.random() < 0.6:
            given = ["-".join(given)]
        if home == "es" and female and rng.random() < 0.08:
            given = ["María", rng.choice(["del Carmen", "de los Ángeles", "del Pilar", "José", "de la Luz"])]
        last = self._family_name(home)
        suffix = rng.choice(_SUFFIXES[home]) if home in _SUFFIXES and not female and rng.random() < 0.04 else ""
        return Person(given, last, home, female, suffix)

    def _given_name(self, lang: str, *, female: bool) -> str:
        rng = self.rng
        chance = rng.random()
        pool = self._pools[lang]["f" if female else "m"]
        if chance < _MADE_UP:
            return self._made_up(pool, f"{lang}{female}")
        if chance < _MADE_UP + _FOREIGN:
            return rng.choice(self._given)
        if chance < _MADE_UP + _FOREIGN + _COMMON:
            return rng.choice(word_names(lang))
        return rng.choice(pool)

    def _family_name(self, lang: str) -> str:
        rng = self.rng
        count = 1
        if lang in {"pt", "es"}:
            count = rng.choice([1, 2, 2, 2, 3] if lang == "pt" else [1, 2, 2])
        names = [self._one_family_name(lang) for _ in range(count)]
        if lang == "de" and rng.random() < 0.08:
            names = ["-".join([names[0], self._one_family_name(lang)])]
        if lang == "en" and rng.random() < 0.04:
            names = ["-".join([names[0], self._one_family_name(lang)])]
        share = {"pt": 0.35, "es": 0.12, "nl": 0.35, "it": 0.12, "fr": 0.1, "de": 0.05, "en": 0.05}[lang]
        if rng.random() < share:
            position = rng.randrange(len(names))
            particle = rng.choice(_PARTICLES[lang])
            joint = "" if particle.endswith(("'", "Mac", " ")) else " "
            names[position] = particle + joint + names[position]
        return " ".join(names)

    def _one_family_name(self, lang: str) -> str:
        rng = self.rng
        chance = rng.random()
        pool = self._pools[lang]["last"]
        if chance < _MADE_UP:
            return self._made_up(pool, f"{lang}last")
        if chance < _MADE_UP + _FOREIGN:
            return rng.choice(self._last)
        if chance < _MADE_UP + _FOREIGN + _COMMON:
            return rng.choice(word_names(lang))
        return rng.choice(pool)

    def _made_up(self, pool: list[str], key: str) -> str:
        """Make a name that nobody has out of the letters of those that exist."""
        chain = self._chains.get(key)
        if chain is None:
            chain = defaultdict(list)
            for name in pool[:2000]:
                padded = f"^^{name.lower()}$"
                for k in range(len(padded) - 2):
                    chain[padded[k : k + 2]].append(padded[k + 2])
            self._chains[key] = chain
        for _ in range(20):
            state, letters = "^^", ""
            while len(letters) < 14:
                letter = self.rng.choice(chain[state])
                if letter == "$":
                    break
                letters += letter
                state = state[1] + letter
            if 3 <= len(letters) <= 13:
                return letters.title()
        return self.rng.choice(pool)
