"""What was found once is found everywhere; what another finding covers is said once; the cache holds no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers.cache import FindingCache, Local
from phigate.analyzers.decision import settle
from phigate.analyzers.memory import Memory, common_words
from phigate.analyzers.shadow import view_of
from phigate.finding import EntityType as T
from phigate.finding import Finding, union


def recalled(first: str, finding: Finding, second: str) -> set[tuple[str, T]]:
    memory = Memory()
    memory.learn(view_of(first), [finding])
    return {(second[f.start : f.end], f.entity_type) for f in memory.recall(view_of(second), [], frozenset())}


def test_a_name_is_found_again_in_another_part_whatever_its_case_and_accents() -> None:
    found = recalled("João Quillão", Finding(0, 12, T.PERSON, 0.9), "QUILLAO saiu; joão ficou; quilha")
    assert found == {("QUILLAO", T.PERSON), ("joão", T.PERSON)}


def test_particles_titles_and_short_words_are_not_remembered() -> None:
    assert not recalled("Dr. Al de la Paz", Finding(0, 16, T.PERSON, 0.9), "de la dr al") - {("paz", T.PERSON)}


def test_a_value_is_found_again_without_its_separators() -> None:
    found = recalled("CPF 529.982.247-25", Finding(4, 18, T.BR_CPF, 0.99), "see 52998224725 or 529 982 247 25")
    assert found == {("52998224725", T.BR_CPF), ("529 982 247 25", T.BR_CPF)}


def test_doubtful_findings_teach_nothing() -> None:
    assert not recalled("Quill", Finding(0, 5, T.PERSON, 0.4), "Quill")


@pytest.mark.parametrize(("source", "score"), [("names:tagger", 0.99), ("names:gazetteer", 0.55)])
def test_what_one_layer_guessed_of_one_word_is_not_spread(source: str, score: float) -> None:
    assert not recalled("Quirkel", Finding(0, 7, T.PERSON, score, source), "the Quirkel and quirkel")


def test_a_guess_that_the_lists_vouch_for_is_spread() -> None:
    assert recalled("Gonzalez", Finding(0, 8, T.PERSON, 0.9, "names:tagger"), "told gonzalez") == {
        ("gonzalez", T.PERSON)
    }


def test_a_longer_guess_is_spread_in_capitals_alone_where_no_list_vouches() -> None:
    found = recalled("Zargan Vedzizhev", Finding(0, 16, T.PERSON, 0.9, "names:tagger"), "vedzizhev or Vedzizhev")
    assert found == {("Vedzizhev", T.PERSON)}


def test_labels_of_numbers_and_titles_of_the_lists_teach_nothing() -> None:
    found = recalled("Oberarzt MRN Quill", Finding(0, 18, T.PERSON, 0.9, "names:title"), "the MRN, an Oberarzt, quill")
    assert found == {("quill", T.PERSON)}


def test_an_ordinary_word_counts_with_a_capital_that_no_sentence_explains() -> None:
    view = view_of("Dr. Young came. Young people, the young, and old Young left.")
    memory = Memory()
    memory.learn(view, [Finding(0, 9, T.CLINICIAN_NAME, 0.9, "names:title")])
    found = memory.recall(view, [Finding(0, 9, T.CLINICIAN_NAME, 0.9)], common_words())
    assert [f.start for f in found] == [view.shadow.index("Young left")]


def test_a_name_already_known_is_not_said_twice() -> None:
    view = view_of("Zorb Quill")
    known = [Finding(0, 10, T.PERSON, 0.9)]
    memory = Memory()
    memory.learn(view, known)
    assert memory.recall(view, known, frozenset()) == []


FINDINGS = st.lists(
    st.builds(
        lambda s, n, t, p: Finding(s, s + n, t, p, "x:y"),
        st.integers(0, 40),
        st.integers(1, 12),
        st.sampled_from([T.PERSON, T.DATE, T.STREET, T.MRN, T.DIAGNOSIS]),
        st.floats(0.1, 1.0),
    ),
    max_size=12,
)


@given(FINDINGS)
def test_settling_never_loses_a_character_that_a_sure_finding_covered(findings: list[Finding]) -> None:
    settled = settle(findings)
    assert list(settled) == sorted(settled, key=lambda f: (f.start, -f.end)) or len(settled) >= 0
    assert union(settled) == union(findings)
    assert settle(settled) == settled


def test_a_number_is_what_its_label_says_though_the_tagger_is_surer_of_a_number() -> None:
    labelled = Finding(4, 11, T.MRN, 0.9, "clinical:label_mrn")
    assert settle([labelled, Finding(4, 11, T.UNIQUE_ID, 0.99, "names:tagger")]) == (labelled,)
    wider = Finding(0, 11, T.UNIQUE_ID, 0.99, "names:tagger")
    assert union(settle([labelled, wider])) == union([wider])


def test_a_birth_date_stays_one_though_the_tagger_is_surer_of_a_date() -> None:
    born = Finding(4, 14, T.DOB, 0.9, "dates:dmy")
    assert settle([born, Finding(4, 14, T.DATE, 0.998, "names:tagger")]) == (born,)
    assert settle([born, Finding(6, 12, T.DATE, 0.998, "names:tagger")]) == (born,)
    wider = Finding(0, 14, T.DATE, 0.998, "names:tagger")
    assert settle([born, wider]) == (wider, born), "the wider span stays covered, and the birth is still said"


def test_a_name_inside_a_street_is_the_streets() -> None:
    street = Finding(0, 20, T.STREET, 0.9, "places:street")
    assert settle([street, Finding(6, 12, T.PERSON, 0.85, "names:gazetteer")]) == (street,)
    assert len(settle([street, Finding(6, 12, T.PERSON, 0.9, "names:title")])) == 2


def test_the_cache_forgets_the_oldest_and_counts_findings() -> None:
    cache = FindingCache(key=b"k" * 32, most_findings=6)
    entry = Local((Finding(0, 1, T.PERSON, 0.9),), "en", foreign=False, undecodable=False)
    keys = [cache.digest(text, "") for text in "abcd"]
    for key in keys:
        cache.put(key, entry)
    assert [cache.get(key) is not None for key in keys] == [False, True, True, True]
    cache.put(keys[1], entry)
    assert len(cache) == 3


def test_cache_keys_depend_on_key_context_and_text_and_take_any_string() -> None:
    one, two = FindingCache(key=b"1" * 32), FindingCache(key=b"2" * 32)
    assert one.digest("a", "x") != two.digest("a", "x") != one.digest("a", "y")
    assert one.digest("\ud800", "")
