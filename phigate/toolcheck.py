"""Restored tool arguments against the schema the app wrote (decisions 9): counted, never blocked (ADR 5).

The outside model was shown a schema with room for surrogates, so what it wrote may not fit the one it stands for.
Schemas come from apps and arguments from a model: nothing is fetched, no regular expression and no recursion outlives
the time of one reply, and a schema that cannot be evaluated so says nothing. `unevaluatedProperties` and
`unevaluatedItems` are not looked at, because their evaluation cannot be bounded from outside.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from phigate.errors import BadReplyError
from phigate.exchange import Sent
from phigate.policy.decision import DestinationKind
from phigate.wire import chat, reply
from phigate.wire.parts import Need

_SCHEMA_BYTES: Final = 64 * 1024
_ARGUMENT_CHARS: Final = 256 * 1024
_PATTERN_CHARS: Final = 1000
_TIME_S: Final = 0.1  # for all calls of one reply
# Those that the standard library can tell; `regex` is left out, since it would compile what the model wrote.
_FORMATS: Final = ("date", "email", "ipv4", "ipv6", "uuid")
_UNBOUNDED: Final = ("unevaluatedProperties", "unevaluatedItems")

Keyword = Callable[[Any, Any, Any, Any], Any]


class _SpentError(RuntimeError):
    """The time for one reply is over."""


@dataclass(slots=True, repr=False)
class _Call:
    """One call of a function as it grows: PHI, so it does not print."""

    name: str = ""
    pieces: list[str] = field(default_factory=list)


class ToolCheck:
    """Gathers the calls in a reply as the app gets it. Does nothing unless tools were asked for and the copy left."""

    def __init__(self, sent: Sent, *, time_s: float = _TIME_S) -> None:
        request, outbound = sent.exchange.request, sent.outbound
        outside = outbound.candidate.kind is DestinationKind.EXTERNAL
        self._request = request if outside and outbound.scrubbed is not None and Need.TOOLS in request.needs else None
        self._time_s = time_s
        self._calls: dict[tuple[int, int], _Call] = {}

    def take(self, body: bytes, *, member: str = "delta") -> None:
        """Read a whole reply (``member`` is ``message``) or one chunk of a stream; what is no JSON is passed over."""
        if self._request is None or b'"function' not in body:
            return
        try:
            data = reply.parse(body)
        except BadReplyError:
            return
        for choice, inner in reply.choices(data):
            for place, function in _functions(inner.get(member)):
                call = self._calls.setdefault((choice, place), _Call())
                name, piece = function.get("name"), function.get("arguments")
                call.name = call.name or (name if isinstance(name, str) else "")
                if isinstance(piece, str):
                    call.pieces.append(piece)

    async def misfits(self) -> int:
        """Return how many calls have arguments that surely do not fit their schema. Never raises for what they hold.

        Runs in a thread, so that no schema of one app can stop the exchanges of another.
        """
        if self._request is None or not self._calls:
            return 0
        schemas, _ = chat.schemas(self._request)
        calls = [(schemas[c.name], "".join(c.pieces)) for c in self._calls.values() if c.name in schemas]
        return await asyncio.to_thread(_count, calls, self._time_s)


def _functions(inner: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the functions that a message or delta calls, by tool index; the older single call has the index -1."""
    if not isinstance(inner, dict):
        return
    if isinstance(old := inner.get("function_call"), dict):
        yield -1, old
    listed = inner.get("tool_calls")
    for place, tool in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(tool, dict) and isinstance(function := tool.get("function"), dict):
            index = tool.get("index")
            yield (index if isinstance(index, int) else place), function


def _count(calls: list[tuple[Any, str]], time_s: float) -> int:
    if not calls:
        return 0
    import jsonschema.validators  # noqa: F401, PLC0415 - a quarter of a second, not for requests without tools

    deadline = time.monotonic() + time_s  # the import above is not on the reply's time
    return sum(not fits(arguments, schema, deadline=deadline) for schema, arguments in calls)


