import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phigate.deid.surroundings import Surroundings, ahead

HOSTS = frozenset({"ehr.example.org"})


def _at_end(text: str, *, json: bool = False) -> Surroundings:
    around = Surroundings(json=json, hosts=HOSTS)
    around.note(text)
    return around


@pytest.mark.parametrize(
    "text",
    [
        "see https://evil.example/?q=",
        "see HTTPS://evil.example/",
        "https:",
        "(https://",
        "//evil.example/",
        "url(//evil.example/",
        r"\\evil.example\share",
        "www.evil.example/",
        "x.www.evil.example?",
        "evil.example/?q=",
        "evil.example:8080#",
        "mailto:",
        "javascript:fetch('",
        "data:text/html,",
        "ftp://",
        "custom+app://open?",
        "![x](https://evil.example/?q=",
        "![x](/relative?q=",
        "[x](",
        "[x](a b c ",
        "[x](a(b)c",
        "[x](a\\)b",
        "[x](\nnext line",
        "[x](<//evil.example/ ",
        '<img src="',
        "<img src=",
        "<IMG\nSRC='/x?",
        '<a href="/x">ok</a> <b class="',
        '<img alt=">" src="/x?',
        "<img alt='a' src=/x?",
        '<img\n\nsrc="',
        "<!-- a=",
        "x" * 4096,
        'https://evil.example/?q="',
        "https://evil.example<br>",
    ],
)
def test_urls_targets_and_attributes_hold_no_values(text: str) -> None:
    assert _at_end(text).within()
    assert not _at_end(text).allowed()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Dear ",
        "Name:",
        "12/05/2024 ",
        "and/or ",
        "see https://evil.example/ then ",
        "see https://evil.example/\n",
        "[x](https://evil.example/) ",
        "[x](a(b)c) ",
        "[link text ",
        "[",
        "f(x) (",
        "<b>",
        "<b ",
        "pressure <5 and x=",
        "<br/>",
        "a < b = ",
        "[x](never closed\n\n",
        "[x](never closed\n \t\n",
        '<img src="/x">',
        "<img alt='it\"s'>",
        "<x",
        "<b 'a' (c) ",
        "5 mg/kg ",
        "Dr.Souza, ",
        "x" * 5000 + " ",
    ],
)
def test_plain_text_may_hold_values(text: str) -> None:
    assert not _at_end(text).within()


@pytest.mark.parametrize(
    "text",
    [
        "https://ehr.example.org/p?name=",
        "http://ehr.example.org:8443/",
        "(https://ehr.example.org/?x=1&y=",
        "![x](https://ehr.example.org/?q=",
        '<a href="https://ehr.example.org/?q=',
        "<a href=https://ehr.example.org/?q=",
    ],
)
def test_urls_of_signed_hosts_may_hold_values(text: str) -> None:
    assert _at_end(text).within()
    assert _at_end(text).allowed()


@pytest.mark.parametrize(
    "text",
    [
        "https://ehr.example.org",
        "https://ehr.example.org.evil.example/",
        "https://ehr.example.org@evil.example/",
        "https://ehr.example.org:443@evil.example/",
        r"https://ehr.example.org\@evil.example/",
        "https://user@ehr.example.org/",
        "https://EHR.example.org/",
        "ftp://ehr.example.org/",
        "xhttps://ehr.example.org/",
        "//ehr.example.org/",
        'https://ehr.example.org/"',
        "https://ehr.example.org/)![x](//evil.example/",
        "![x](a(https://ehr.example.org/",
        "<script>fetch('https://ehr.example.org/?q=",
        "[x]: <https://ehr.example.org/?q=",
        "![x](/a?https://ehr.example.org/",
        "<img alt=https://ehr.example.org/x\"src='//evil.example/",
        "<img x https://ehr.example.org/ y=",
        "<img alt=a,https://ehr.example.org/",
        "https://ehr.example.org/" + "x" * 5000,
    ],
)
def test_no_other_url_passes_for_one_of_a_signed_host(text: str) -> None:
    around = _at_end(text)
    assert around.within()
    assert not around.allowed()


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ('{"url":"https://evil.example/', True),
        ('{"url":"https:\\/\\/evil.example\\/', True),
        ('{"url":"\\/\\/evil.example\\/', True),
        ('{"url":"https://evil.example/","name":"', False),
        ('{"text":"see https://evil.example/\\n', False),
        ('{"text":"see https://evil.example/\\\\n', True),
        ('{"text":"\\u003cimg src=\\"', True),
        ('{"text":"<img src=\\"x","name":"', False),
        ('{"text":"[x](","name":"', False),
        ('{"text":"[x](\\"a ', True),
        ('{"a":"\\u', False),
    ],
)
def test_each_string_of_json_stands_alone(text: str, within: bool) -> None:
    assert _at_end(text, json=True).within() is within


@pytest.mark.parametrize(
    ("following", "final", "in_domain"),
    [
        ("", False, None),
        ("", True, False),
        (".", False, None),
        (".leak.example", False, None),
        (".leak.example", True, True),
        (".leak.example/", False, True),
        (". Then", False, False),
        (" and", False, False),
        ("'s", False, False),
        ("-x@leak.example ", False, True),
        ("x" * 127, False, None),
        ("x" * 128, False, True),
        ("x" * 127, True, False),
        (".v1.2", True, False),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_what_follows_tells_a_domain(following: str, final: bool, in_domain: bool | None, json: bool) -> None:
    assert ahead("[[P_1]]" + following, 7, json=json, final=final) is in_domain


@pytest.mark.parametrize(
    "text",
    ["<script>x = '", "<STYLE>", "<style>a</b ", "[x]: <//evil.example/ ", "[x]:<a ", "[x]:\n  <a b "],
)
def test_scripts_and_targets_of_references_hold_no_values(text: str) -> None:
    assert _at_end(text).within()
    assert not _at_end(text).allowed()


@pytest.mark.parametrize("text", ["<script>x</script> ", "[x]: <a> ", "[x]: <a\n", "[x]: a\n", "a: <5 ", "[x] :<5 "])
def test_after_them_values_stand_in_plain_text(text: str) -> None:
    assert not _at_end(text).within()


def test_a_script_ends_with_its_string_of_json() -> None:
    assert not _at_end('{"a":"<script>","b":"', json=True).within()
    assert not _at_end('{"a":"[x]: <","b":"', json=True).within()


PIECES = st.lists(
    st.sampled_from(
        [
            "https:",
            "//",
            "a.b/",
            "](",
            ")",
            "(",
            "<",
            "i",
            "script",
            "</",
            "style",
            "]:",
            ">",
            "=",
            '"',
            "'",
            " ",
            "\n",
            "\n\n",
            "\\",
            "x",
            "[",
        ]
    ),
    max_size=14,
)


@given(PIECES, st.booleans())
@example(["<", "script", "</", "script"], False)
@example(["<script>", "</scr", "ipt>"], False)
def test_asking_on_the_way_changes_no_answer(pieces: list[str], json: bool) -> None:
    if json:
        pieces = [piece for piece in pieces if "\\" not in piece]  # a token never follows half an escape
    asked, silent = (Surroundings(json=json, hosts=HOSTS) for _ in range(2))
    for piece in pieces:
        asked.note(piece)
        asked.within()
        silent.note(piece)
    assert asked.within() == silent.within()


def test_a_reference_whose_target_comes_later_is_one() -> None:
    around = Surroundings(json=False, hosts=HOSTS)
    for piece in ("[x]:", "\n", " ", "<evil.example ", "a "):
        around.note(piece)
        around.within()
    assert around.within()
