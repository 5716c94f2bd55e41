"""The closed vocabulary of policy files: purposes, tags, papers, obligations, endpoints, languages, body fields.

A word that is not here, or declared by the site file where that is allowed, is an error with file and line.
"""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("de", "en", "es", "fr", "it", "nl", "pt")
ENDPOINTS: Final = ("chat", "completions", "embeddings", "messages", "responses")
PURPOSES: Final = (
    "treatment",
    "payment",
    "operations",
    "research",
    "public_health",
    "life",
    "legal_duty",
    "secondary_use",
    "education",
    "marketing",
)
BASES: Final = (*PURPOSES, "consent")
TAGS: Final = ("part2", "psychotherapy_notes", "minor", "ai_refused", "objected", "art18_restricted")
PAPERS: Final = (
    "baa",
    "dpa",
    "no_training",
    "zero_retention",
    "scc_eu",
    "scc_br_anexo_ii",
    "clausulas_especificas_anpd",
    "ncg_anpd",
    "bcr",
    "dpf",
    "qsoa",
)
FLAGS: Final = ("raw_under_baa", "accept_residual_risk")
METHODS: Final = ("safe_harbor", "expert_determination", "limited_data_set", "pseudonymisation")
MODES: Final = ("send_raw", "send_scrubbed", "keep_onprem", "block")
ROLES: Final = ("security", "privacy-office", "dpo", "encarregado", "compliance", "procurement", "clinical")
# Obligation -> what in the code fulfils it. All others must stand under `human_duties` of the regime.
HANDLED: Final = {
    "reidentify_response": "the reply is restored from the map of the exchange (deid)",
    "log_disclosure": "intent and outcome stand in the ledger before the first and last byte (gateway)",
    "min_necessary": "only listed body fields leave, and findings leave as surrogates (deid, external)",
}
HUMAN: Final = ("sample_human_review", "ropa_entry", "chart_note_ai_use", "attach_2_32_notice")
# Body fields that may leave when a destination lists none (decisions 13).
FIELDS: Final = frozenset(
    {
        "model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "stream",
        "stream_options", "n", "seed", "presence_penalty", "frequency_penalty", "tools", "tool_choice",
        "parallel_tool_calls", "response_format", "logprobs", "top_logprobs", "logit_bias", "reasoning_effort",
        "verbosity", "prediction", "modalities", "service_tier",
    }
)  # fmt: skip
# Fields that no paper can let out: they identify people or turn the client library elsewhere.
NEVER: Final = frozenset(
    {
        "user", "metadata", "safety_identifier", "prompt_cache_key", "base_url", "api_base", "api_key", "api_version",
        "fallbacks", "mock_response", "extra_headers", "extra_body", "extra_query", "headers", "custom_llm_provider",
    }
)  # fmt: skip
# Fields and tools that keep or fetch data elsewhere: a destination must name them under `covers`.
ON_PAPER: Final = ("store", "prompt_cache_retention", "web_search_options", "hosted_tools", "remote_mcp")
