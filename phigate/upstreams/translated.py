"""An answer that litellm translated, as the bytes that OpenAI's API would have sent: known members, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_HEAD: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_SAID: Final = ("role", "content", "refusal", "tool_calls", "function_call", "reasoning_content")


def reply_of(answer: Any) -> bytes:
    """Return a whole answer. ``answer`` is litellm's `ModelResponse`."""
    tree = answer.model_dump(warnings=False)  # pydantic's warnings quote values
    choices = [
        {
            "index": choice.get("index", 0),
            "message": _said(choice["message"], whole=True),
            "logprobs": choice.get("logprobs"),
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in tree["choices"]
    ]
    return _bytes({**_head(tree), "object": "chat.completion", "choices": choices, **_usage(tree)})


def chunk_of(chunk: Any) -> bytes | None:
    """Return one chunk of a stream, None when it says nothing. ``chunk`` is litellm's `ModelResponseStream`."""
    tree = chunk.model_dump(warnings=False)
    choices = [
        {
            "index": choice.get("index", 0),
            "delta": _said(choice["delta"], whole=False),
            "logprobs": choice.get("logprobs"),
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in tree["choices"]
    ]
    usage = _usage(tree)
    if usage:
        # OpenAI's API counts in a last chunk of its own, which has no choices.
        choices = [choice for choice in choices if choice["delta"] or choice["finish_reason"]]
    elif not any(choice["delta"] or choice["finish_reason"] for choice in choices):
        return None
    return _bytes({**_head(tree), "object": "chat.completion.chunk", "choices": choices, **usage})


def _head(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tree[name] for name in _HEAD if tree.get(name) is not None}


def _usage(tree: Mapping[str, Any]) -> dict[str, Any]:
    usage = tree.get("usage")
    if not isinstance(usage, dict):
        return {}
    return {"usage": {name: usage.get(name) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens")}}


def _said(said: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    members = {name: said[name] for name in _SAID if said.get(name) is not None}
    if "tool_calls" in members:
        members["tool_calls"] = [
            _call(call, ("index", "id", "type") if not whole else ("id", "type")) for call in members["tool_calls"]
        ]
    if whole:
        members.setdefault("content", None)
    return members


def _call(call: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    members = {name: call[name] for name in names if call.get(name) is not None}
    function = call.get("function") or {}
    members["function"] = {name: function[name] for name in ("name", "arguments") if function.get(name) is not None}
    return members


def _bytes(tree: Mapping[str, Any]) -> bytes:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
