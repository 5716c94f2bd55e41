"""Strict YAML: what two readers could take for two things is refused, with the line."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import PolicyFileError
from phigate.policy.yamls import LOADERS, MAX_BYTES, JSONValue, Map, Scalar, Seq, parse, plain

READERS = pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)


def read(text: str | bytes, loader: type = LOADERS[0]) -> JSONValue:
    return plain(parse(text if isinstance(text, bytes) else text.encode(), file="f.yaml", loader=loader))


REFUSED: dict[str, tuple[str | bytes, int, str]] = {
    "anchor": ("a: &x 1\n", 1, "an anchor"),
    "anchor on a list": ("b: 1\na: &x [1]\n", 2, "an anchor"),
    "alias": ("a: 1\nb: *x\n", 2, "alias"),
    "tag": ("a: !!python/object/apply:os.system [ls]\n", 1, "a tag"),
    "tag on a scalar": ("a: !!str 1\n", 1, "a tag"),
    "tag on a key": ("!!str a: 1\n", 1, "a tag"),
    "own tag": ("a: !secret x\n", 1, "a tag"),
    "merge key": ("a: 1\nb:\n  <<: {c: 1}\n", 3, "merge key"),
    "duplicate key": ("a: 1\nb: 2\na: 3\n", 3, "twice, first in line 1"),
    "duplicate key in flow": ("a: {b: 1, b: 2}\n", 1, "twice"),
    "duplicate key by quotes": ("a: 1\n'a': 2\n", 2, "twice"),
    "tab": ("a:\n\tb: 1\n", 2, "a tab"),
    "tab in a text": ('a: "x\ty"\n', 1, "a tab"),
    "byte-order mark": (b"\xef\xbb\xbfa: 1\n", 1, "byte-order mark"),
    "utf-16": ("a: 1\n".encode("utf-16"), 1, "byte-order mark"),
    "not utf-8": (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
    "look-alike key": ("рhi: none\n", 1, "outside ASCII"),
    "key with a space": ("a b: 1\n", 1, "not a word"),
    "empty key": ("'': 1\n", 1, "not a word"),
    "list as key": ("? [a]\n: 1\n", 1, "a key is one word"),
    "mapping as key": ("? {a: 1}\n: 1\n", 1, "a key is one word"),
    "two documents": ("a: 1\n---\nb: 1\n", 2, "second document"),
    "directive": ("%YAML 1.1\n---\na: 1\n", 1, "directive"),
    "tag directive": ("%TAG ! tag:x,2000:\n---\na: 1\n", 1, "directive"),
    "zero width": ("a: ba\u200ba\n", 1, "U+200B"),
    "right to left": ("a: 1\nb: \u202e1\n", 2, "U+202E"),
    "nul": ("a: \x00\n", 1, "U+0000"),
    "next line": ("a: b\u0085c: d\n", 1, "U+0085"),
    "line separator": ("a: b\u2028c: d\n", 1, "U+2028"),
    "octal": ("a: 010\n", 1, "read as text or as a number"),
    "octal of 1.2": ("a: 0o10\n", 1, "read as text or as a number"),
    "hexadecimal": ("a: 0x1F\n", 1, "read as text or as a number"),
    "underscores": ("a: 1_000\n", 1, "read as text or as a number"),
    "sexagesimal": ("a: 1:30\n", 1, "read as text or as a number"),
    "exponent": ("a: 1e3\n", 1, "read as text or as a number"),
    "dotted exponent": ("a: 1.5e-3\n", 1, "read as text or as a number"),
    "plus": ("a: +1\n", 1, "read as text or as a number"),
    "bare point": ("a: .5\n", 1, "read as text or as a number"),
    "trailing point": ("a: 5.\n", 1, "read as text or as a number"),
    "capital true": ("a: True\n", 1, "read as text or as a number"),
    "tilde": ("a: ~\n", 1, "read as text or as a number"),
    "capital null": ("a: NULL\n", 1, "read as text or as a number"),
    "not a number": ("a: .nan\n", 1, "read as text or as a number"),
    "infinity": ("a: -.inf\n", 1, "read as text or as a number"),
    "number beyond JSON": ("a: 9999999999999999\n", 1, "read as text or as a number"),
    "zip code with a zero": ("a: [10001, 05901]\n", 1, "read as text or as a number"),
    "no mapping": ("- a\n", 1, "expected keys and values"),
    "nothing": ("", 1, "expected keys and values"),
    "only a comment": ("# a\n", 1, "expected keys and values"),
    "broken flow": ("a: [1\n", 2, "not YAML"),
    "broken quote": ('a: "1\n', 2, "not YAML"),
    "bad indent": ("a:\n  b: 1\n c: 1\n", 3, "not YAML"),
    "depth": ("a: " + "[" * 30 + "]" * 30 + "\n", 1, "at most 24 levels"),
    "ten megabytes": (b"a: 1\n" * 2_000_000, 1, f"at most {MAX_BYTES} bytes"),
    "many values": ("a: [" + "1," * 60_000 + "]\n", 1, "at most 50000 values"),
    "billion laughs": ("a: &a [x]\nb: &b [*a,*a]\n", 1, "an anchor"),
}


@READERS
@pytest.mark.parametrize("case", REFUSED)
def test_what_could_mean_two_things_is_refused(case: str, loader: type) -> None:
    text, line, says = REFUSED[case]
    with pytest.raises(PolicyFileError) as refused:
        read(text, loader)
    assert says in refused.value.problem
    assert refused.value.file == "f.yaml"
    assert refused.value.line == line or says == "not YAML"  # the readers place a syntax error differently


TAKEN: dict[str, tuple[str, JSONValue]] = {
    "words that YAML 1.1 takes for truth": (
        "a: [NO, no, yes, on, off, y, N]",
        ["NO", "no", "yes", "on", "off", "y", "N"],
    ),
    "truth": ("a: [true, false]", [True, False]),
    "numbers": ("a: [0, -3, 12, 0.40, -1.5]", [0, -3, 12, 0.4, -1.5]),
    "dates": ("a: [2026-12-01, 2026-12-01T10:00Z]", ["2026-12-01", "2026-12-01T10:00Z"]),
    "versions": ("a: [1.2.3, 2026.11.0, v1]", ["1.2.3", "2026.11.0", "v1"]),
    "quotes": ("a: ['010', \"true\", 'null']", ["010", "true", "null"]),
    "nothing": ("a: [null]", [None]),
    "letters beyond ASCII": ("a: [São Paulo, Müller, 東京]", ["São Paulo", "Müller", "東京"]),
    "blocks": ("a: |\n  one\n  two\n", "one\ntwo\n"),
    "times of day": ("a: ['10:30']", ["10:30"]),
}


@READERS
@pytest.mark.parametrize("case", TAKEN)
def test_what_is_plain_is_read_as_it_stands(case: str, loader: type) -> None:
    text, expected = TAKEN[case]
    assert read(text + "\n", loader) == {"a": expected}


@READERS
def test_every_value_remembers_its_line(loader: type) -> None:
    root = parse(b"a: 1\nb:\n  - c\n  - {d: e}\n", file="f", loader=loader)
    b = root.entries["b"]
    assert (root.line, b.line) == (1, 2)
    assert isinstance(b.value, Seq)
    first, second = b.value.items
    assert (first, second.line) == (Scalar("c", 3), 4)
    assert isinstance(second, Map)


def test_windows_line_ends_are_taken() -> None:
    assert read("a: 1\r\nb: x\r\n") == {"a": 1, "b": "x"}


JSON = st.recursive(
    st.booleans() | st.integers(-(10**15) + 1, 10**15 - 1) | st.text("abzNOyes é-:", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), JSON))
def test_json_is_read_as_itself_by_both_readers(value: dict[str, object]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert [read(text, loader) for loader in LOADERS] == [value] * len(LOADERS)


@given(st.text(max_size=60) | st.text("a:-[]{}&*!%#'\"|>\n ,?~0", max_size=40))
def test_any_text_gives_a_mapping_or_a_refusal_and_both_readers_agree(text: str) -> None:
    answers: list[JSONValue] = []
    for loader in LOADERS:
        try:
            answers.append(read(text.encode("utf-8", "replace"), loader))
        except PolicyFileError:
            answers.append("refused")
    assert len({json.dumps(answer) for answer in answers}) == 1


def test_the_fast_reader_is_in_use_where_it_is_installed() -> None:
    assert (LOADERS[0].__name__ == "CSafeLoader") == yaml.__with_libyaml__
