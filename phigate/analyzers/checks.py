"""Check digits of national, professional and trade numbers: compact strings in, yes or no out.

Every function takes the number without separators, letters in upper case, already of the right shape, and says
whether its check characters fit. Formulas: Brazil from the issuing bodies (Receita Federal, DATASUS, TSE Res.
23.659/2021 art. 36, Senatran, Caixa), others from ISO 7064, ISO 13616, and the publications of each issuer. A wrong
digit never deletes a finding: callers only lower its score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_ALNUM: Final = {c: n for n, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def _dot(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _same(digits: str) -> bool:
    return digits == digits[0] * len(digits)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for n, char in enumerate(reversed(digits)):
        value = int(char)
        if n % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def card(digits: str) -> bool:
    """Payment card: Luhn, an issuer range in use, not one digit over and over."""
    return digits[0] in "23456" and not _same(digits) and luhn(digits)


def iban(text: str) -> bool:
    """ISO 13616: mod 97 equals 1 after the first four characters move to the end."""
    return int("".join(str(_ALNUM[c]) for c in text[4:] + text[:4])) % 97 == 1


# Brazil


def cpf(digits: str) -> bool:
    """Eleven digits, two check digits."""
    if _same(digits):
        return False
    first = 10 * _dot(digits, tuple(range(10, 1, -1))) % 11 % 10
    second = 10 * _dot(digits, tuple(range(11, 1, -1))) % 11 % 10
    return digits[9:] == f"{first}{second}"


def cnpj(text: str) -> bool:
    """Fourteen characters, two check digits; letters count as their ASCII code less 48 (since July 2026)."""
    if _same(text):
        return False
    values = [ord(c) - 48 for c in text]
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    for length in (12, 13):
        rest = sum(v * w for v, w in zip(values, weights[13 - length :], strict=False)) % 11
        if values[length] != (0 if rest < 2 else 11 - rest):
            return False
    return True


def cns(digits: str) -> bool:
    """SUS card, fifteen digits: definitive (1, 2) or provisional (7, 8, 9)."""
    if digits[0] in "789":
        return _dot(digits, tuple(range(15, 0, -1))) % 11 == 0
    if digits[0] not in "12":
        return False
    total = _dot(digits[:11], tuple(range(15, 4, -1)))
    check = 11 - total % 11
    if check == 11:
        return digits[11:] == "0000"
    if check == 10:
        return digits[11:] == f"001{11 - (total + 2) % 11}"
    return digits[11:] == f"000{check}"


def pis(digits: str) -> bool:
    """PIS, PASEP, NIT: eleven digits, one check digit."""
    rest = _dot(digits, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return not _same(digits) and int(digits[10]) == (0 if rest < 2 else 11 - rest)


def titulo(digits: str) -> bool:
    """Voter's card: twelve digits, state 01 to 28, two check digits; SP and MG also in the older variant."""
    state = digits[8:10]
    if not "01" <= state <= "28":
        return False
    old = state in {"01", "02"}
    rest = _dot(digits, tuple(range(2, 10))) % 11
    for first in {0 if rest == 10 else rest, 1 if old and rest == 0 else rest % 10}:
        rest2 = (7 * int(state[0]) + 8 * int(state[1]) + 9 * first) % 11
        for second in {0 if rest2 == 10 else rest2, 1 if old and rest2 == 0 else rest2 % 10}:
            if digits[10:] == f"{first}{second}":
                return True
    return False


def cnh(digits: str) -> bool:
    """Driving licence of Brazil: eleven digits, two check digits."""
    if _same(digits):
        return False
    rest = _dot(digits, tuple(range(9, 0, -1))) % 11
    first, carry = (0, 2) if rest == 10 else (rest, 0)
    second = _dot(digits[:9], tuple(range(1, 10))) % 11 - carry
    if second < 0:
        second += 11
    return digits[9:] == f"{first}{0 if second >= 10 else second}"


