"""Build the list of countries and regions in the seven languages.

Names of territories are those of Unicode CLDR as Babel carries them; extra_countries.txt is written by the project.

    python -m training.countries        # writes phigate/analyzers/data/countries.tsv
"""

from __future__ import annotations

from collections.abc import Iterator

from babel import Locale

from phigate.analyzers.names.lexicon import AREA, COUNTRY, phrase_of
from training.lexicon import DATA, HERE, latin, write

_LOCALES = ("en", "pt", "pt_PT", "es", "de", "fr", "it", "nl")
_NOT_COUNTRIES = frozenset({"ZZ", "XA", "XB", "EZ", "UN", "QO", "CP", "DG"})
_MOST_WORDS = 5


def _territories() -> Iterator[tuple[str, int]]:
    for locale in _LOCALES:
        for code, name in Locale.parse(locale).territories.items():
            if (len(code) == 2 or code.isdigit()) and code not in _NOT_COUNTRIES and code != "001":
                yield name.partition(" (")[0], COUNTRY


def _written() -> Iterator[tuple[str, int]]:
    flag = COUNTRY
    for line in (HERE / "extra_countries.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            flag = {"[countries]": COUNTRY, "[regions]": AREA}[line.strip()]
        elif line and not line.startswith("#"):
            yield line.strip(), flag


def build() -> dict[str, int]:
    """Return folded names, words joined as `gazetteer` joins them; countries before regions of the same name."""
    found: dict[str, int] = {}
    for name, flag in (*_territories(), *_written()):
        words = [word for word in phrase_of(name) if word[0].isalpha()]
        if latin(name) and 0 < len(words) <= _MOST_WORDS and len("".join(words)) > 1:
            found.setdefault(" ".join(words), flag)
    return found


def main() -> None:
    write(DATA / "countries.tsv", build())


if __name__ == "__main__":
    main()
