"""A restored stream says what the whole reply says, however its text, its events and its bytes are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.reply import StreamRestorer, restore_reply
from phigate.deid.surrogate import Issued, SurrogateMap
from phigate.finding import EntityType as T
from phigate.phi import PHIText
from phigate.wire import sse

MAP = SurrogateMap(
    (
        Issued("[[PERSON_1]]", T.PERSON, PHIText('Zélia "Z" Prado\n')),
        Issued("[[PERSON_1.2]]", T.PERSON, PHIText("Prado")),
        Issued("[[MRN_1]]", T.MRN, PHIText("48210377"), PHIText("48210377")),
        Issued("[[DATE_2+12d]]", T.DATE, PHIText("29/05/2024")),
        Issued("[[CITY_1]]", T.CITY, PHIText("[[MRN_1]]")),
    )
)
BITS = st.sampled_from(
    [
        "[[PERSON_1]]",
        "[[PERSON_1.2]]",
        "[[MRN_1]]",
        "[[date_2]]",
        "[[CITY_1]]",
        "[[PERSON_7]]",
        r"\[\[PERSON\_1\]\]",
        "[",
        "]]",
        "\\",
        '"',
        " ",
        ". ",
        ".",
        ".leak.example",
        "@leak.example",
        "https://leak.example/",
        "](",
        ")",
        "é",
        "𝒳",
        "<img src=",
        "<script>",
        "\r\n",
        "\n\n",
        "data: x\n\n",
        "[DONE]",
        ": comment",
    ]
)
TEXTS = st.lists(BITS, max_size=12).map("".join)
VALUES = st.dictionaries(st.sampled_from(["a", "[[PERSON_1]]", "n"]), BITS | st.integers(), max_size=3)
CHOICES = st.lists(
    st.tuples(TEXTS, VALUES.map(lambda value: json.dumps(value, ensure_ascii=False))), min_size=1, max_size=3
)


def _whole(choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    messages: list[dict[str, Any]] = [
        {"content": text, "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
        for text, arguments in choices
    ]
    listed = [{"index": n, "message": message, "finish_reason": "stop"} for n, message in enumerate(messages)]
    restored = json.loads(restore_reply(json.dumps({"choices": listed}).encode(), MAP).body)
    return [
        (choice["message"]["content"], choice["message"]["tool_calls"][0]["function"]["arguments"])
        for choice in restored["choices"]
    ]


def _pieces(text: str, draw: st.DataObject) -> list[str]:
    cuts = sorted(set(draw.draw(st.lists(st.integers(0, len(text)), max_size=12))) | {0, len(text)})
    return [text[a:b] for a, b in pairwise(cuts)] or [""]


def _events(choices: list[tuple[str, str]], draw: st.DataObject) -> list[bytes]:
    """Cut every channel in pieces, and shuffle the channels without changing the order in any."""
    waiting: list[list[dict[str, Any]]] = []
    for index, (text, arguments) in enumerate(choices):
        deltas: list[dict[str, Any]] = [{"content": piece} for piece in _pieces(text, draw)]
        calls = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in _pieces(arguments, draw)]
        waiting += [[{"index": index, "delta": delta} for delta in channel] for channel in (deltas, calls)]
    events: list[dict[str, Any]] = []
    while any(waiting):
        channel = draw.draw(st.sampled_from([channel for channel in waiting if channel]))
        events.append(channel.pop(0))
    if draw.draw(st.booleans()):  # else the stream just ends
        events += [{"index": index, "delta": {}, "finish_reason": "stop"} for index in range(len(choices))]
    return [json.dumps({"choices": [event]}, ensure_ascii=False).encode() for event in events]


def _streamed(data: bytes, cuts: list[int], number: int) -> list[tuple[str, str]]:
    decoder, restorer = sse.SSEDecoder(), StreamRestorer(MAP)
    out: list[bytes] = []
    edges = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(edges):
        for event in decoder.feed(data[start:end]):
            out += restorer.feed(event)
    out += restorer.close()
    said: list[list[str]] = [["", ""] for _ in range(number)]
    for chunk in out:
        for choice in json.loads(chunk)["choices"]:
            delta = choice["delta"]
            said[choice["index"]][0] += delta.get("content") or ""
            for call in delta.get("tool_calls", ()):
                said[choice["index"]][1] += call["function"]["arguments"]
    return [(text, arguments) for text, arguments in said]


@given(CHOICES, st.lists(st.integers(0, 10_000), max_size=20), st.data())
def test_any_cut_of_text_events_and_bytes_gives_the_whole_reply(
    choices: list[tuple[str, str]], cuts: list[int], data: st.DataObject
) -> None:
    stream = b"".join(sse.encode(event) for event in _events(choices, data))
    assert _streamed(stream, cuts, len(choices)) == _whole(choices)
