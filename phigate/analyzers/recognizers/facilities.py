"""Houses of care by the words around them: "seen at Cedar Ridge", "St. Anne's Hospital", "internado no Santa Clara".

A verb of care with its preposition announces a name in capitals; a word for a house ends or begins one. Wards and
departments (ICU, ER, OR) are no names.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.date_words import MONTHS, WEEKDAYS
from phigate.analyzers.recognizers.spec import words_of
from phigate.finding import EntityType as T
from phigate.finding import Finding

_VERBS: Final = frozenset(
    words_of(
        """
        vu vue vista visto gezien gesehen seen treated admitted presented presenting visited transferred referred hospitalized hospitalised
        evaluated visit checked followed born surgery appointment care diagnosed discharged tx rehab
        atendido atendida internado internada transferido transferida encaminhado encaminhada operado
        operada admitido admitida ingresado ingresada derivado derivada trasladado trasladada atendida
        intervenido remitido remitida hospitalise hospitalisee admis admise suivi suivie transfere adresse
        aufgenommen behandelt verlegt uberwiesen vorgestellt entlassen ricoverato ricoverata trasferito
        trasferita seguito seguita opgenomen behandeld verwezen overgeplaatst
        """
    )
)
_PREPOSITION: Final = re.compile(
    r" (?:in |up |d |last |again |then |initially |previously )?(?:at|to|in|from|into|no|na|ao|em|para o|para a|pelo|pela|en|en el|en la|al|a la|del|a|au|aux|dans le|dans la|im|in der|ins|an der|presso|all'|al|nel|nella|in het|naar|door)"
    r"(?: (?:our|the|o|a|el|la|le|het|de|die|das|den|local))? "
)
_WARDS: Final = frozenset(
    words_of(
        """
        icu er ed or nicu picu ccu pacu micu sicu uti uci ui cti us ward room clinic hospital emergency opd
        pcp gp his her dr dra mr mrs ms prof ps upa usi its int op ot mri ct pet eeg ecg ekg emg ob gyn l d
        """
    )
)
_HOUSES: Final = frozenset(
    words_of(
        """
        hospital clinic center centre hosp infirmary sanatorium hospice medical health va er klinik klinikum
        krankenhaus spital ziekenhuis ospedale policlinico hopital chu clinique clinica centro santa casa
        maternidade upa ubs instituto institute university healthcare facility practice general presbyterian
        memorial ctr office pharmacy laboratory labs
        """
    )
)
_LINKS: Final = frozenset(
    words_of(
        """
        of and the de da do dos das del di du des la st s for y e van von der
        """
    )
)
# In capitals after "at", and no house: points of time of a study, events, tables.
_NO_HOUSES: Final = frozenset(
    {"visit", "day", "week", "month", "year", "baseline", "time", "cycle", "stage", "grade", "level", "table", "figure"}
    | {"christmas", "easter", "thanksgiving", "noon", "night", "home", "risk", "least", "rest", "phase", "step", "all"}
)
_MOST_WORDS: Final = 7


def find_facilities(view: View) -> list[Finding]:
    """Return houses of care, in no order."""
    found: list[Finding] = []
    for n, word in enumerate(view.words):
        if word in _VERBS:
            cue = _PREPOSITION.match(view.folded, view.ends[n])
            finding = _name_at(view, view.word_at_or_after(cue.end())) if cue else None
        elif word in _ENDS:
            finding = _ending(view, n)
        elif word == "at" and view.shadow[view.ends[n] : view.ends[n] + 1] == " ":
            finding = _at(view, n + 1)
        else:
            continue
        if finding is not None:
            found.append(finding)
    return found


def _at(view: View, first: int) -> Finding | None:
    """Return what stands in capitals after "at": a house more often than not, but no time and no level of the spine."""
    if first < len(view.words) and view.words[first] in {"our", "the"}:
        first += 1
    found = _name_at(view, first)
    if found is None or any(c.isdigit() for c in view.folded[found.start : found.end]):
        return None
    return found if found.end - found.start > 2 else None


# Words that end the name of a house; the name stands before them.
_ENDS: Final = frozenset(
    ["hospital", "clinic", "center", "centre", "hosp", "infirmary", "hospice", "va", "healthcare", "ctr"]
)


def _capital(view: View, n: int) -> bool:
    return view.shadow[view.starts[n]].isupper()


def _gap(view: View, n: int) -> str:
    """Return what stands between word ``n`` and the one before it."""
    return view.shadow[view.ends[n - 1] : view.starts[n]]


def _name_at(view: View, first: int) -> Finding | None:
    """Return the run of capitalised words that begins at word ``first``."""
    if first >= len(view.words) or not _capital(view, first) or view.words[first] in _NO_HOUSES:
        return None
    last = first
    for at in range(first + 1, min(first + _MOST_WORDS, len(view.words))):
        if _gap(view, at) not in {" ", "-", "'", ". ", "&", " & "} or (
            _gap(view, at) == ". " and len(view.words[at - 1]) > 4
        ):
            break
        if _capital(view, at) or (view.words[at] == "s" and _gap(view, at) == "'"):
            last = at
        elif view.words[at] in {"clinic", "hospital", "facility", "office", "center"}:
            last = at
            break
        elif view.words[at] not in _LINKS:
            break
    words = view.words[first : last + 1]
    if all(w in _WARDS or w in MONTHS or w in WEEKDAYS or w.isdigit() for w in words) or words[0] in MONTHS:
        return None
    house = any(w in _HOUSES for w in words)
    return Finding(view.starts[first], view.ends[last], T.ORGANIZATION, 0.7 if house else 0.5, "places:facility")


def _ending(view: View, n: int) -> Finding | None:
    """Return the name that a word for a house ends: "Brigham and Women's Hospital"."""
    if not _capital(view, n):
        return None
    first = n
    for at in range(n - 1, max(-1, n - _MOST_WORDS), -1):
        gap = _gap(view, at + 1)
        if gap not in {" ", "-", "'", ". ", "&", " & "} or (gap == ". " and len(view.words[at]) > 4):
            break
        if _capital(view, at) or (view.words[at] == "s" and gap == " "):
            first = at if _capital(view, at) else first
        elif view.words[at] not in _LINKS:
            break
    if first == n:
        return None
    return Finding(view.starts[first], view.ends[n], T.ORGANIZATION, 0.7, "places:facility")
