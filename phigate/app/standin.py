"""A loopback stand-in for a model server: speaks OpenAI's chat API, answers by rule, and shows what it was sent.

The demo and the tests put it where a hospital has vLLM or a provider. It repeats the names, dates and surrogates of
the last user message in a short clinical sentence, so that restoring can be seen; it never runs in a real set-up.
``GET /received`` returns the requests it got, byte for byte; ``PUT /fault`` makes it fail in a way of `Fault`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

_KEPT_BYTES: Final = 64 * 1024 * 1024
_PIECE: Final = 5  # characters a streamed chunk: most surrogates are cut somewhere
_CREATED: Final = 1_767_225_600
_HUGE: Final = 80 * 1024 * 1024

_NAME_WORD = r"[A-ZÀ-ÖØ-Þ][\w'’.-]*[\w]"
_MENTION: Final = re.compile(
    r"(?P<token>\[\[[A-Z_]+_[0-9]+[^\[\]]{0,12}\]\])"
    r"|(?P<date>\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b)"
    rf"|(?P<name>\b{_NAME_WORD}(?: (?:(?:da|de|do|das|dos|del|la|di|van|von|der|e|y) )*{_NAME_WORD})+)"
    r"|(?P<number>\b\d[\d.\-/]{5,}\d\b)"
)


class Fault(StrEnum):
    """Ways to fail, for tests of what stands in front."""

    NONE = "none"
    ERROR = "error"  # HTTP 500 that repeats the prompt
    BUSY = "busy"  # HTTP 429 with Retry-After
    BAD_REQUEST = "bad_request"  # HTTP 400 with an OpenAI error object
    REDIRECT = "redirect"  # HTTP 307 to elsewhere
    HANG = "hang"  # no answer at all
    HANG_MIDWAY = "hang_midway"  # half a stream, then silence
    CLOSE_MIDWAY = "close_midway"  # half an answer, then the socket closes
    NO_DONE = "no_done"  # a stream that ends without [DONE]
    ERROR_MIDWAY = "error_midway"  # half a stream, then an error event
    GARBAGE = "garbage"  # HTTP 200 and no JSON
    HUGE = "huge"  # more than anybody should read
    SLOW = "slow"  # 50 ms before each chunk


class BrokenOffError(Exception):
    """Raised inside the stand-in to make its server drop the connection."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as it came in."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@final
@dataclass(slots=True)
class StandIn:
    """The state of one stand-in: who it plays, what it got, and how it fails."""

    name: str
    model: str
    record: int  # how many requests are kept; 0 keeps none
    pace_s: float = 0.0  # before each chunk of a stream
    fault: Fault = Fault.NONE
    received: deque[ReceivedRequest] = field(default_factory=deque)
    total: int = 0  # requests ever received, kept or not

    def keep(self, request: ReceivedRequest) -> None:
        """Keep the request; drop the oldest beyond ``record`` or beyond the bytes that may be kept."""
        self.total += 1
        self.received.append(request)
        while len(self.received) > self.record or sum(len(r.body) for r in self.received) > _KEPT_BYTES:
            self.received.popleft()


def stand_in(name: str, model: str, *, record: int = 64, pace_s: float = 0.0, fault: Fault = Fault.NONE) -> Starlette:
    """Return the ASGI app of a stand-in; its `StandIn` is at ``app.state.stand_in``."""
    state = StandIn(name, model, record, pace_s, fault)
    app = Starlette(
        routes=[
            Route("/v1/models", _models),
            Route("/v1/chat/completions", _chat, methods=["POST"]),
            Route("/received", _received),
            Route("/fault", _set_fault, methods=["PUT"]),
        ]
    )
    app.state.stand_in = state
    return app


async def _models(request: Request) -> Response:
    state: StandIn = request.app.state.stand_in
    if state.fault is Fault.ERROR:
        return _problem(500, "the stand-in was told to fail")
    if state.fault is Fault.HANG:
        await asyncio.Event().wait()
    row = {"id": state.model, "object": "model", "created": _CREATED, "owned_by": state.name}
    return JSONResponse({"object": "list", "data": [row]})


async def _received(request: Request) -> Response:
    state: StandIn = request.app.state.stand_in
    asked = request.query_params.get("last", "")
    first = max(0, len(state.received) - int(asked)) if asked.isdecimal() else 0
    rows = [
        {
            "path": r.path,
            "headers": [list(pair) for pair in r.headers],
            "body": r.body.decode("utf-8", "replace"),
            "body_base64": base64.b64encode(r.body).decode("ascii"),
        }
        for r in itertools.islice(state.received, first, None)
    ]
    return JSONResponse({"name": state.name, "total": state.total, "requests": rows})


