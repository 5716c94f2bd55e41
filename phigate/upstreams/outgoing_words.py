"""The words of the APIs that leave through the border: keys, and values of closed lists, as the providers fix them.

Sources: the public references of OpenAI's chat completions, Anthropic's messages and Gemini's generateContent, and the
JSON Schema vocabulary. A word here is not searched for PHI where it stands as a key, or as a value under a key whose
values are such words alone.
"""

from __future__ import annotations

from typing import Final

_CHAT: Final = """
model messages role content name type text image_url url detail input_audio data format file file_id file_data filename
refusal tool_calls tool_call_id function arguments function_call functions temperature top_p top_k min_p max_tokens
max_completion_tokens stop stream stream_options include_usage n seed presence_penalty frequency_penalty tools
tool_choice parallel_tool_calls response_format json_schema json_object schema strict logprobs top_logprobs logit_bias
reasoning_effort verbosity prediction modalities service_tier store audio voice id index user assistant system developer
tool auto none required low medium high minimal xhigh max default allowed_tools custom grammar mode
"""
_MESSAGES: Final = """
stop_sequences input_schema tool_use tool_result tool_use_id is_error input any disable_parallel_tool_use cache_control
ephemeral thinking budget_tokens enabled disabled output_config output_format effort
"""
_GENERATE: Final = """
contents parts functionCall functionResponse function_call function_response args response systemInstruction
system_instruction generationConfig max_output_tokens maxOutputTokens candidateCount candidate_count responseMimeType
response_mime_type responseSchema response_schema responseJsonSchema response_json_schema responseLogprobs
response_logprobs stopSequences topP topK functionDeclarations function_declarations parametersJsonSchema
parameters_json_schema toolConfig tool_config functionCallingConfig function_calling_config AUTO ANY NONE VALIDATED
allowedFunctionNames allowed_function_names thinkingConfig thinkingBudget includeThoughts thinkingLevel
presencePenalty frequencyPenalty thoughtSignature thought_signature
"""
_SCHEMA: Final = """
parameters properties description items enum const anyOf oneOf allOf not object array string number integer boolean null
additionalProperties title minimum maximum minLength maxLength pattern nullable $ref $defs definitions propertyOrdering
property_ordering STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT
"""
STRUCTURE: Final = frozenset(f"{_CHAT} {_MESSAGES} {_GENERATE} {_SCHEMA}".split())
CLOSED: Final = frozenset(
    {"role", "type", "tool_choice", "mode", "reasoning_effort", "effort", "verbosity", "service_tier", "detail"}
    | {"modalities", "thinkingLevel"}
)