def renavam(digits: str) -> bool:
    """Vehicle register of Brazil: eleven digits, one check digit."""
    check = 10 * _dot(digits, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return not _same(digits) and int(digits[10]) == (0 if check == 10 else check)


def certidao(digits: str) -> bool:
    """Matricula of birth, marriage and death certificates: thirty-two digits, two check digits."""
    for length in (30, 31):
        first = 2 if length == 30 else 1
        rest = sum(int(d) * ((first + n) % 11) for n, d in enumerate(digits[:length])) % 11
        if int(digits[length]) != (1 if rest > 9 else rest):
            return False
    return True


# United States


def ssn(digits: str) -> bool:
    """Nine digits in a range that is or was issued (SSN, and ITIN with area 9)."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and group != "00" and serial != "0000" and not _same(digits)


def npi(digits: str) -> bool:
    """Ten digits from 1 or 2, Luhn over 80840 and the number (45 CFR 162.406)."""
    return digits[0] in "12" and luhn("80840" + digits)


def dea(text: str) -> bool:
    """Two letters and seven digits: twice the even places plus the odd ones end in the seventh."""
    d = [int(c) for c in text[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def aba(digits: str) -> bool:
    """Routing number: nine digits, weights 3 7 1."""
    return _dot(digits, (3, 7, 1) * 3) % 10 == 0 and digits[:2] <= "80" and not _same(digits)


_VIN: Final = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))


def vin(text: str) -> bool:
    """Seventeen characters without I, O, Q; the ninth is mod 11 (X is 10). Binding in North America alone."""
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    rest = sum(int(_VIN.get(c, c)) * w for c, w in zip(text, weights, strict=True)) % 11
    return text[8] == ("X" if rest == 10 else str(rest))


def gtin(digits: str) -> bool:
    """GS1 mod 10, weights 3 and 1 from the right; also the Swiss AHV number."""
    return sum(int(c) * (3 if n % 2 else 1) for n, c in enumerate(reversed(digits))) % 10 == 0


# Europe

_DNI: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def pt_nif(digits: str) -> bool:
    """Portuguese tax and health numbers: nine digits, mod 11."""
    rest = _dot(digits, tuple(range(9, 1, -1))) % 11
    return int(digits[8]) == (0 if rest < 2 else 11 - rest)


def pt_cc(text: str) -> bool:
    """Cartao de Cidadao: twelve characters, Luhn over base-36 values."""
    total = 0
    for n, char in enumerate(reversed(text)):
        value = _ALNUM[char]
        if n % 2:
            value *= 2
            value -= 9 if value > 9 else 0
        total += value
    return total % 10 == 0


def es_dni(text: str) -> bool:
    """DNI (eight digits) or NIE (X, Y, Z and seven), then a letter by mod 23."""
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and text[-1] == _DNI[int(number) % 23]


def es_cif(text: str) -> bool:
    """Spanish company number: letter, seven digits, check digit or letter."""
    total = sum(int(c) for c in text[2:8:2])
    for char in text[1:8:2]:
        double = int(char) * 2
        total += double // 10 + double % 10
    check = -total % 10
    return text[8] in {str(check), "JABCDEFGHI"[check]}


def es_nuss(digits: str) -> bool:
    """Spanish social security: province, number, two digits mod 97."""
    number = int(digits[2:10])
    body = int(digits[:2]) * (10_000_000 if number < 10_000_000 else 100_000_000) + number
    return body % 97 == int(digits[10:])


def fr_nir(text: str) -> bool:
    """French social security: thirteen characters (2A, 2B in Corsica) and a key of two: 97 less mod 97."""
    body = text[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and text[13:].isdigit() and 97 - int(body) % 97 == int(text[13:])


def iso7064_mod11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10: the German tax number."""
    product = 10
    for char in digits[:-1]:
        total = (int(char) + product) % 10 or 10
        product = 2 * total % 11
    return (11 - product) % 10 == int(digits[-1])


def de_kvnr(text: str) -> bool:
    """German health insurance number: letter and nine digits; the letter counts as two digits, weights 1 2."""
    body = f"{ord(text[0]) - 64:02d}{text[1:9]}"
    total = 0
    for n, char in enumerate(body):
        value = int(char) * (1 + n % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == int(text[9])


def de_rvnr(text: str) -> bool:
    """German pension number: eight digits, letter, three digits."""
    body = f"{text[:8]}{ord(text[8]) - 64:02d}{text[9:11]}"
    total = 0
    for char, weight in zip(body, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True):
        value = int(char) * weight
        total += value // 10 + value % 10
    return total % 10 == int(text[11])


def de_lanr(digits: str) -> bool:
    """German physician number: six digits, check digit (weights 4 and 9), two for the speciality."""
    return (10 - _dot(digits[:6], (4, 9, 4, 9, 4, 9)) % 10) % 10 == int(digits[6])


_CF_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ),
        strict=True,
    )
)


def it_cf(text: str) -> bool:
    """Codice fiscale: sixteen characters, the last by tables for odd and even places."""
    total = 0
    for n, char in enumerate(text[:15]):
        even = _ALNUM[char] if char.isdigit() else _ALNUM[char] - 10
        total += even if n % 2 else _CF_ODD[char]
    return text[15] == chr(65 + total % 26)


def nl_bsn(digits: str) -> bool:
    """Burgerservicenummer: nine digits, eleven-test with the last weight -1."""
    return not _same(digits) and _dot(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def uk_nhs(digits: str) -> bool:
    """NHS number and CHI: ten digits, mod 11."""
    check = 11 - _dot(digits[:9], tuple(range(10, 1, -1))) % 11
    return not _same(digits) and check != 10 and int(digits[9]) == check % 11


def be_nn(digits: str) -> bool:
    """Belgian national number: eleven digits, 97 less mod 97, with a 2 in front for those born from 2000 on."""
    check = int(digits[9:])
    return any(97 - int(prefix + digits[:9]) % 97 == check for prefix in ("", "2"))


def at_svnr(digits: str) -> bool:
    """Austrian social insurance: ten digits, the fourth is the check digit, then the date of birth."""
    return _dot(digits, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(digits[3]) and _ddmm(digits[6:10], digits[4:6])


def _ddmm(month_year: str, day: str) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(month_year[:2]) <= 15


def mx_curp(text: str) -> bool:
    """Mexican population key: eighteen characters, check digit over 37 symbols."""
    symbols = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(symbols.index(c) * (18 - n) for n, c in enumerate(text[:17]))
    return str(-total % 10) == text[17]


Check = Callable[[str], bool]
