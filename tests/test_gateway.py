import json
from pathlib import Path
from typing import Any

import pytest

from phigate.analysis import Analysis, Unread
from phigate.audit.record import Kind
from phigate.errors import BadReplyError, InvalidRequestError, NotServedError, RefusedError, UnavailableError
from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Hold
from tests.exchange import PIXEL, Script, chunk, content, demo_bundle, drain

pytestmark = pytest.mark.anyio
NOTE = "Patient Maria Souza has had a cough for three days and asks what to do about it, please advise her today."
IMAGE = {
    "model": "gpt-5",
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": NOTE}, {"type": "image_url", "image_url": {"url": PIXEL}}],
        }
    ],
}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return demo_bundle(tmp_path_factory.mktemp("site"))


@pytest.fixture
def script(bundle: Bundle) -> Script:
    made = Script(bundle)
    made.answers("Rest.")
    return made


def test_the_site_of_these_tests_is_the_shipped_one(tmp_path: Path) -> None:
    assert set(demo_bundle(tmp_path).destinations) >= {"medgemma", "eu-cloud"}


async def test_a_question_without_phi_goes_out_scrubbed_with_two_entries(script: Script) -> None:
    reply = await script.say("How long is amoxicillin given for otitis media in adults?")
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"
    assert reply.headers["x-phigate-destination"] == "eu-cloud"
    assert script.kinds == [Kind.INTENT, Kind.OUTCOME]
    assert script.onprem.calls == []
    assert len(script.external.calls) == 1


async def test_a_name_leaves_as_a_token_and_comes_back_as_a_name(script: Script) -> None:
    script.answers("[[PERSON_1]] should rest.")
    reply = await script.say(NOTE)
    sent = json.dumps(script.external.calls[0][1])
    assert "Souza" not in sent
    assert "[[PERSON_1]]" in sent
    assert json.loads(reply.body or b"")["choices"][0]["message"]["content"] == "Maria Souza should rest."


async def test_an_image_stays_and_the_house_gets_the_body_as_sent(script: Script) -> None:
    reply = await script.send(IMAGE)
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    assert script.external.calls == []
    body = json.loads(script.onprem.calls[0][1])  # type: ignore[arg-type]
    assert body == {**IMAGE, "model": "medgemma-27b-it"}


async def test_nothing_leaves_before_its_intent_is_durable(script: Script) -> None:
    script.ledger.fail_from = 0
    with pytest.raises(UnavailableError, match="ledger"):
        await script.say(NOTE)
    assert script.external.calls == script.onprem.calls == []


async def test_a_whole_reply_waits_for_its_outcome(script: Script) -> None:
    script.ledger.fail_from = 1
    with pytest.raises(UnavailableError, match="ledger"):
        await script.say(NOTE)


async def test_what_only_the_rescan_finds_is_redacted(script: Script) -> None:
    script.analyzer.words["Zebulon"] = next(iter(script.analyzer.words.values()))
    script.analyzer.missed = frozenset({"Zebulon"})
    reply = await script.say(NOTE + " Zebulon will call.")
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"
    assert "Zebulon" not in json.dumps(script.external.calls[0][1])
    assert script.metrics.counts["residual_dirty", (("then", "redacted"),)] == 1


async def test_a_copy_that_does_not_come_clean_stays_home(script: Script) -> None:
    rescan, shown = script.analyzer.rescan, iter(["cough", "three"])

    async def another(parts: Any, **more: Any) -> Analysis:  # each look finds one word more
        script.analyzer.words[next(shown)] = EntityType.PERSON
        return await rescan(parts, **more)

    script.analyzer.missed = frozenset({"cough", "three"})
    script.analyzer.rescan = another  # type: ignore[method-assign]
    reply = await script.say(NOTE)
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    assert script.external.calls == []
    assert len(script.onprem.calls) == 1
    assert frozenset({Hold.RESIDUAL}) in script.held.held.values()


