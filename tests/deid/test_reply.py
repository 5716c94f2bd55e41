import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.reply import StreamRestorer, restore_reply
from phigate.deid.surrogate import Issued, SurrogateMap
from phigate.errors import BadReplyError
from phigate.finding import EntityType as T
from phigate.phi import PHIText

MAP = SurrogateMap(
    (
        Issued("[[PERSON_1]]", T.PERSON, PHIText('Maria "Zé" Souza')),
        Issued("[[PERSON_2]]", T.PERSON, PHIText("Rui")),
        Issued("[[MRN_1]]", T.MRN, PHIText("12345678"), PHIText("12345678")),
    )
)
EMPTY = SurrogateMap()
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-eu"}


def _reply(*messages: dict[str, Any], **more: object) -> bytes:
    choices = [{"index": n, "message": m, "finish_reason": "stop", **more} for n, m in enumerate(messages)]
    return json.dumps(
        {"id": "c1", "object": "chat.completion", "choices": choices, "usage": {"total_tokens": 1}}
    ).encode()


def _chunk(delta: dict[str, Any] | None, index: int = 0, finish: str | None = None, **more: object) -> bytes:
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish, **more}]
    return json.dumps({**HEAD, "choices": choices}).encode()


def _joined(events: list[bytes]) -> dict[tuple[Any, ...], str]:
    """Put a stream together as a client does."""
    texts: dict[tuple[Any, ...], str] = {}
    for event in events:
        for choice in json.loads(event)["choices"]:
            delta, index = choice["delta"], choice["index"]
            for name in ("content", "refusal", "reasoning_content"):
                if delta.get(name):
                    texts[index, name] = texts.get((index, name), "") + delta[name]
            for call in delta.get("tool_calls", ()):
                key = (index, "tool", call["index"])
                texts[key] = texts.get(key, "") + call["function"]["arguments"]
    return texts


def _run(
    events: list[bytes], surrogates: SurrogateMap = MAP, *, as_json: bool = False
) -> tuple[list[bytes], StreamRestorer]:
    restorer = StreamRestorer(surrogates, json=as_json)
    out = [piece for event in events for piece in restorer.feed(event)]
    return [*out, *restorer.close()], restorer


# -- whole replies -------------------------------------------------------------------------------------------------


def test_every_channel_of_every_choice_is_restored() -> None:
    call = {
        "id": "x",
        "type": "function",
        "function": {"name": "find", "arguments": '{"n":"[[PERSON_1]]","mrn":"[[MRN_1]]"}'},
    }
    restored = restore_reply(
        _reply(
            {
                "role": "assistant",
                "content": "[[PERSON_1]] is here",
                "reasoning_content": "[[PERSON_2]]",
                "tool_calls": [call],
            },
            {"role": "assistant", "content": None, "refusal": "not for [[PERSON_2]]"},
        ),
        MAP,
    )
    first, second = (choice["message"] for choice in json.loads(restored.body)["choices"])
    assert first["content"] == 'Maria "Zé" Souza is here'
    assert first["reasoning_content"] == "Rui"
    assert json.loads(first["tool_calls"][0]["function"]["arguments"]) == {"n": 'Maria "Zé" Souza', "mrn": 12345678}
    assert second["refusal"] == "not for Rui"
    assert restored.counts == {"sent": 3, "restored": 5, "withheld": 0, "lost": 0, "invented": 0}
    assert [text.reveal() for text in restored.shown][:2] == ['Maria "Zé" Souza is here', "Rui"]


def test_what_the_model_wrote_comes_apart_for_scanning() -> None:
    body = _reply(
        {"content": "ask [[PERSON_1]]", "function_call": {"arguments": '{"n":"Ana","m":"[[MRN_1]]"}'}, "refusal": ""}
    )
    texts = restore_reply(body, MAP).texts
    assert [(p.index, p.role, p.text.reveal()) for p in texts] == [
        (0, "assistant", "ask [[PERSON_1]]"),
        (1, "tool", "n"),
        (2, "tool", "Ana"),
        (3, "tool", "m"),
        (4, "tool", "[[MRN_1]]"),
    ]


