"""The shadow copy: what a reader sees, with offsets that always lead back into the text as it was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers import shadow as tables
from phigate.analyzers.shadow import fold, has_lone_surrogate, view_of

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)


@pytest.mark.parametrize(
    ("text", "shadow"),
    [
        ("plain text", "plain text"),
        ("João", "João"),
        ("Joa\u0303o", "João"),
        ("ma\u200bria\u00ad", "maria"),
        ("１２３．４５６", "123.456"),
        ("٣٤٥", "345"),
        ("\u041caria", "Maria"),  # a Cyrillic capital Em
        ("a\u00a0b\u2009c", "a b c"),
        ("10\u201312", "10-12"),
        ("O\u2019Brien", "O'Brien"),
        ("ﬁx", "fix"),
        ("Jo\\u00e3o", "João"),
        ("Jos&eacute; &#233;", "José é"),
        ("S%C3%A3o%20Paulo", "São Paulo"),
        ('{"a":"x\\ny"}', '{"a":"x\ny"}'),
        ("C:\\new", "C:\\new"),
        ("\ud800x", "\ufffdx"),
        ("", ""),
    ],
)
def test_the_shadow_shows_what_a_reader_sees(text: str, shadow: str) -> None:
    assert view_of(text).shadow == shadow


@pytest.mark.parametrize("text", ["α-synuclein", "β2", "µg", "½", "™", "5°"])
def test_symbols_keep_their_place(text: str) -> None:
    assert len(view_of(text).shadow) == len(text)


@given(ANY)
def test_every_word_leads_back_to_a_stretch_of_the_text(text: str) -> None:
    view = view_of(text)
    assert len(view.folded) == len(view.shadow)
    last = 0
    for start, end in zip(view.starts, view.ends, strict=True):
        first, stop = view.original(start, end)
        assert 0 <= first < stop <= len(text)
        assert first >= last or view.offsets is not None
        last = first


@given(ANY)
def test_folding_never_changes_the_length_of_a_shadow(text: str) -> None:
    shadow = view_of(text).shadow
    assert len(fold(shadow)) == len(shadow)


def test_a_finding_in_escaped_text_covers_the_whole_escape() -> None:
    text = "Jo%C3%A3o%20Silva"
    view = view_of(text)
    start = view.shadow.index("João")
    assert view.original(start, start + 3) == (0, 8)  # three characters, the third stands for six


def test_invisible_characters_inside_a_word_belong_to_it() -> None:
    text = "x ma\u200bri\u200da y"
    view = view_of(text)
    at = view.words.index("maria")
    start, end = view.original(view.starts[at], view.ends[at])
    assert text[start:end].replace("\u200b", "").replace("\u200d", "").strip() == "maria"


def test_lone_surrogates_are_noticed() -> None:
    assert has_lone_surrogate("a\udc80b")
    assert not has_lone_surrogate("a\U0001f600b")
    assert not has_lone_surrogate("plain")


def test_a_word_of_look_alikes_alone_is_read_but_real_greek_is_left() -> None:
    assert view_of("МАРТА").shadow == "MAPTA"
    assert view_of("λόγος").shadow == "λόγος"


def test_what_the_tables_write_they_leave_as_it_is() -> None:
    for code in (*range(0x3000), *range(0xF900, 0x10000), *range(0x1D400, 0x1D800)):
        shown, folded = tables._SHADOW[code], tables._FOLD[code]
        assert len(shown) != 1 or len(tables._SHADOW[ord(shown)]) != 1 or tables._SHADOW[ord(shown)] == shown, hex(code)
        assert tables._FOLD[ord(folded)] == folded, hex(code)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FFF), max_size=80))
def test_few_changes_and_many_give_the_same(text: str) -> None:
    assert tables._mapped(text, tables._FOLD) == text.translate(tables._FOLD)


@given(st.text(alphabet=" _-.\n\tab1é", max_size=60))
def test_words_are_cut_where_their_letters_stand(text: str) -> None:
    view = view_of(text)
    assert [view.folded[s:e] for s, e in zip(view.starts, view.ends, strict=True)] == view.words
    assert all(word.isalnum() for word in view.words)