async def _set_fault(request: Request) -> Response:
    state: StandIn = request.app.state.stand_in
    try:
        state.fault = Fault((await request.body()).decode("ascii").strip())
    except ValueError:
        return _problem(400, f"expected one of: {', '.join(Fault)}")
    return Response(status_code=204)


async def _chat(request: Request) -> Response:
    state: StandIn = request.app.state.stand_in
    body = await request.body()
    if state.record:
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers.raw)
        state.keep(ReceivedRequest(request.url.path, headers, body))
    failed = await _fail(state.fault, body)
    if failed is not None:
        return failed
    try:
        asked = json.loads(body)
        choices = [_choice(asked, index) for index in range(int(asked.get("n") or 1))]
        stream = bool(asked.get("stream"))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return _problem(400, "expected the body of a chat completion")
    if asked.get("model") != state.model:
        return _problem(404, f"The model `{str(asked.get('model'))[:80]}` does not exist.")
    head = {"id": f"chatcmpl-{hashlib.sha256(body).hexdigest()[:24]}", "created": _CREATED, "model": state.model}
    usage = _usage(body, choices)
    if not stream:
        content = _whole(head, choices, usage)
        if state.fault is Fault.CLOSE_MIDWAY:
            return StreamingResponse(_cut(content), media_type="application/json")
        return Response(content, media_type="application/json")
    wants_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    events = _events(head, choices, usage if wants_usage else None)
    return StreamingResponse(_paced(events, state), media_type="text/event-stream")


async def _fail(fault: Fault, body: bytes) -> Response | None:  # noqa: PLR0911 - one row a fault
    """Return the answer of a fault that replaces the whole answer; None when the answer begins as usual."""
    match fault:
        case Fault.ERROR:
            return _problem(500, f"could not handle {body.decode('utf-8', 'replace')}")
        case Fault.BUSY:
            return _problem(429, "the queue is full", {"Retry-After": "7"})
        case Fault.BAD_REQUEST:
            return _problem(400, "max_tokens is too large")
        case Fault.REDIRECT:
            return Response(status_code=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"})
        case Fault.GARBAGE:
            return Response(b"<html>\xff it works</html>", media_type="text/html")
        case Fault.HUGE:
            return StreamingResponse(_flood(), media_type="application/json")
        case Fault.HANG:
            await asyncio.Event().wait()
            return None
        case _:
            return None


def _problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status, headers=headers)


async def _flood() -> AsyncIterator[bytes]:
    for _ in range(_HUGE // 65_536):
        yield b" " * 65_536


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]
    await asyncio.sleep(0.02)  # let the first half out
    raise BrokenOffError