async def test_a_dead_detector_refuses_and_records(script: Script) -> None:
    script.analyzer.down = "dead"
    with pytest.raises(UnavailableError, match="detector"):
        await script.say(NOTE)
    assert script.kinds == [Kind.REFUSAL]
    assert script.entry(Kind.REFUSAL).fields["reason"] == "detector_unavailable"
    assert script.external.calls == script.onprem.calls == []


async def test_an_unread_part_stays(script: Script) -> None:
    script.analyzer.unread = {"/messages/0/content": Unread.TIMEOUT}
    reply = await script.say("What is sepsis?")
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    assert script.external.calls == []


async def test_when_the_house_is_down_nothing_takes_a_looser_route(script: Script) -> None:
    script.onprem.up = False
    with pytest.raises(UnavailableError) as caught:
        await script.send(IMAGE)
    assert caught.value.code == "no_destination_available"
    assert script.external.calls == []
    assert script.kinds == [Kind.REFUSAL]


async def test_when_the_outside_is_down_the_house_answers_and_says_so(script: Script) -> None:
    script.external.up = False
    reply = await script.say(NOTE)
    assert reply.headers["x-phigate-mode"] == "onprem"
    assert script.entry(Kind.INTENT).fields["mode"] == "onprem"


async def test_each_attempt_has_its_own_intent_and_outcome(script: Script) -> None:
    script.external.error = UnavailableError("down", code="upstream_down")
    reply = await script.say(NOTE)
    assert reply.headers["x-phigate-mode"] == "onprem"
    assert script.kinds == [Kind.INTENT, Kind.OUTCOME, Kind.INTENT, Kind.OUTCOME]
    assert [d.attempt for d in script.ledger.drafts] == [1, 1, 2, 2]
    assert script.ledger.drafts[1].fields["status"] != "ok"


async def test_an_app_whose_patients_are_children_stays(script: Script) -> None:
    script.app = "pediatrics"
    reply = await script.say("What is sepsis?")
    assert reply.headers["x-phigate-mode"] == "keep_onprem"


async def test_an_unknown_model_of_a_strict_app_is_refused_and_recorded(script: Script, bundle: Bundle) -> None:
    from dataclasses import replace

    app = replace(bundle.apps["demo"], strict_models=True)
    script.bundle = replace(bundle, apps={**bundle.apps, "demo": app})
    with pytest.raises(NotServedError):
        await script.say("What is sepsis?")
    assert script.kinds == [Kind.REFUSAL]


async def test_a_malformed_body_is_tallied_and_not_an_entry_of_its_own(script: Script) -> None:
    with pytest.raises(InvalidRequestError):
        await script.send(b"{")
    assert script.ledger.drafts == []
    assert len(script.tallied) == 1


async def test_a_later_turn_does_not_escape_an_earlier_limit(script: Script) -> None:
    await script.send(IMAGE)
    assert any(Hold.ATTACHMENT in holds for holds in script.held.held.values())
    reply = await script.say(NOTE)
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    assert script.external.calls == []
    assert script.ledger.drafts[-2].fields["inherited"] == ["attachment"]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_reply_to_a_held_request_stays_at_home_too(script: Script, stream: bool) -> None:
    answer = "The picture shows a fracture of the left radius with little displacement and no other lesion."
    if stream:
        script.streams(answer[:30], answer[30:])
    else:
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        script.onprem.reply_body = json.dumps({"choices": [choice]}).encode()
    reply = await script.send({**IMAGE, "stream": stream})
    if reply.stream is not None:
        await drain(reply.stream)
    later = await script.say(answer)
    assert later.headers["x-phigate-mode"] == "keep_onprem"
    assert script.external.calls == []


async def test_a_stream_ends_with_its_outcome_before_done(script: Script) -> None:
    script.streams("[[PER", "SON_1]] ", "rests.")
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    events = []
    async for event in reply.stream:
        events.append(event)
        if b'finish_reason":"stop' in event.replace(b" ", b""):
            assert script.kinds == [Kind.INTENT, Kind.OUTCOME]
    assert content(events) == "Maria Souza rests."
    assert events[-1] == b"data: [DONE]\n\n"
    assert events[-2].startswith(b": phigate outcome=audit.test/phigate#1")