def fits(arguments: str, schema: Any, *, deadline: float) -> bool:
    """Return False when a call's arguments surely do not fit: no JSON, or refused by the schema.

    True for what cannot be told by ``deadline`` (monotonic seconds), or not at all: a schema that is no object, is too
    large, is broken, refers elsewhere, never ends, or mixes dialects.
    """
    if len(arguments) > _ARGUMENT_CHARS:
        return True
    try:
        value = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not isinstance(schema, dict) or _is_large(schema) or _mixes_dialects(schema):
        return True
    return _accepts(schema, value, deadline)


def _refuse(_name: str) -> Any:
    raise ValueError("expected JSON, found a number that JSON does not have")


def _is_large(schema: dict[str, Any]) -> bool:
    return len(json.dumps(schema)) > _SCHEMA_BYTES  # ASCII, so characters are bytes


def _mixes_dialects(schema: dict[str, Any]) -> bool:
    """Return whether a dialect is named below the root: the library would go on there without the limits set here."""
    waiting: list[Any] = list(schema.values())
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$schema"), str):
                return True
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return False


def _accepts(schema: dict[str, Any], value: Any, deadline: float) -> bool:
    import regex  # noqa: PLC0415 - with jsonschema, only for requests with tools
    from jsonschema import Draft202012Validator, FormatChecker, exceptions, validators  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    foreign = (exceptions.UnknownType, Unresolvable, regex.error)
    broken = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError, OSError)
    try:
        base = validators.validator_for(schema, default=Draft202012Validator)
        bounded = validators.extend(base, _keywords(base.VALIDATORS, deadline))  # type: ignore[no-untyped-call]
        plain = {name: item for name, item in schema.items() if name != "$schema"}
        # An empty registry retrieves nothing: no network, no file.
        checker = bounded(plain, registry=Registry(), format_checker=FormatChecker(_FORMATS))
        return bool(checker.is_valid(value))
    except (*foreign, *broken):
        return True  # a schema that cannot be evaluated says nothing about the arguments


def _keywords(known: Mapping[str, Keyword], deadline: float) -> dict[str, Keyword]:
    """Return the keywords of a dialect with the deadline in each, and those that could outlast it written anew."""
    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    bound = {name: _bound(own[name](deadline) if name in own else known[name], deadline) for name in known}
    return bound | dict.fromkeys(_UNBOUNDED, _says_nothing)


def _says_nothing(*_: Any) -> None:
    """Accept everything."""


def _bound(keyword: Keyword, deadline: float) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        _left(deadline)
        return keyword(validator, value, instance, schema)

    return check


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _SpentError("expected a schema that is evaluated in time, found one that is not")
    return left


def _matches(pattern: str, text: str, deadline: float) -> bool:
    """Search with a limit of time, which the standard library's expressions do not have."""
    import regex  # noqa: PLC0415 - imported before, by `_accepts`

    if len(pattern) > _PATTERN_CHARS:
        raise ValueError(f"expected a pattern of at most {_PATTERN_CHARS} characters, found a longer one")
    return regex.search(pattern, text, timeout=_left(deadline), concurrent=True) is not None


def _misfit() -> Any:
    from jsonschema import ValidationError  # noqa: PLC0415 - imported before, by `_accepts`

    return ValidationError("misfit")


def _pattern(deadline: float) -> Keyword:
    def check(_validator: Any, pattern: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _matches(pattern, instance, deadline):
            yield _misfit()

    return check


def _pattern_properties(deadline: float) -> Keyword:
    def check(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(instance, dict):
            for pattern, inner in patterns.items():
                for name, value in instance.items():
                    if _matches(pattern, name, deadline):
                        yield from validator.descend(value, inner)

    return check


def _additional_properties(deadline: float) -> Keyword:
    def check(validator: Any, inner: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if not isinstance(instance, dict):
            return
        named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, value in instance.items():
            if name not in named and not any(_matches(pattern, name, deadline) for pattern in patterns):
                yield from validator.descend(value, inner)

    return check


def _unique_items(_deadline: float) -> Keyword:
    """Compare serialised items: the library compares each with each, and the length of the list is the model's."""

    def check(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        if wanted is True and isinstance(instance, list):
            seen = {json.dumps(item, sort_keys=True) for item in instance}
            if len(seen) < len(instance):
                yield _misfit()

    return check
