import pytest

from phigate.deid.places import state_of, state_of_cep


@pytest.mark.parametrize(
    "text", ["Texas", "TX", "SP", "Minas Gerais", "Goiás", "goias", "Germany", "Deutschland", "Brasil", "PARÁ"]
)
def test_states_and_countries_stay(text: str) -> None:
    assert state_of(text) == text


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Boston, MA", "MA"),
        ("Boston, MA 02115", "MA"),
        ("Boston, MA 02115-1234", "MA"),
        ("Austin, Texas", "Texas"),
        ("Campinas - SP", "SP"),
        ("Campinas/SP", "SP"),
        ("Campinas-SP", "SP"),
        ("Springfield (IL)", "IL"),
        ("Recife, Pernambuco.", "Pernambuco"),
        ("Paris, France", "France"),
        ("12 Main St, Albany, New York", "New York"),
    ],
)
def test_a_value_that_carries_its_state_gives_it(text: str, state: str) -> None:
    assert state_of(text) == state


@pytest.mark.parametrize(
    "text",
    [
        "LA",
        "City Hospital, LA",
        "Boston",
        "New York",
        "São Paulo",
        "Rua das Flores, 12",
        "Austin, Travis County",
        "Toledo, XX",
        "",
        "Rue Paul, Lyon",
    ],
)
def test_where_the_state_is_not_known_there_is_no_answer(text: str) -> None:
    assert state_of(text) is None


@pytest.mark.parametrize(
    ("cep", "state"),
    [
        ("01310100", "SP"),
        ("20040002", "RJ"),
        ("68900073", "AP"),
        ("69301000", "RR"),
        ("72800000", "GO"),
        ("70040010", "DF"),
        ("99999999", "RS"),
        ("00500000", None),
    ],
)
def test_a_cep_lies_in_one_state(cep: str, state: str | None) -> None:
    assert state_of_cep(cep) == state