def test_a_reply_without_tokens_passes_byte_for_byte() -> None:
    body = b'{ "choices": [ {"message": {"content": "none"}, "logprobs": null} ] }'
    restored = restore_reply(body, MAP)
    assert restored.body == body
    assert restored.counts == {"sent": 3, "restored": 0, "withheld": 0, "lost": 3, "invented": 0}
    assert restore_reply(_reply({"content": "x"}, logprobs={"content": []}), EMPTY).body == _reply(
        {"content": "x"}, logprobs={"content": []}
    )


def test_probabilities_are_not_passed_on_where_values_were_taken_out() -> None:
    body = _reply({"content": "x"}, logprobs={"content": [{"token": "[[PERS"}]})
    assert json.loads(restore_reply(body, MAP).body)["choices"][0]["logprobs"] is None


def test_content_asked_for_as_json_is_restored_as_json() -> None:
    body = _reply({"content": '{"n":"[[PERSON_1]]"}', "reasoning_content": "[[PERSON_1]]"})
    message = json.loads(restore_reply(body, MAP, json=True).body)["choices"][0]["message"]
    assert json.loads(message["content"]) == {"n": 'Maria "Zé" Souza'}
    assert message["reasoning_content"] == 'Maria "Zé" Souza'


def test_tokens_in_urls_are_withheld_but_for_signed_hosts() -> None:
    body = _reply({"content": "https://evil.example/[[PERSON_2]] https://ehr.example/[[PERSON_2]]"})
    restored = restore_reply(body, MAP, restore_in_urls=frozenset({"ehr.example"}))
    assert json.loads(restored.body)["choices"][0]["message"]["content"] == (
        "https://evil.example/[[PERSON_2]] https://ehr.example/Rui"
    )
    assert restored.counts["withheld"] == 1
    assert restored.counts["lost"] == 2


def test_a_restored_reply_never_shows_itself() -> None:
    assert "Rui" not in repr(restore_reply(_reply({"content": "[[PERSON_2]]"}), MAP))


def test_a_reply_that_is_no_json_is_an_error() -> None:
    with pytest.raises(BadReplyError):
        restore_reply(b"<html>", MAP)
    with pytest.raises(BadReplyError):
        StreamRestorer(MAP).feed(b"<html>")


# -- streams -------------------------------------------------------------------------------------------------------


def test_chunks_without_tokens_pass_byte_for_byte() -> None:
    events = [
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"content": " hi"}),
        _chunk({}, finish="stop"),
        _chunk(None),
    ]
    assert _run(events)[0] == events


def test_a_token_over_many_chunks_is_restored_once_it_is_whole() -> None:
    events = [_chunk({"content": piece}) for piece in ("to [", "[PERS", "ON_2]", "] and", " more")]
    out, restorer = _run([*events, _chunk({}, finish="stop")])
    assert [json.loads(event)["choices"][0]["delta"].get("content") for event in out] == [
        "to ", "", "", "Rui and", " more", None,
    ]  # fmt: skip
    assert restorer.counts == {"sent": 3, "restored": 1, "withheld": 0, "lost": 2, "invented": 0}
    assert [text.reveal() for text in restorer.shown] == ["to Rui and more"]