async def test_a_stream_whose_outcome_cannot_be_written_is_not_done(script: Script) -> None:
    script.streams("Rest.")
    script.ledger.fail_from = 1
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    events = await drain(reply.stream)
    assert b"[DONE]" not in b"".join(events)
    assert b"ledger" in events[-1]
    assert b'"finish_reason": "stop"' not in b"".join(events)


async def test_a_stream_that_breaks_says_so_and_has_an_outcome(script: Script) -> None:
    script.streams("[[PERSON_1]] ", "rests", " well")
    script.external.break_after = 2
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    events = await drain(reply.stream)
    assert b"[DONE]" not in b"".join(events)
    assert b'"error"' in events[-1]
    assert script.entry(Kind.OUTCOME).fields["status"] == "upstream_error"


async def test_a_client_that_hangs_up_is_an_outcome_too(script: Script) -> None:
    script.streams("one ", "two ", "three ")
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    await anext(reply.stream)
    await reply.stream.aclose()  # type: ignore[attr-defined]
    await script.last.returning.close()
    assert script.entry(Kind.OUTCOME).fields["status"] == "client_abort"
    assert script.external.closed == 1


async def test_a_client_that_hangs_up_while_the_reply_is_scanned_has_an_outcome(script: Script) -> None:
    import asyncio

    script.streams("one", "two")
    reply = await script.say(NOTE, stream=True)
    stuck = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        stuck.set()
        await asyncio.sleep(3600)

    script.analyzer.analyze = never  # type: ignore[method-assign,assignment]
    assert reply.stream is not None
    reading = asyncio.ensure_future(drain(reply.stream))
    await stuck.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await script.last.returning.close()
    assert script.entry(Kind.OUTCOME).fields["status"] == "client_abort"


async def test_a_whole_reply_that_is_garbage_has_an_outcome(script: Script) -> None:
    script.external.reply_body = b"<html>"
    with pytest.raises(BadReplyError):
        await script.say(NOTE)
    await script.last.returning.close()
    assert script.kinds == [Kind.INTENT, Kind.OUTCOME]


async def test_an_attempt_cut_off_while_sending_has_an_outcome(script: Script) -> None:
    script.external.error = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        await script.say(NOTE)
    await script.last.returning.close()
    assert script.entry(Kind.OUTCOME).fields["status"] == "unknown"


async def test_a_broken_stream_releases_nothing_that_waited(script: Script) -> None:
    script.streams("Rest.")
    assert script.external.reply_events is not None
    script.external.reply_events.append(b"{}")
    script.external.break_after = 2  # after the finishing chunk
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    events = b"".join(await drain(reply.stream))
    assert b'"stop"' not in events
    assert b"[DONE]" not in events


async def test_several_choices_that_finish_in_one_chunk_wait_for_the_outcome(script: Script) -> None:
    both: Any = [{"index": n, "delta": {}, "finish_reason": "stop"} for n in (0, 1)]
    script.streams("a", finish=False)
    assert script.external.reply_events is not None
    script.external.reply_events.append(json.dumps({"object": "chat.completion.chunk", "choices": both}).encode())
    script.ledger.fail_from = 1
    reply = await script.say(NOTE, stream=True, n=2)
    assert reply.stream is not None
    assert b'"stop"' not in b"".join(await drain(reply.stream))


async def test_what_is_held_back_is_remembered_even_when_the_house_is_down(script: Script) -> None:
    script.onprem.up = False
    with pytest.raises(UnavailableError):
        await script.send(IMAGE)
    script.onprem.up = True
    reply = await script.say(NOTE)
    assert reply.headers["x-phigate-mode"] == "keep_onprem"


