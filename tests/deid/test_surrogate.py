import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.surrogate import Issued, Numbering, SurrogateMap, canonical, literals
from phigate.finding import EntityType as T
from phigate.phi import PHIText

MAP = SurrogateMap(
    (
        Issued("[[PERSON_1]]", T.PERSON, PHIText("Maria")),
        Issued("[[DATE_2+12d]]", T.DATE, PHIText("29/05/2024")),
    ),
    frozenset({("PERSON", 3)}),
)


@pytest.mark.parametrize(
    "text",
    [
        "[[PERSON_3]]",
        "[[person_3]]",
        "[[ Person 3 ]]",
        "[ [PERSON_3] ]",
        r"\[\[PERSON\_3\]\]",
        "［［PERSON＿3］］",
        "{{PERSON_3}}",
        "%5B%5BPERSON_3%5D%5D",
        "[PERSON-3]",
        "[[PERSON     3]]",
        "[[RELATIVE_PERSON_3.2]]",
        "&#91;&#91;PERSON 3",
        "[PERSON３]",
        "[[P\u0415RS\u041eN_3]]",
        "[[\u0420\u0415R\u0405\u041eN_3]]",
        "[[\u03a1\u0395R\u0405\u039f\u039d_3]]",
        "[[PER\u200bSON_\u20603]]",
        "\u27e6PERSON 3\u27e7",
        "\u3010p\u00e9rson 3\u3011",
    ],
)
def test_whatever_reads_like_a_token_is_reserved(text: str) -> None:
    assert ("PERSON", 3) in literals([text])


@pytest.mark.parametrize("text", ["", "Person 3 came", "[1] item_2", "[[XPERSON_3]]", "[PERSON_x3]", "BP [120]"])
def test_what_no_reader_would_take_for_a_token_is_not(text: str) -> None:
    assert ("PERSON", 3) not in literals([text])


def test_numbering_skips_what_is_reserved_for_every_type_with_that_last_word() -> None:
    numbering = Numbering(frozenset({("NAME", 1), ("PERSON", 2)}))
    assert [numbering.next("PERSON") for _ in range(3)] == [1, 3, 4]
    assert numbering.next("RELATIVE_NAME") == 2
    assert numbering.next("CLINICIAN_NAME") == 2
    assert numbering.next("CITY") == 1


@pytest.mark.parametrize("variant", ["[[person_1]]", "[[ PERSON 1 ]]", r"\[\[PERSON\_1\]\]", "[[Person__1]]"])
def test_variants_of_a_token_have_one_canonical_name(variant: str) -> None:
    assert canonical(variant) == "PERSON_1"


def test_a_date_is_known_without_its_distance_and_never_by_another() -> None:
    assert MAP.by_canonical[canonical("[[DATE_2]]")].token == "[[DATE_2+12d]]"
    assert canonical("[[DATE_2+13d]]") not in MAP.by_canonical


def test_prefixes_hold_every_beginning() -> None:
    assert {"", "P", "PERSON_", "PERSON_1", "DATE_2+"} <= MAP.prefixes
    assert SurrogateMap().prefixes == frozenset()


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("PERSON_7", True),
        ("PERSON_1", False),
        ("PERSON_3", False),
        ("DATE_2+13D", True),
        ("FOO_7", False),
        ("PERSON", False),
    ],
)
def test_only_what_nobody_wrote_is_invented(name: str, yes: bool) -> None:
    assert MAP.invented(name) is yes


def test_a_map_never_shows_values_or_numbers_of_the_request() -> None:
    assert "Maria" not in repr(MAP)
    assert "3" not in repr(MAP)
    assert len(MAP) == 2


@given(st.sampled_from(T), st.integers(1, 10**9 - 1), st.sampled_from(["[[{}_{}]]", "[[{} {}]]", "[[ {}_{} ]]"]))
def test_any_variant_that_could_be_restored_is_reserved(kind: T, number: int, form: str) -> None:
    text = form.format(kind.value.lower(), number)
    assert (kind.value.rsplit("_", 1)[-1], number) in literals([text])
