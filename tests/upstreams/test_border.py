"""The passage: one request to one place, nothing forbidden in it, and its bytes on record."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.search import holds_value
from phigate.errors import BadReplyError, SettingsError, UnavailableError
from phigate.phi import PHIText
from phigate.upstreams.border import Passage, StoppedError, outlet, readable
from phigate.upstreams.reply import NOTHING_SENT, ReplyLimits, Timeouts

pytestmark = pytest.mark.anyio

URL = "https://llm.example/v1/chat/completions"


class Script(httpx.AsyncByteStream):
    """An answer made of pieces; a float waits, an exception is raised."""

    def __init__(self, *steps: bytes | float | Exception) -> None:
        self.steps = steps
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self.steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, Exception):
                raise step
            else:
                await asyncio.sleep(step)

    async def aclose(self) -> None:
        self.closed = True


class Provider(httpx.AsyncBaseTransport):
    """What stands behind the passage: keeps what it got, answers as told."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.got: list[httpx.Request] = []
        self.error: Exception | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        if self.error is not None:
            raise self.error
        answer: dict[str, Any] = {"status_code": 200, "stream": Script(b'{"ok": 1}'), **self.answer}
        return httpx.Response(**answer)


def passage(provider: httpx.AsyncBaseTransport, *forbidden: str, **changes: Any) -> Passage:
    given_: dict[str, Any] = {
        "to": outlet("eu", "https://llm.example/v1"),
        "forbidden": tuple(PHIText(value) for value in forbidden),
        "mac": lambda body: body[-4:],
        "timeouts": Timeouts(1, 0.3, 0.3, 1),
        "limits": ReplyLimits(),
        "end_mark": None,
    }
    return Passage(provider, **(given_ | changes))


async def post(through: Passage, url: str = URL, *, body: Any = None, **request: Any) -> httpx.Response:
    content = json.dumps(body if body is not None else {"messages": []}).encode()
    async with httpx.AsyncClient(transport=through, trust_env=False) as client:
        return await client.post(
            url, **({"content": content, "headers": {"content-type": "application/json"}} | request)
        )


async def test_request_passes_with_the_headers_of_the_list_and_its_bytes_are_on_record() -> None:
    provider = Provider(headers={"x-request-id": "req_1", "set-cookie": "a=b"})
    through = passage(provider)
    body = json.dumps({"messages": [{"role": "user", "content": "olá"}]}).encode()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "authorization": "Bearer k",
        "cookie": "a=b",
        "user-agent": "library/1.0 (Linux; host ward-3)",
        "x-stainless-os": "Linux",
        "openai-organization": "hospital",
        "traceparent": "00-1",
    }
    reply = await post(through, content=body, headers=headers)
    assert reply.status_code == 200
    assert "set-cookie" not in reply.headers
    [got] = provider.got
    assert dict(got.headers) == {
        "accept": "*/*",
        "authorization": "Bearer k",
        "host": "llm.example",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "accept-encoding": "identity",
        "user-agent": "phigate",
    }
    assert got.content == body
    assert through.sent == (len(body), body[-4:])
    assert (through.status, through.request_id, through.problem) == (200, "req_1", None)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://other.example/v1/chat/completions", "a request to another host"),
        ("https://llm.example:8443/v1/chat/completions", "a request to another host"),
        ("http://llm.example/v1/chat/completions", "a request to another host"),
        ("https://llm.example.evil.example/v1/chat/completions", "a request to another host"),
        ("https://llm.example@evil.example/v1/x", "a request to another host"),
        ("https://llm.example/v2/chat/completions", "a request to another path"),
        ("https://llm.example/v1", "a request to another path"),
        ("https://llm.example/v1/%2e%2e/admin", "a request to another path"),
        ("https://llm.example/v1/chat?key=1", "a query in the URL"),
    ],
)
async def test_any_other_place_is_refused(url: str, what: str) -> None:
    provider = Provider()
    through = passage(provider)
    with pytest.raises(StoppedError):
        await post(through, url)
    assert provider.got == []
    assert isinstance(through.problem, BadReplyError)
    assert str(through.problem) == f"the border to `eu` stopped {what}; nothing was sent"
    assert through.problem.sent == NOTHING_SENT


