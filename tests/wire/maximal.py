"""A chat request that holds every field of OpenAI's API and many that are not in it, and ways to plant values in it.

Patients here are invented. `maximal()` returns fresh plain JSON; `leaves` lists every place where a value can stand,
strings inside strings of JSON included; `planted` returns a copy with one such place changed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PNG_URI = f"data:image/png;base64,{PNG}"


def _schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "#patient",
        "$comment": "as in the ward's system",
        "type": "object",
        "title": "Patient",
        "description": "one patient of the ward",
        "properties": {
            "mrn": {"type": "integer", "description": "record number", "examples": [20456789], "minimum": 1000000},
            "name": {"type": "string", "pattern": "^[A-Z]", "minLength": 2, "maxLength": 80, "default": "Ana Prado"},
            "born": {"type": "string", "format": "date", "const": "1949-02-11"},
            "ward": {"type": ["string", "null"], "enum": ["Ward 7", "Ward 8", None]},
            "contact": {"$ref": "#/$defs/contact"},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "uniqueItems": True},
        },
        "patternProperties": {"^x_": {"type": "string", "format": "email"}},
        "$defs": {"contact": {"anyOf": [{"type": "string"}, {"not": {"type": "null"}}]}},
        "required": ["mrn", "name"],
        "dependentRequired": {"name": ["mrn"]},
        "additionalProperties": False,
        "x-source": {"system": "hospital"},
    }


def _messages() -> list[dict[str, Any]]:
    arguments = {"patient": {"name": "José Lima", "mrn": 20456789, "age": 93}, "notes": ["chest pain", "fever"]}
    result = [{"name": "José Lima", "cpf": 11144477735, "payload": json.dumps({"street": "Rua Aurora 12"})}]
    return [
        {"role": "developer", "content": "Answer in Portuguese.", "name": "policy"},
        {"role": "system", "content": [{"type": "text", "text": "You help clinicians."}], "name": "setup"},
        {
            "role": "user",
            "name": "ana_prado",
            "content": [
                {"type": "text", "text": "Read this.", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": PNG_URI, "detail": "high"}},
                {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
                {"type": "file", "file": {"file_data": PNG_URI, "filename": "lima.pdf"}},
                {"type": "file", "file": {"file_id": "file-Ab1Cd2Ef3Gh4Ij5Kl6Mn7O"}},
                {"type": "video_url", "video_url": {"url": PNG_URI}, "uuid": "frame"},
                {"type": "audio_url", "audio_url": PNG_URI},
                {"type": "waveform", "samples": ["ecg lead II"], "rate": 1234567},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Looking."}, {"type": "refusal", "refusal": "Not that."}],
            "name": "aide",
            "refusal": "I cannot.",
            "audio": {"id": "audio_0123456789abcdef0123456789abcdef".replace("0123456789", "a1b2c3d4e5")},
            "reasoning_content": "The patient of bed 4.",
            "annotations": [{"type": "url_citation", "title": "A page"}],
            "tool_calls": [
                {
                    "id": "call_Ab3dEf9hIjKlMnOpQrStUvWx",
                    "type": "function",
                    "function": {"name": "find_patient", "arguments": json.dumps(arguments)},
                },
                {"id": "mine-1", "type": "custom", "custom": {"name": "query", "input": "SELECT 1"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_Ab3dEf9hIjKlMnOpQrStUvWx", "content": json.dumps(result)},
        {"role": "tool", "tool_call_id": "mine-1", "content": [{"type": "text", "text": '{"rows": ["Lima"]}'}]},
        {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": '{"q": "Lima"}'}},
        {"role": "function", "name": "old", "content": "not json: Lima"},
        {"role": "ipython", "content": "Lima again"},
        {"role": "user", "content": "Summarise.", "mood": "calm"},
    ]


def _tools() -> list[dict[str, Any]]:
    function = {"name": "find_patient", "description": "Finds a patient.", "parameters": _schema(), "strict": True}
    grammar = {"type": "grammar", "grammar": {"definition": "start: WORD", "syntax": "lark"}}
    return [
        {"type": "function", "function": function},
        {"type": "custom", "custom": {"name": "query", "description": "Runs a query.", "format": grammar}},
    ]


def maximal(*, hosted: bool = False, attachments: bool = True) -> dict[str, Any]:
    """Return the request. ``hosted`` adds tools that the provider runs; ``attachments`` False leaves data parts out."""
    messages = _messages()
    if not attachments:
        messages[2]["content"] = messages[2]["content"][:1]
        del messages[3]["audio"]
    body: dict[str, Any] = {
        "model": "gpt-5",
        "messages": messages,
        "audio": {"voice": "alloy", "format": "mp3"},
        "frequency_penalty": 0.10,
        "function_call": {"name": "old"},
        "functions": [{"name": "old", "description": "The old way.", "parameters": {"type": "object"}}],
        "logit_bias": {"1234": -100},
        "logprobs": True,
        "max_completion_tokens": 512,
        "max_tokens": 512,
        "metadata": {"patient": "Ana Prado", "visit": 20456789},
        "modalities": ["text", "audio"],
        "moderation": {
            "model": "omni-moderation-latest",
            "policy": {"input": {"mode": "score"}, "output": {"mode": "block"}},
        },
        "n": 2,
        "parallel_tool_calls": False,
        "prediction": {"type": "content", "content": [{"type": "text", "text": "Ana Prado is stable."}]},
        "presence_penalty": -1.5,
        "prompt_cache_key": "ward-7",
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "prompt_cache_retention": "24h",
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "summary", "description": "A summary.", "schema": _schema(), "strict": True},
        },
        "safety_identifier": "nurse-12",
        "seed": 1234567,
        "service_tier": "default",
        "stop": ["END", "Ana Prado"],
        "store": True,
        "stream": False,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "temperature": 0.2,
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [
                    {"type": "function", "function": {"name": "find_patient"}},
                    {"type": "custom", "custom": {"name": "query"}},
                ],
            },
        },
        "tools": _tools(),
        "top_logprobs": 3,
        "top_p": 0.9,
        "user": "dr.prado@hospital.example",
        "verbosity": "low",
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {
                "type": "approximate",
                "approximate": {"city": "Recife", "country": "BR", "region": "PE", "timezone": "America/Recife"},
            },
        },
        # Not OpenAI's: vLLM's extras, and things that try to steer where the request goes.
        "top_k": 20,
        "guided_choice": ["sim", "não"],
        "chat_template_kwargs": {"enable_thinking": False, "patient": "Ana Prado"},
        "documents": [{"title": "Lima", "text": "José Lima, 20456789"}],
        "api_base": "https://elsewhere.example",
        "extra_headers": {"x-patient": "Ana Prado"},
        "fallbacks": [{"model": "other"}],
        "ward of Ana Prado": 20456789,
    }
    if hosted:
        body["tools"] += [
            {"type": "mcp", "server_label": "ehr", "server_url": "https://ehr.example", "headers": {"patient": "Lima"}},
            {"type": "web_search", "filters": {"allowed_domains": ["example.org"]}},
        ]
    return body


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place: the steps to it, ``JSON`` where a string is read as JSON; ``what`` is string, key or number."""

    steps: tuple[str | int | type, ...]
    what: str


JSON = dict  # a step: the string here holds JSON


def leaves(value: Any, steps: tuple[str | int | type, ...] = ()) -> Iterator[Leaf]:
    """Yield every string, number and object key of a body, strings of JSON inside out as well as whole."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield Leaf((*steps, key), "key")
            yield from leaves(item, (*steps, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*steps, index))
    elif isinstance(value, str):
        yield Leaf(steps, "string")
        if value[:1] in "{[" and value:
            yield from leaves(json.loads(value), (*steps, JSON))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Leaf(steps, "number")


def planted(body: Any, leaf: Leaf, canary: str | int) -> Any:
    """Return a copy of the body with ``canary`` as the value, or for a key as the name, at one place."""
    return _plant(copy.deepcopy(body), leaf.steps, canary, rename=leaf.what == "key")


def _plant(value: Any, steps: tuple[str | int | type, ...], canary: str | int, *, rename: bool) -> Any:
    if not steps:
        return canary
    step, rest = steps[0], steps[1:]
    if step is JSON:
        return json.dumps(_plant(json.loads(value), rest, canary, rename=rename))
    if rename and not rest:
        return {(canary if key == step else key): item for key, item in value.items()}
    value[step] = _plant(value[step], rest, canary, rename=rename)
    return value
