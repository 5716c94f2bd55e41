"""POST /v1/chat/completions as a table: every field of OpenAI's reference (as of openai-python 2.54), and what it is.

Whatever is not named here passes to on-prem servers unchanged, is scanned, and never leaves the house.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.wire.json_schema import SCHEMA
from phigate.wire.parts import Need
from phigate.wire.spec import (
    BOOLEAN,
    FREE,
    FREE_NO_REMOTE,
    INTEGER,
    NUMBER,
    Leaf,
    Members,
    Remote,
    Spec,
    Variants,
    fields,
    known_names,
    listed,
    name,
    opaque,
    shape,
    text,
    word,
)

_ID = "an opaque id made by a model server"
_CLOSED = "a closed word of the API"
_PAYLOAD = "the payload of an attachment, which no recognizer reads: the request counts as uncleaned instead"

# Ids as OpenAI, vLLM and Anthropic servers make them; anything else in their place is scanned.
# A random run of letters has digits and both cases in it; one that does not may be a name and is scanned.
_RANDOM = r"(?=(?:[A-Za-z]*[0-9]){2})(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[A-Za-z0-9]"
_CALL_ID = opaque(
    rf"call_{_RANDOM}{{24}}|call_[0-9a-f]{{32}}|chatcmpl-tool-[0-9a-f]{{16,32}}"
    rf"|toolu_(?:vrtx_|bdrk_)?01{_RANDOM}{{22}}",
    _ID,
    replaced=True,
)
_FILE_ID = Leaf(shape=shape(rf"file-{_RANDOM}{{22,24}}"), why=_ID, remote=Remote.REFUSED)
_AUDIO_ID = opaque(r"audio_[0-9a-f]{32,48}", _ID)
_VOICE_ID = opaque(r"voice_[0-9a-f]{32,48}", _ID)
_MODEL_NAME = opaque(  # no run of nine digits: dates stay (20241022), national numbers do not
    r"[A-Za-z0-9][A-Za-z0-9._:/+-]*", "replaced in every copy that goes to a model", digits=8
)

_MEDIA = (
    r"image/(?:png|jpe?g|gif|webp|bmp|tiff|heic|heif|avif|dicom-rle)"
    r"|audio/(?:wav|x-wav|wave|mpeg|mp3|mp4|aac|flac|ogg|opus|webm|pcm)"
    r"|video/(?:mp4|mpeg|webm|ogg|quicktime|jpeg)"
    r"|application/(?:pdf|json|xml|zip|dicom|msword|octet-stream|rtf)"
    r"|text/(?:plain|csv|html|markdown|xml|calendar)"
)
# Anything shorter than 64 characters is scanned like text: it costs nothing and may be text.
_BASE64 = r"[A-Za-z0-9+/_-]{64,}={0,2}"
_DATA_URI = Leaf(
    shape=re.compile(rf"data:(?:{_MEDIA})(?:;charset=utf-8)?;base64,{_BASE64}", re.ASCII).fullmatch,
    why=_PAYLOAD,
    remote=Remote.DATA_ONLY,
)
_RAW_PAYLOAD = Leaf(shape=re.compile(_BASE64, re.ASCII).fullmatch, why=_PAYLOAD, remote=Remote.REFUSED)
_FILE_PAYLOAD = Leaf(
    shape=re.compile(rf"(?:data:(?:{_MEDIA})(?:;charset=utf-8)?;base64,)?{_BASE64}", re.ASCII).fullmatch,
    why=_PAYLOAD,
    remote=Remote.REFUSED,
)

_BREAKPOINT = fields(mode=word("explicit", _CLOSED))
_DETAIL = word("auto low high original", _CLOSED)


def _part(type_: str, need: Need | None = None, **specs: Spec) -> Members:
    attachment = type_ not in {"text", "refusal"}
    return Members(
        {"type": word(type_, _CLOSED), "prompt_cache_breakpoint": _BREAKPOINT, **specs},
        required=(type_,),
        others=FREE_NO_REMOTE,
        attachment=attachment,
        need=need,
    )


def _extension(type_: str, need: Need) -> Members:
    """Describe a part that vLLM understands and OpenAI does not: it may stay in the house, outside it is dropped."""
    place = Spec(string=_DATA_URI, object=Members({"url": Spec(string=_DATA_URI)}, others=FREE_NO_REMOTE))
    kind = word(type_, "a part type of on-prem servers")
    return Members({"type": kind, type_: place}, others=FREE_NO_REMOTE, stray=True, attachment=True, need=need)


def _content_part(*, holds_json: bool) -> Spec:
    image = Spec(
        string=_DATA_URI,  # the shorthand of on-prem servers
        object=Members({"url": Spec(string=_DATA_URI), "detail": _DETAIL}, required=("url",), others=FREE_NO_REMOTE),
    )
    audio = fields(data=Spec(string=_RAW_PAYLOAD), format=word("wav mp3", _CLOSED), required=("data",))
    file = Spec(
        object=Members(
            {
                "file_data": Spec(string=_FILE_PAYLOAD),
                "file_id": Spec(string=_FILE_ID),
                "filename": text(),
            },
            others=FREE_NO_REMOTE,
        )
    )
    by = {
        "text": _part("text", text=text(holds_json=holds_json)),
        "refusal": _part("refusal", refusal=text()),
        "image_url": _part("image_url", Need.VISION, image_url=image),
        "input_audio": _part("input_audio", Need.AUDIO, input_audio=audio),
        "file": _part("file", Need.FILES, file=file),
        "video_url": _extension("video_url", Need.VISION),
        "audio_url": _extension("audio_url", Need.AUDIO),
    }
    # What is not known may hold anything: it counts as an attachment, and no address in it may be fetched.
    otherwise = Members({"type": text()}, others=FREE_NO_REMOTE, stray=True, attachment=True)
    return Spec(object=Variants("type", by, otherwise))


_CONTENT = Spec(string=Leaf(), array=_content_part(holds_json=False))
_JSON_CONTENT = Spec(string=Leaf(holds_json=True), array=_content_part(holds_json=True))

_ARGUMENTS = fields(name=name(), arguments=text(holds_json=True))
_TOOL_CALL = Spec(
    object=Variants(
        "type",
        {
            "function": Members(
                {"id": _CALL_ID, "type": word("function", _CLOSED), "function": _ARGUMENTS}, required=("function",)
            ),
            "custom": Members(
                {
                    "id": _CALL_ID,
                    "type": word("custom", _CLOSED),
                    "custom": fields(name=name(), input=text(holds_json=True)),
                },
                required=("custom",),
            ),
        },
        # Clients that leave the type out mean a function.
        otherwise=Members({"id": _CALL_ID, "type": text(), "function": _ARGUMENTS}),
    )
)

_ROLE = word("developer system user assistant tool function", _CLOSED)
_INSTRUCTION = Members({"role": _ROLE, "content": _CONTENT, "name": name()}, required=("content",))
_ASSISTANT = {
    "role": _ROLE,
    "content": _CONTENT,
    "name": name(),
    "refusal": text(),
    "audio": Spec(object=Members({"id": _AUDIO_ID}, attachment=True, need=Need.AUDIO)),
    "tool_calls": Spec(array=_TOOL_CALL),
    "function_call": _ARGUMENTS,
}
_RESULT = {"role": _ROLE, "content": _JSON_CONTENT, "tool_call_id": _CALL_ID, "name": name()}
_MESSAGE = Spec(
    object=Variants(
        "role",
        {
            "developer": _INSTRUCTION,
            "system": _INSTRUCTION,
            "user": _INSTRUCTION,
            "assistant": Members(_ASSISTANT),
            "tool": Members(_RESULT, required=("content",)),
            "function": Members({"role": _ROLE, "content": _JSON_CONTENT, "name": name()}),
        },
        # Roles of on-prem chat templates (ipython, observation): read as tool results, never sent outside.
        otherwise=Members({**_ASSISTANT, **_RESULT}, required=("role",), stray=True),
    )
)

_FUNCTION = fields(name=name(), description=text(), parameters=SCHEMA, strict=BOOLEAN, required=("name",))
_GRAMMAR = fields(definition=text(), syntax=word("lark regex", _CLOSED))
_CUSTOM = fields(
    name=name(),
    description=text(),
    format=fields(type=word("text grammar", _CLOSED), grammar=_GRAMMAR),
    required=("name",),
)
_HOSTED = word(
    "mcp web_search web_search_preview file_search code_interpreter computer_use_preview computer image_generation"
    " local_shell shell apply_patch",
    "the name of a tool that the provider runs; refused outside unless the contract covers it",
)
_TOOL = Spec(
    object=Variants(
        "type",
        {
            "function": Members({"type": word("function", _CLOSED), "function": _FUNCTION}, required=("function",)),
            "custom": Members({"type": word("custom", _CLOSED), "custom": _CUSTOM}, required=("custom",)),
        },
        otherwise=Members({"type": _HOSTED}, required=("type",), foreign=False),
    )
)
_NAMED = fields(name=name(), required=("name",))
_ALLOWED_TOOL = fields(
    type=word("function custom mcp", _CLOSED), function=_NAMED, custom=_NAMED, name=name(), server_label=text()
)
_TOOL_CHOICE = Spec(
    string=Leaf(words=frozenset({"none", "auto", "required"}), why=_CLOSED),
    object=Members(
        {
            "type": word("function custom allowed_tools", _CLOSED),
            "function": _NAMED,
            "custom": _NAMED,
            "allowed_tools": fields(mode=word("auto required", _CLOSED), tools=Spec(array=_ALLOWED_TOOL)),
        },
        required=("type",),
    ),
)
_FUNCTION_CALL = Spec(
    string=Leaf(words=frozenset({"none", "auto"}), why=_CLOSED), object=Members({"name": name()}, required=("name",))
)

_FORMAT_TYPE = word("text json_object json_schema", _CLOSED)
_RESPONSE_FORMAT = Spec(
    object=Variants(
        "type",
        {
            "json_schema": Members(
                {
                    "type": _FORMAT_TYPE,
                    "json_schema": fields(name=name(), description=text(), schema=SCHEMA, strict=BOOLEAN),
                },
                required=("json_schema",),
                need=Need.JSON_SCHEMA,
            )
        },
        otherwise=Members({"type": _FORMAT_TYPE}, required=("type",)),
    )
)

_VOICE = Spec(
    string=word("alloy ash ballad coral echo fable nova onyx sage shimmer verse marin cedar", _CLOSED).string,
    object=Members({"id": _VOICE_ID}),
)
_AUDIO_OUT = Spec(
    object=Members({"voice": _VOICE, "format": word("wav aac mp3 flac opus pcm16", _CLOSED)}, need=Need.AUDIO)
)
_LOCATION = fields(
    type=word("approximate", _CLOSED),
    approximate=fields(city=text(), country=text(), region=text(), timezone=text()),
)
_MODERATOR = word("omni-moderation-latest omni-moderation-2024-09-26 text-moderation-latest", "a published model")
_MODERATED = fields(mode=word("score block", _CLOSED))

_TOKEN_IDS = Spec(
    object=Members(
        others=NUMBER,
        foreign=False,
        key_shape=shape(r"[0-9]{1,6}"),
        why="the number of a token of the model's vocabulary, below a million",
    )
)

FIELDS: Final[dict[str, Spec]] = {
    "model": _MODEL_NAME,
    "messages": Spec(array=_MESSAGE),
    "audio": _AUDIO_OUT,
    "frequency_penalty": NUMBER,
    "function_call": _FUNCTION_CALL,
    "functions": Spec(array=_FUNCTION),
    "logit_bias": _TOKEN_IDS,
    "logprobs": BOOLEAN,
    "max_completion_tokens": INTEGER,
    "max_tokens": INTEGER,
    "metadata": Spec(object=Members(others=FREE, foreign=False)),
    "modalities": Spec(array=word("text audio image", _CLOSED)),
    "moderation": fields(model=_MODERATOR, policy=fields(input=_MODERATED, output=_MODERATED)),
    "n": INTEGER,
    "parallel_tool_calls": BOOLEAN,
    "prediction": fields(type=word("content", _CLOSED), content=_CONTENT, required=("content",)),
    "presence_penalty": NUMBER,
    "prompt_cache_key": text(),
    "prompt_cache_options": fields(mode=word("implicit explicit", _CLOSED), ttl=word("30m", _CLOSED)),
    "prompt_cache_retention": word("in_memory in-memory 24h", _CLOSED),
    "reasoning_effort": word("none minimal low medium high xhigh max", _CLOSED),
    "response_format": _RESPONSE_FORMAT,
    "safety_identifier": text(),
    "seed": INTEGER,
    "service_tier": word("auto default flex scale priority fast", _CLOSED),
    "stop": Spec(string=Leaf(), array=text()),
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": fields(include_usage=BOOLEAN, include_obfuscation=BOOLEAN),
    "temperature": NUMBER,
    "tool_choice": _TOOL_CHOICE,
    "tools": Spec(array=_TOOL),
    "top_logprobs": INTEGER,
    "top_p": NUMBER,
    "user": text(),
    "verbosity": word("low medium high", _CLOSED),
    "web_search_options": fields(search_context_size=word("low medium high", _CLOSED), user_location=_LOCATION),
}
CHAT: Final = Spec(object=Members(FIELDS, required=("model", "messages")))

# Names that on-prem servers and client libraries add: structure, so not scanned as keys and shown in `dropped`. Their
# values are scanned like any free JSON.
EXTRAS: Final = listed(
    "top_k min_p top_a repetition_penalty length_penalty stop_token_ids include_stop_str_in_output ignore_eos"
    " min_tokens skip_special_tokens spaces_between_special_tokens truncate_prompt_tokens prompt_logprobs"
    " allowed_token_ids bad_words continuous_usage_stats echo add_generation_prompt continue_final_message"
    " add_special_tokens documents chat_template chat_template_kwargs mm_processor_kwargs media_io_kwargs"
    " guided_json guided_regex guided_choice guided_grammar guided_decoding_backend guided_whitespace_pattern"
    " structural_tag structured_outputs priority request_id logits_processors return_tokens_as_token_ids"
    " return_token_ids cache_salt kv_transfer_params vllm_xargs use_beam_search best_of include_reasoning reasoning"
    " reasoning_content reasoning_details thinking annotations cache_control index uuid enable_thinking"
    # What names another server, key or route. It never leaves, whatever a policy allows.
    " base_url api_base api_key api_version api_type extra_headers extra_body extra_query headers fallbacks"
    " context_window_fallbacks mock_response mock_tool_calls custom_llm_provider organization timeout num_retries"
    " callbacks guardrails cache caching"
)

# The only top-level fields that may ever leave, whatever a policy allows (decisions 13): of OpenAI's all that neither
# names a person nor is meant for phigate's own audit, and sampling settings that other providers share.
PASSABLE: Final = (frozenset(FIELDS) - {"user", "metadata", "safety_identifier", "prompt_cache_key"}) | listed(
    "top_k min_p top_a repetition_penalty length_penalty min_tokens thinking reasoning"
)

# The exchange itself; no allow-list is needed for it.
ALWAYS: Final = frozenset({"model", "messages", "stream"})

SHOWN: Final = known_names(CHAT) | EXTRAS