async def test_a_memory_of_held_parts_that_fails_refuses_and_records(script: Script) -> None:
    async def fails(*_: object) -> frozenset[Hold]:
        raise UnavailableError("the database fails", code="state_unavailable")

    script.held.limits = fails  # type: ignore[method-assign,assignment]
    with pytest.raises(UnavailableError):
        await script.say(NOTE)
    assert script.kinds == [Kind.REFUSAL]
    assert script.external.calls == script.onprem.calls == []


async def test_a_copy_without_one_of_its_messages_does_not_leave(script: Script) -> None:
    messages = [{"role": "Helena", "content": "x"}, {"role": "user", "content": "What is sepsis?"}]
    reply = await script.send({"model": "gpt-5", "messages": messages})
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    assert script.external.calls == []


async def test_a_reply_that_could_not_be_scanned_withholds_its_tool_calls(script: Script) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id": "123-45-6789"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    script.external.reply_body = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
    pointer = "/choices/0/message/tool_calls/0/function/arguments#/id"
    script.analyzer.unread = {pointer: Unread.FAILED}
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    with pytest.raises(BadReplyError, match="identifier"):
        await script.say(NOTE, tools=[tool])
    assert script.entry(Kind.OUTCOME).fields["status"] == "blocked_output"


async def test_a_name_cut_in_two_by_the_edge_of_a_part_leaves_in_neither(script: Script) -> None:
    pieces = [{"type": "text", "text": "Patient Maria So"}, {"type": "text", "text": "uza has a cough."}]
    await script.send({"model": "gpt-5", "messages": [{"role": "user", "content": pieces}]})
    sent = json.dumps(script.external.calls[0][1])
    assert "Maria So" not in sent
    assert "uza" not in sent


async def test_errors_hold_no_text_of_the_request(script: Script) -> None:
    script.app = "demo"
    for break_it in ("analyzer", "ledger", "external"):
        made = Script(script.bundle)
        if break_it == "analyzer":
            made.analyzer.down = "dead"
        elif break_it == "ledger":
            made.ledger.fail_from = 0
        else:
            made.external.error = made.onprem.error = BadReplyError("garbage", code="bad_reply")
        with pytest.raises((UnavailableError, BadReplyError, RefusedError)) as caught:
            await made.say(NOTE)
        assert "Souza" not in str(caught.value)


FIND = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}, "required": ["name"]}
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": FIND}}]
CALL = {"id": "t", "type": "function", "function": {"name": "find", "arguments": '{"name":"[[PERSON_1]]"}'}}


async def test_arguments_that_do_not_fit_are_said_and_pass(script: Script) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [CALL]}, "finish_reason": "tool_calls"}
    script.external.reply_body = json.dumps({"choices": [choice]}).encode()
    reply = await script.say(NOTE, tools=TOOLS)
    assert b"Maria Souza" in (reply.body or b"")
    assert reply.headers["x-phigate-tool-arguments"] == "misfit=1"
    assert script.metrics.counts["tool_arguments_misfit", ()] == 1
    fitting = {**FIND, "properties": {"name": {"const": "Maria Souza"}}}
    reply = await script.say(NOTE, tools=[{"type": "function", "function": {"name": "find", "parameters": fitting}}])
    assert "x-phigate-tool-arguments" not in reply.headers


async def test_a_stream_says_which_arguments_do_not_fit_before_its_outcome(script: Script) -> None:
    first, second = '{"name":"[[PER', 'SON_1]]"}'
    script.external.reply_events = [
        chunk({"tool_calls": [{"index": 0, **CALL, "function": {"name": "find", "arguments": first}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": second}}]}),
        chunk({}, "tool_calls"),
    ]
    reply = await script.say(NOTE, stream=True, tools=TOOLS)
    assert reply.stream is not None
    events = await drain(reply.stream)
    assert events[-3] == b": phigate tool_arguments misfit=1\n\n"
    assert events[-2].startswith(b": phigate outcome=")
    assert script.metrics.counts["tool_arguments_misfit", ()] == 1
