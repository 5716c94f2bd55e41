"""Places no smaller than a state: names and codes that may stay, and the state that a postal code lies in.

45 CFR 164.514(b)(2)(i)(B) lets a state stay and nothing smaller. Countries are larger still. Where the state of a place
is not known from the value itself there is no answer, and the caller redacts.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.deid.fold import fold

_US: Final = (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|"
    "DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|"
    "KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|"
    "MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|"
    "NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|PR Puerto Rico|RI Rhode Island|"
    "SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|"
    "WV West Virginia|WI Wisconsin|WY Wyoming"
)
_BR: Final = (
    "AC Acre|AL Alagoas|AP Amapá|AM Amazonas|BA Bahia|CE Ceará|DF Distrito Federal|ES Espírito Santo|GO Goiás|"
    "MA Maranhão|MT Mato Grosso|MS Mato Grosso do Sul|MG Minas Gerais|PA Pará|PB Paraíba|PR Paraná|PE Pernambuco|"
    "PI Piauí|RJ Rio de Janeiro|RN Rio Grande do Norte|RS Rio Grande do Sul|RO Rondônia|RR Roraima|SC Santa Catarina|"
    "SP São Paulo|SE Sergipe|TO Tocantins"
)
# A name that is also a city: as a bare value it may be the city, so only its code, or a longer value, tells.
# LA is Louisiana on an envelope and Los Angeles everywhere else.
_AMBIGUOUS_CODES: Final = frozenset({"LA"})
_CITY_TOO: Final = frozenset({"new york", "washington", "rio de janeiro", "são paulo"})
_COUNTRIES: Final = (
    "united states|united states of america|usa|us|u.s.|u.s.a.|estados unidos|eua|états-unis|etats-unis|"
    "vereinigte staaten|stati uniti|verenigde staten|brazil|brasil|brésil|brasilien|brasile|brazilië|portugal|"
    "portogallo|spain|españa|espanha|espagne|spanien|spagna|spanje|france|frança|francia|frankreich|frankrijk|"
    "germany|alemanha|alemania|allemagne|deutschland|germania|duitsland|italy|itália|italia|italie|italien|italië|"
    "netherlands|the netherlands|holanda|países baixos|países bajos|pays-bas|niederlande|paesi bassi|nederland|"
    "belgium|bélgica|belgique|belgien|belgio|belgië|switzerland|suíça|suiza|suisse|schweiz|svizzera|zwitserland|"
    "austria|áustria|autriche|österreich|oostenrijk|united kingdom|uk|reino unido|royaume-uni|"
    "vereinigtes königreich|regno unito|verenigd koninkrijk|england|inglaterra|angleterre|inghilterra|engeland|"
    "scotland|wales|ireland|irlanda|irlande|irland|ierland|mexico|méxico|mexique|mexiko|messico|canada|canadá|kanada|"
    "argentina|argentine|argentinien|chile|chili|colombia|colômbia|colombie|kolumbien|peru|perú|pérou|venezuela|"
    "bolivia|bolívia|uruguay|uruguai|paraguay|paraguai|ecuador|equador|cuba|angola|mozambique|moçambique|"
    "cape verde|cabo verde|china|chine|india|índia|inde|indien|japan|japão|japón|japon|giappone|russia|rússia|rusia|"
    "russie|russland|ukraine|ucrânia|ucrania|poland|polônia|polónia|polonia|pologne|polen|romania|romênia|roménia|"
    "rumania|roumanie|rumänien|turkey|turquia|turquía|turquie|türkei|turchia|morocco|marrocos|marruecos|maroc|"
    "marokko|marocco|syria|síria|siria|syrie|syrien|nigeria|nigéria|philippines|filipinas|vietnam|sweden|suécia|"
    "norway|noruega|denmark|dinamarca|finland|finlândia|greece|grécia|grecia|grèce|griechenland"
)


def _states(table: str) -> dict[str, str]:
    rows = (row.split(" ", 1) for row in table.split("|"))
    return {fold(name): code for code, name in rows}


_NAMES: Final = {**_states(_BR), **_states(_US)}
_US_CODES: Final = frozenset(_states(_US).values()) - _AMBIGUOUS_CODES
_BR_CODES: Final = frozenset(_states(_BR).values())
_LARGE: Final = frozenset(fold(name) for name in _COUNTRIES.split("|"))
_BOTH_MEANINGS: Final = frozenset(fold(name) for name in _CITY_TOO)
# City, ST or City - UF or City/UF, with or without a postal code after it: the code in capitals is the state.
_CODE_AT_END: Final = re.compile(r"[,/(\-]\s*([A-Z]{2})\)?(?:[\s,]+\d{5}(?:-\d{3,4})?)?\s*\.?$")
_NAME_AT_END: Final = re.compile(r"[,/(]\s*([^\W\d_][^,/()\d]*?)\)?\s*\.?$")

_CEP_STATES: Final = (
    (19999, "SP"), (28999, "RJ"), (29999, "ES"), (39999, "MG"), (48999, "BA"), (49999, "SE"), (56999, "PE"),
    (57999, "AL"), (58999, "PB"), (59999, "RN"), (63999, "CE"), (64999, "PI"), (65999, "MA"), (68899, "PA"),
    (68999, "AP"), (69299, "AM"), (69399, "RR"), (69899, "AM"), (69999, "AC"), (72799, "DF"), (72999, "GO"),
    (73699, "DF"), (76799, "GO"), (76999, "RO"), (77999, "TO"), (78899, "MT"), (79999, "MS"), (87999, "PR"),
    (89999, "SC"), (99999, "RS"),
)  # fmt: skip


def state_of(text: str) -> str | None:
    """Return ``text`` where it names a state or country, the state where the value carries one, else None."""
    folded = fold(text)
    if folded in _LARGE or (folded in _NAMES and folded not in _BOTH_MEANINGS):
        return text
    bare = text.strip()
    if bare in _US_CODES or bare in _BR_CODES:
        return text
    if match := _CODE_AT_END.search(text):
        return match[1] if match[1] in _US_CODES | _BR_CODES else None
    if match := _NAME_AT_END.search(text):
        last = fold(match[1])
        return match[1] if last in _NAMES or last in _LARGE else None
    return None


def state_of_cep(digits: str) -> str | None:
    """Return the state (UF) of a Brazilian postal code of eight digits, by the ranges of the Correios."""
    first = int(digits[:5])
    if first < 1000:
        return None
    return next(state for last, state in _CEP_STATES if first <= last)
