"""Check digits: issued examples pass, one changed digit fails, random numbers pass as often as the formula says."""

import random
from collections.abc import Callable

import pytest

from phigate.analyzers import checks

# Published examples of issuers and standards, none of a person.
VALID: list[tuple[Callable[[str], bool], str]] = [
    (checks.cpf, "52998224725"),
    (checks.cnpj, "11222333000181"),
    (checks.cnpj, "12ABC34501DE35"),
    (checks.iban, "GB82WEST12345698765432"),
    (checks.iban, "DE89370400440532013000"),
    (checks.card, "4111111111111111"),
    (checks.npi, "1234567893"),
    (checks.uk_nhs, "9434765919"),
    (checks.es_dni, "12345678Z"),
    (checks.es_dni, "X1234567L"),
    (checks.es_cif, "A58818501"),
    (checks.es_nuss, "281234567840"),
    (checks.fr_nir, "184127645108946"),
    (checks.it_cf, "RSSMRA85T10A562S"),
    (checks.nl_bsn, "111222333"),
    (checks.vin, "1HGCM82633A004352"),
    (checks.dea, "AB1234563"),
    (checks.gtin, "7569217076985"),
    (checks.iso7064_mod11_10, "86095742719"),
    (checks.de_kvnr, "A123456780"),
    (checks.de_rvnr, "15070649C103"),
    (checks.titulo, "102385010671"),
    (checks.pis, "12056412545"),
    (checks.pt_nif, "123456789"),
    (checks.pt_cc, "000000000ZZ4"),
    (checks.be_nn, "85073003328"),
    (checks.at_svnr, "1237010180"),
    (checks.mx_curp, "HEGG560427MVZRRL04"),
    (checks.aba, "021000021"),
    (checks.cns, "898000000043208"),
    (checks.de_lanr, "123456601"),
]


@pytest.mark.parametrize(("check", "number"), VALID)
def test_issued_numbers_pass(check: Callable[[str], bool], number: str) -> None:
    assert check(number)


@pytest.mark.parametrize(("check", "number"), VALID)
def test_one_changed_digit_is_noticed(check: Callable[[str], bool], number: str) -> None:
    for at in range(len(number)):
        if number[at].isdigit():
            twin = f"{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}"
            if check(twin):
                continue  # a mod 11 with a folded remainder lets single digits through
            return
    raise AssertionError("no changed digit was noticed")


# What a check digit alone is worth: the share of random numbers it accepts (policy semantics, Brazilian identifiers).
@pytest.mark.parametrize(
    ("check", "length", "rate"),
    [
        (checks.cpf, 11, 0.010),
        (checks.cnh, 11, 0.010),
        (checks.pis, 11, 0.100),
        (checks.renavam, 11, 0.100),
        (checks.titulo, 12, 0.003),
        (checks.cns, 15, 0.027),
    ],
)
def test_random_numbers_pass_at_the_known_rate(check: Callable[[str], bool], length: int, rate: float) -> None:
    rng = random.Random(7)
    accepted = sum(check("".join(rng.choices("0123456789", k=length))) for _ in range(20_000))
    assert accepted / 20_000 == pytest.approx(rate, rel=0.3)


@pytest.mark.parametrize("check", [checks.cpf, checks.cnpj, checks.cnh, checks.pis, checks.renavam])
def test_one_digit_over_and_over_is_no_number(check: Callable[[str], bool]) -> None:
    length = 14 if check is checks.cnpj else 11
    assert not any(check(d * length) for d in "0123456789")


def test_a_definitive_cns_has_its_own_rule() -> None:
    rng = random.Random(3)
    suffixes = set()
    for _ in range(3_000):
        body = "1" + "".join(rng.choices("0123456789", k=10))
        good = [s for s in (f"{p}{d}" for p in ("000", "001") for d in range(10)) if checks.cns(body + s)]
        assert len(good) == 1
        suffixes.add(good[0][:3])
    assert suffixes == {"000", "001"}
    assert not checks.cns("3" + "0" * 14)


def test_a_certidao_has_two_check_digits() -> None:
    body = "104539015520131000120210000123"
    good = [f"{n:02d}" for n in range(100) if checks.certidao(body + f"{n:02d}")]
    assert len(good) == 1


@pytest.mark.parametrize("number", ["000123456", "666123456", "123004567", "123450000", "111111111"])
def test_an_ssn_outside_the_issued_areas_does_not_fit(number: str) -> None:
    assert not checks.ssn(number)
    assert checks.ssn("123456789")


def test_voters_of_no_state_and_letters_that_are_no_number_do_not_fit() -> None:
    assert not checks.titulo("102385019971")
    assert not checks.es_dni("ABCDEFGHZ")
    assert not checks.fr_nir("1A4127645108946")
