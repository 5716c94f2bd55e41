"""Random chat requests that the API allows, for property tests: strange strings, free JSON, documents in strings."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="#"), max_size=8)
free = st.recursive(
    st.none() | st.booleans() | words | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
documents = (
    free.map(lambda value: json.dumps(value, ensure_ascii=False))
    | words
    | st.sampled_from(['{"a":1,"a":2}', "[1,", '{"a": NaN}', "[]", '{"a":"[\\"b\\"]"}'])
)


def _optional(required: dict[str, Any], **optional: Any) -> Any:
    return st.fixed_dictionaries(required, optional=optional)


_text_parts = st.lists(_optional({"type": st.just("text"), "text": words}), max_size=3)
_content = words | _text_parts
_results = documents | st.lists(_optional({"type": st.just("text"), "text": documents}), max_size=2)
_calls = st.lists(
    _optional(
        {
            "id": words,
            "type": st.just("function"),
            "function": _optional({"name": words, "arguments": documents}),
        }
    ),
    max_size=2,
)
_messages = st.lists(
    _optional({"role": st.sampled_from(["user", "system", "developer"]), "content": _content}, name=words)
    | _optional({"role": st.just("assistant"), "content": _content | st.none()}, tool_calls=_calls, refusal=words)
    | _optional({"role": st.just("tool"), "content": _results, "tool_call_id": words}),
    min_size=1,
    max_size=4,
)
_schema = st.recursive(
    _optional({"type": st.sampled_from(["string", "integer", "object"])}, description=words, default=free, const=free),
    lambda inner: _optional(
        {"properties": st.dictionaries(words, inner, max_size=2)}, items=inner, anyOf=st.lists(inner)
    ),
    max_leaves=4,
)
_tools = st.lists(
    _optional(
        {"type": st.just("function"), "function": _optional({"name": words}, description=words, parameters=_schema)}
    ),
    max_size=2,
)

chat_bodies = _optional(
    {"messages": _messages, "model": words.filter(bool)},
    metadata=st.dictionaries(words, free, max_size=2),
    tools=_tools,
    stop=words | st.lists(words, max_size=2),
    seed=st.integers(),
    temperature=st.floats(0, 2),
    user=words,
    logit_bias=st.dictionaries(words, st.integers(-100, 100), max_size=2),
    documents=free,
    prediction=_optional({"type": st.just("content"), "content": _content}),
    stream=st.booleans(),
)