def test_held_back_text_comes_before_the_chunk_that_finishes_its_choice() -> None:
    events = [
        _chunk({"content": "a [[PERSON_"}, 0),
        _chunk({"content": "b ["}, 1),
        _chunk({"tool_calls": [{"index": 2, "function": {"arguments": '{"x":"[['}}]}, 0),
        _chunk({}, 0, "stop"),
        _chunk({}, 1, "length"),
    ]
    out, _ = _run(events)
    assert [json.loads(e)["choices"][0] for e in out[3:]] == [
        {"index": 0, "delta": {"content": "[[PERSON_"}, "finish_reason": None},
        {"index": 0, "delta": {"tool_calls": [{"index": 2, "function": {"arguments": '"[['}}]}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
        {"index": 1, "delta": {"content": "["}, "finish_reason": None},
        {"index": 1, "delta": {}, "finish_reason": "length"},
    ]
    assert all({name: json.loads(e)[name] for name in HEAD} == HEAD for e in out)


def test_a_finishing_chunk_with_text_of_its_own_takes_the_rest() -> None:
    out, _ = _run([_chunk({"content": "a ["}), _chunk({"content": "[x ["}, finish="stop")])
    assert len(out) == 2
    assert _joined(out) == {(0, "content"): "a [[x ["}
    plain = [_chunk({"content": "x"}, finish="stop")]
    assert _run(plain)[0] == plain


@pytest.mark.parametrize("finish", [True, False])
def test_a_stream_that_breaks_loses_nothing(finish: bool) -> None:
    events = [_chunk({"content": "see [[PERSON_1"}), *([_chunk({}, finish="stop")] if finish else [])]
    assert _joined(_run(events)[0]) == {(0, "content"): "see [[PERSON_1"}


def test_usage_and_errors_pass_and_shape_no_later_chunk() -> None:
    usage = json.dumps({**HEAD, "choices": [], "usage": {"total_tokens": 3}}).encode()
    error = b'{"error": {"message": "overloaded"}}'
    out, _ = _run([_chunk({"content": "["}), usage, error])
    assert out[1:3] == [usage, error]
    assert "usage" not in json.loads(out[3])
    assert "error" not in json.loads(out[3])
    assert json.loads(out[3])["model"] == "gpt-eu"


def test_probabilities_of_a_stream_are_not_passed_on() -> None:
    event = _chunk({"content": "x"}, logprobs={"content": [{"token": "x"}]})
    assert json.loads(_run([event])[0][0])["choices"][0]["logprobs"] is None
    assert _run([event], EMPTY)[0] == [event]


def test_json_content_of_a_stream_is_restored_as_json() -> None:
    events = [_chunk({"content": piece}) for piece in ('{"n":"[[PERS', 'ON_1]]","m":"', '[[MRN_1]]"', "}")]
    assert json.loads(_joined(_run(events, as_json=True)[0])[0, "content"]) == {"n": 'Maria "Zé" Souza', "m": 12345678}


def test_sentences_are_given_for_scanning_as_they_come() -> None:
    restorer = StreamRestorer(MAP)
    restorer.feed(_chunk({"content": "Short. "}))
    assert restorer.scan() == ()
    restorer.feed(_chunk({"content": "x" * 200 + ". And [[PERSON_2]] the rest", "refusal": "y" * 300}))
    restorer.feed(_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":"' + "b" * 300}}]}))
    assert [p.text.reveal() for p in restorer.scan()] == ["Short. " + "x" * 200 + "."]
    assert restorer.scan() == ()
    restorer.feed(_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}))
    rest = restorer.scan(ended=True)
    assert [p.text.reveal() for p in rest] == [" And [[PERSON_2]] the rest", "y" * 300, "a", "b" * 300]
    assert [p.index for p in rest] == [1, 2, 3, 4]
    assert restorer.scan(ended=True) == ()


PIECES = st.lists(
    st.sampled_from(
        ["[[PERSON_1]]", "[[PERSON_2]]", "[[MRN_1]]", '"[[MRN_1]]"', "[", "]", '"', " ", "Ana ", "[[X_1]]"]
    ),
    max_size=8,
)
CHANNELS = st.sampled_from(
    [(0, "content"), (1, "content"), (0, "refusal"), (0, "tool", 0), (0, "tool", 1), (2, "tool", 0)]
)


def _delta(channel: tuple[Any, ...], text: str) -> bytes:
    if channel[1] == "tool":
        return _chunk({"tool_calls": [{"index": channel[2], "function": {"arguments": text}}]}, channel[0])
    return _chunk({channel[1]: text}, channel[0])


@given(st.dictionaries(CHANNELS, PIECES.map("".join), max_size=4), st.randoms(use_true_random=False), st.booleans())
def test_any_split_and_any_interleaving_give_the_same_texts(
    texts: dict[tuple[Any, ...], str], rng: random.Random, finished: bool
) -> None:
    whole, _ = _run([_delta(channel, text) for channel, text in texts.items()])
    left = dict(texts)
    events: list[bytes] = []
    while left:
        channel = rng.choice(sorted(left, key=str))
        size = rng.randint(1, 5)
        events.append(_delta(channel, left[channel][:size]))
        left[channel] = left[channel][size:]
        if not left[channel]:
            del left[channel]
            if finished and not any(other[0] == channel[0] for other in left):
                events.append(_chunk({}, channel[0], "stop"))
    split, _ = _run(events)
    assert _joined(split) == _joined(whole)
    if finished:
        ended: set[int] = set()
        for event in split:
            for choice in json.loads(event)["choices"]:
                assert choice["index"] not in ended
                if choice["finish_reason"]:
                    ended.add(choice["index"])