async def _paced(events: Sequence[bytes], state: StandIn) -> AsyncIterator[bytes]:
    wait_s = 0.05 if state.fault is Fault.SLOW else state.pace_s
    for place, event in enumerate(events):
        if place == len(events) // 2:
            match state.fault:
                case Fault.HANG_MIDWAY:
                    await asyncio.Event().wait()
                case Fault.CLOSE_MIDWAY:
                    await asyncio.sleep(0.02)
                    raise BrokenOffError
                case Fault.ERROR_MIDWAY:
                    yield b'data: {"error": {"message": "the engine died", "code": 500}}\n\ndata: [DONE]\n\n'
                    return
                case _:
                    pass
        if wait_s:
            await asyncio.sleep(wait_s)
        yield event
    if state.fault is not Fault.NO_DONE:
        yield b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one choice says: text, or one tool call."""

    index: int
    text: str
    tool: str = ""
    arguments: str = ""

    @property
    def finish(self) -> str:
        return "tool_calls" if self.tool else "stop"


def _choice(asked: Mapping[str, Any], index: int) -> _Choice:
    messages = asked["messages"]
    mentions = _mentions(_last_user_text(messages))
    tools = asked.get("tools") or ()
    if tools and asked.get("tool_choice") != "none" and messages[-1]["role"] == "user":
        function = _chosen_tool(tools, asked.get("tool_choice"))
        arguments = _filled(function.get("parameters") or {}, iter(mentions))
        return _Choice(index, "", function["name"], json.dumps(arguments, ensure_ascii=False))
    shape = asked.get("response_format") or {}
    if shape.get("type") == "json_schema":
        return _Choice(index, json.dumps(_filled(shape["json_schema"]["schema"], iter(mentions)), ensure_ascii=False))
    text = _sentence(mentions)
    if shape.get("type") == "json_object":
        text = json.dumps({"summary": text, "about": mentions}, ensure_ascii=False)
    return _Choice(index, text if index == 0 else f"Opinion {index + 1}: {text}")


def _chosen_tool(tools: Sequence[Mapping[str, Any]], choice: object) -> Mapping[str, Any]:
    wanted = choice["function"]["name"] if isinstance(choice, dict) else None
    functions: list[Mapping[str, Any]] = [tool["function"] for tool in tools]
    return next((f for f in functions if f["name"] == wanted), functions[0])


def _last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            content = message.get("content") or ""
            if isinstance(content, str):
                return content
            return " ".join(str(part.get("text", "")) for part in content)
    return ""


def _mentions(text: str) -> list[str]:
    """Return the surrogates, dates, names and long numbers of a text, each once, the first eight."""
    return list(dict.fromkeys(match.group() for match in _MENTION.finditer(text)))[:8]


def _sentence(mentions: Sequence[str]) -> str:
    if not mentions:
        return "No acute finding is described. Compare with earlier results and review in 48 hours."
    first, rest = mentions[0], ", ".join(mentions[1:])
    also = f" Also noted: {rest}." if rest else ""
    return f"Assessment for {first}: no acute finding is described.{also} Please review {first} again in 48 hours."


def _filled(schema: Mapping[str, Any], mentions: Iterator[str]) -> Any:
    """Return a value that fits a simple schema, its strings taken from the mentions in order."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type", "object"):
        case "object":
            return {key: _filled(value, mentions) for key, value in (schema.get("properties") or {}).items()}
        case "array":
            return [_filled(schema.get("items") or {"type": "string"}, mentions)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case _:
            return next(mentions, "not stated")


def _usage(body: bytes, choices: Sequence[_Choice]) -> dict[str, int]:
    # A token is about four bytes of English: enough for what is counted in a demonstration.
    asked, said = len(body) // 4, sum(len(c.text) + len(c.arguments) for c in choices) // 4
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _whole(head: Mapping[str, object], choices: Sequence[_Choice], usage: Mapping[str, int]) -> bytes:
    rows = []
    for c in choices:
        message: dict[str, object] = {"role": "assistant", "content": None if c.tool else c.text}
        if c.tool:
            message["tool_calls"] = [_call(c)]
        rows.append({"index": c.index, "message": message, "logprobs": None, "finish_reason": c.finish})
    return _json({**head, "object": "chat.completion", "choices": rows, "usage": usage})


def _call(choice: _Choice) -> dict[str, object]:
    function = {"name": choice.tool, "arguments": choice.arguments}
    return {"id": f"call_{choice.index}", "type": "function", "function": function}


def _events(head: Mapping[str, object], choices: Sequence[_Choice], usage: Mapping[str, int] | None) -> list[bytes]:
    """Return the chunks of all choices, interleaved piece by piece, as a server that batches them sends them."""
    tracks = [list(_deltas(c)) for c in choices]
    events = []
    for step in range(max(len(track) for track in tracks)):
        for choice, track in zip(choices, tracks, strict=True):
            if step < len(track):
                delta, finish = track[step]
                row = {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": finish}
                events.append(_event({**head, "object": "chat.completion.chunk", "choices": [row]}))
    if usage is not None:
        events.append(_event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
    return events


def _deltas(choice: _Choice) -> Iterator[tuple[dict[str, object], str | None]]:
    yield {"role": "assistant", "content": None if choice.tool else ""}, None
    if choice.tool:
        yield {"tool_calls": [{"index": 0, **_call(_Choice(choice.index, "", choice.tool))}]}, None
        for piece in _pieces(choice.arguments):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None
    for piece in _pieces(choice.text):
        yield {"content": piece}, None
    yield {}, choice.finish


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def _event(chunk: Mapping[str, object]) -> bytes:
    return b"data: " + _json(chunk) + b"\n\n"


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@final
class ConstantStandIn:
    """The stand-in of the benchmark: reads the body and sends the same bytes, so that what is measured is not this."""

    def __init__(self, model: str, *, reply_chars: int = 400) -> None:
        text = ("No acute finding is described. " * (reply_chars // 31 + 1))[:reply_chars]
        head = {"id": "chatcmpl-constant", "created": _CREATED, "model": model}
        choice, usage = _Choice(0, text), {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._whole = _whole(head, [choice], usage)
        self._stream = b"".join(_events(head, [choice], None)) + b"data: [DONE]\n\n"
        self._models = _json({"object": "list", "data": [{"id": model, "object": "model"}]})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        kind, content = b"application/json", self._models
        if scope["method"] == "POST":
            streamed = b'"stream":true' in body or b'"stream": true' in body
            kind, content = (b"text/event-stream", self._stream) if streamed else (kind, self._whole)
        headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