@pytest.mark.parametrize("query", ["", "?alt=sse", "?api-version=2024-10-21"])
async def test_queries_of_the_dialects_pass(query: str) -> None:
    provider = Provider()
    await post(passage(provider), URL + query)
    assert len(provider.got) == 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),
        ("POST", {"content-type": "text/plain"}),
        ("POST", {"content-type": "application/json", "content-encoding": "gzip"}),
    ],
)
async def test_anything_but_a_post_of_plain_json_is_refused(method: str, headers: dict[str, str]) -> None:
    provider = Provider()
    through = passage(provider)
    async with httpx.AsyncClient(transport=through, trust_env=False) as client:
        with pytest.raises(StoppedError):
            await client.request(method, URL, content=b"{}", headers=headers)
    assert provider.got == []
    assert through.sent == NOTHING_SENT


async def test_second_request_is_refused_whatever_became_of_the_first() -> None:
    for provider in (Provider(), Provider(status_code=500)):
        through = passage(provider)
        await post(through)
        with pytest.raises(StoppedError):
            await post(through)
        assert len(provider.got) == 1
    provider = Provider()
    provider.error = httpx.ConnectError("no route to llm.example")
    through = passage(provider)
    for _ in range(2):
        with pytest.raises(StoppedError):
            await post(through)
    assert len(provider.got) == 1
    assert str(through.problem) == "`eu` cannot be reached"
    assert through.sent == NOTHING_SENT


FORBIDDEN = ("Zulmira Quixadá", "Ana", "123.456.789-09", "12/03/2024")


@pytest.mark.parametrize(
    "text",
    [
        "Zulmira Quixadá",
        "ZULMIRA  quixada",
        "zulmira\nquixada",
        "Zulmira\u00a0Quixada\u0301",
        "paciente Ana.",
        "cpf 12345678909",
        "cpf 123 456 789 09",
        "em 12/03/2024",
        json.dumps({"nested": json.dumps({"name": "Zulmira Quixadá"})}),
    ],
)
async def test_forbidden_values_are_found_in_every_writing(text: str) -> None:
    for body in (
        {"messages": [{"role": "user", "content": text}]},
        {"messages": [{"role": "user", "content": "x", "name": text}]},
        {"tools": [{"function": {"parameters": {"properties": {text: {"type": "string"}}}}}]},
        {"contents": [{"parts": [{"functionCall": {"args": {"a": [{"b": text}]}}}]}]},
        {"stop": [text]},
    ):
        provider = Provider()
        through = passage(provider, *FORBIDDEN)
        with pytest.raises(StoppedError):
            await post(through, body=body)
        assert provider.got == []
        assert str(through.problem) == "the border to `eu` stopped a value that was to be taken out; nothing was sent"


async def test_forbidden_numbers_are_found_as_numbers() -> None:
    through = passage(provider := Provider(), "12345678909")
    with pytest.raises(StoppedError):
        await post(through, body={"tools": [{"parameters": {"const": 12345678909}}]})
    assert provider.got == []


async def test_doubled_keys_hide_nothing() -> None:
    through = passage(provider := Provider(), "Zulmira")
    with pytest.raises(StoppedError):
        await post(through, content=b'{"content": "Zulmira", "content": "x"}')
    assert provider.got == []


@pytest.mark.parametrize(
    "body",
    [
        {"model": "max-2024", "max_tokens": 4096, "messages": [{"role": "user", "content": "the maximum is anaemia"}]},
        {"messages": [{"role": "user", "content": "[[PERSON_1]] and [[DATE_2+12d]] and [[PERSON_1.2]]"}]},
    ],
)
async def test_words_of_the_api_models_and_surrogates_are_no_values(body: dict[str, Any]) -> None:
    values = ("Max", "User", "4096", "Ana", "person", "2024", "Role", "content")
    provider = Provider()
    await post(passage(provider, *values), body=body)
    assert len(provider.got) == 1


async def test_text_that_looks_like_a_surrogate_of_no_type_hides_nothing() -> None:
    through = passage(Provider(), "MARIA_1")
    with pytest.raises(StoppedError):
        await post(through, body={"messages": [{"content": "[[MARIA_1]]"}]})


_JSON_VALUES = st.recursive(
    st.text(max_size=12) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON_VALUES, st.booleans(), st.integers(0, 3))
def test_planted_value_is_found_at_any_depth(tree: Any, ascii_only: bool, depth: int) -> None:
    for _ in range(depth):
        tree = {"content": [tree]}
    planted = json.dumps([tree, {"text": "sobre Zulmira Quixadá hoje"}], ensure_ascii=ascii_only).encode()
    assert holds_value(readable(planted), (PHIText("Zulmira Quixadá"),))


