import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.names import parents, words


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"souza", "maria souza"}, {"souza": "maria souza"}),
        (
            {"maria", "souza", "maria aparecida souza"},
            {"maria": "maria aparecida souza", "souza": "maria aparecida souza"},
        ),
        ({"maria souza", "maria aparecida souza"}, {"maria souza": "maria aparecida souza"}),
        ({"souza", "maria souza", "joao souza"}, {}),
        (
            {"souza", "maria souza", "maria aparecida souza"},
            {"souza": "maria aparecida souza", "maria souza": "maria aparecida souza"},
        ),
        ({"sra. souza", "maria souza"}, {"sra. souza": "maria souza"}),
        ({"souza maria", "maria souza"}, {}),
        ({"silva", "maria da silva"}, {"silva": "maria da silva"}),
        ({"m.", "maria souza"}, {}),
        ({"anne", "anne-marie weber"}, {"anne": "anne-marie weber"}),
        ({"dr.", "de la"}, {}),
        (set(), {}),
    ],
)
def test_a_part_of_exactly_one_longer_name_belongs_to_it(names: set[str], expected: dict[str, str]) -> None:
    assert parents(names) == expected


def test_titles_particles_and_initials_are_no_words_of_a_name() -> None:
    assert words("dr. joao a. da silva-costa") == ("joao", "silva", "costa")


def test_a_crowd_that_shares_a_word_tells_nothing_and_costs_little() -> None:
    names = {f"maria x{n}" for n in range(3_000)} | {"maria"}
    began = time.process_time()
    assert "maria" not in parents(names)
    assert time.process_time() - began < 2
    shared = {f"maria {'x' if n % 2 else 'y'} z{n}" for n in range(100)} | {"maria x"}
    assert "maria x" not in parents(shared)


@given(
    st.sets(
        st.lists(st.sampled_from(["ana", "bela", "costa", "dias"]), min_size=1, max_size=3).map(" ".join), max_size=8
    )
)
def test_a_parent_is_longer_and_is_nobodys_part(names: set[str]) -> None:
    found = parents(names)
    for part, whole in found.items():
        assert len(words(part)) < len(words(whole))
        assert whole not in found
        assert set(words(part)) <= set(words(whole))