async def test_body_that_is_no_json_is_searched_whole() -> None:
    assert readable(b"\xff Zulmira") == b"\xff Zulmira"
    through = passage(Provider(), "Zulmira")
    with pytest.raises(StoppedError):
        await post(through, content=b"[" * 100_000 + b'"Zulmira"')


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_refused(status: int) -> None:
    provider = Provider(status_code=status, headers={"location": "https://evil.example/"})
    through = passage(provider)
    with pytest.raises(StoppedError):
        await post(through)
    assert through.problem is not None
    assert through.problem.code == "upstream_redirect"
    assert through.problem.sent == through.sent != NOTHING_SENT


async def test_compressed_answer_is_refused() -> None:
    through = passage(Provider(headers={"content-encoding": "gzip"}))
    with pytest.raises(StoppedError):
        await post(through)
    assert through.problem is not None
    assert through.problem.code == "upstream_reply"


@pytest.mark.parametrize(
    ("error", "code", "left"),
    [
        (httpx.ConnectError("x"), "upstream_unreachable", False),
        (httpx.ConnectTimeout("x"), "upstream_unreachable", False),
        (httpx.ReadTimeout("x"), "upstream_timeout", True),
        (httpx.RemoteProtocolError("x"), "upstream_closed", True),
        (httpx.WriteError("x"), "upstream_closed", True),
    ],
)
async def test_errors_say_whether_anything_left(error: Exception, code: str, *, left: bool) -> None:
    provider = Provider()
    provider.error = error
    through = passage(provider)
    with pytest.raises(StoppedError):
        await post(through)
    assert isinstance(through.problem, UnavailableError)
    assert through.problem.code == code
    assert (through.problem.sent != NOTHING_SENT) is left


async def read(script: Script, **changes: Any) -> tuple[bytes, Passage]:
    through = passage(Provider(stream=script), **changes)
    async with httpx.AsyncClient(transport=through, trust_env=False) as client:
        request = client.build_request("POST", URL, content=b"{}", headers={"content-type": "application/json"})
        reply = await client.send(request, stream=True)
        got = b""
        try:
            async for piece in reply.aiter_raw():
                got += piece
        except StoppedError:
            pass
        finally:
            await reply.aclose()
    assert script.closed
    return got, through


_DONE = re.compile(rb"\[DONE\]\s*\Z")


@pytest.mark.parametrize(
    ("script", "changes", "code"),
    [
        (Script(b"data: 1\n\n", 5.0), {"end_mark": _DONE}, "upstream_timeout"),
        (Script(b"data: 1\n\n", 0.2, b"2", 0.2, b"3", 5.0), {"end_mark": _DONE}, "upstream_timeout"),
        (Script(b"data: 1\n\n"), {"end_mark": _DONE}, "upstream_broke"),
        (Script(), {"end_mark": _DONE}, "upstream_broke"),
        (Script(b"data: 1\n\n", httpx.ReadError("x")), {"end_mark": _DONE}, "upstream_broke"),
        (Script(b"{", httpx.RemoteProtocolError("x")), {}, "upstream_broke"),
        (Script(*[b"x" * 1000] * 100), {"limits": ReplyLimits(body_bytes=5_000)}, "upstream_too_large"),
    ],
)
async def test_answers_are_bounded_in_time_and_size_and_must_end(
    script: Script, changes: dict[str, Any], code: str
) -> None:
    _, through = await read(script, **changes)
    assert through.problem is not None
    assert through.problem.code == code
    assert not through.ended_well


async def test_stream_that_ends_as_it_should_passes_whole() -> None:
    got, through = await read(Script(b"data: 1\n\ndata: [DO", b"NE]\n", b"\n"), end_mark=_DONE)
    assert got == b"data: 1\n\ndata: [DONE]\n\n"
    assert through.ended_well
    assert through.problem is None


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("ftp://llm.example", "not a URL"),
        ("https://", "not a URL"),
        ("https://u:p@llm.example/", "not a URL"),
        ("https://llm.example/?a=1", "not a URL"),
        ("https://llm.example:x/", "not a URL"),
        ("http://llm.example/v1", "what leaves the house must be https"),
        ("http://10.0.0.1/v1", "what leaves the house must be https"),
    ],
)
def test_place_outside_is_https(endpoint: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        outlet("eu", endpoint)
