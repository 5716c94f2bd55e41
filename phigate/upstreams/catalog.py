"""The medical models that a hospital can get today: what each is, on which terms, and what its card claims.

Facts are from the models' own cards and configuration files, read in November 2026; `source` says which. Memory is not
copied from anywhere: `Architecture` counts it from layers and heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_HAI_DEF: Final = "Health AI Developer Foundations terms of use"
_LLAMA3: Final = "Meta Llama 3 Community License"
_LLAMA31: Final = "Llama 3.1 Community License"


class Precision(StrEnum):
    """How weights are held. What is left unquantised (embeddings, vision) is held in bf16 in all three."""

    BF16 = "bf16"
    FP8 = "fp8"
    INT4 = "4bit"


# Bytes for one weight of a quantised layer. 4 bit: half a byte and a 16-bit scale with a 4-bit zero for each 128.
_WEIGHT_BYTES: Final = {Precision.BF16: 2.0, Precision.FP8: 1.0, Precision.INT4: 0.5 + 2.5 / 128}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder, as its configuration file gives it. All sizes are counts of elements."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool  # one matrix for reading and writing tokens
    norms: int  # vectors of `hidden` in each layer
    head_norms: int = 0  # vectors of `head_dim` in each layer
    window: int = 0  # tokens that a local layer sees; 0: every layer sees all
    global_every: int = 1  # each n-th layer sees all
    vision: int = 0  # parameters of image encoder and projector

    @property
    def linear(self) -> int:
        """Parameters of the matrices that quantisation reaches."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def rest(self) -> int:
        """Parameters that stay in bf16: embeddings, norms, vision."""
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        norms = self.layers * (self.norms * self.hidden + self.head_norms * self.head_dim) + self.hidden
        return embeddings + norms + self.vision

    @property
    def parameters(self) -> int:
        """Return the number of parameters."""
        return self.linear + self.rest

    def weight_bytes(self, precision: Precision) -> int:
        """Return what the weights take."""
        return int(self.linear * _WEIGHT_BYTES[precision] + self.rest * 2)

    def kv_bytes(self, tokens: int, *, element_bytes: int = 2) -> int:
        """Return what keys and values of one sequence take; local layers keep no more than their window."""
        seeing_all = self.layers // self.global_every
        local = self.layers - seeing_all
        held = seeing_all * tokens + local * min(tokens, self.window or tokens)
        return 2 * self.kv_heads * self.head_dim * element_bytes * held


@dataclass(frozen=True, slots=True)
class Score:
    """One published result: benchmark, percent, how it was measured."""

    benchmark: str
    percent: float
    how: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model."""

    id: str
    repository: str
    family: str
    architecture: Architecture | None  # None: an encoder, whose size is `encoder_parameters`
    context: int  # tokens
    modalities: tuple[str, ...]
    licence: str
    terms: str  # what the licence or card demands that a hospital must know before use
    gate: str  # how to get the weights
    good_for: str
    scores: tuple[Score, ...]
    source: str
    arguments: tuple[str, ...] = ()  # for vLLM, beyond those that every model gets
    encoder_parameters: int = 0

    @property
    def parameters(self) -> int:
        """Return the number of parameters."""
        return self.architecture.parameters if self.architecture else self.encoder_parameters


# SigLIP so400m as in Gemma 3 (patch 14, 896 pixels, 27 layers of 1152), without its projector.
_SIGLIP_896: Final = 416_866_032
_GEMMA_4B: Final = Architecture(
    layers=34, hidden=2560, intermediate=10_240, heads=8, kv_heads=4, head_dim=256, vocabulary=262_208, tied=True,
    norms=4, head_norms=2, window=1024, global_every=6, vision=_SIGLIP_896 + 1152 * 2560 + 1152,
)  # fmt: skip
_GEMMA_27B_TEXT: Final = Architecture(
    layers=62, hidden=5376, intermediate=21_504, heads=32, kv_heads=16, head_dim=128, vocabulary=262_208, tied=True,
    norms=4, head_norms=2, window=1024, global_every=6,
)  # fmt: skip
_GEMMA_27B: Final = Architecture(
    layers=62, hidden=5376, intermediate=21_504, heads=32, kv_heads=16, head_dim=128, vocabulary=262_208, tied=True,
    norms=4, head_norms=2, window=1024, global_every=6, vision=_SIGLIP_896 + 1152 * 5376 + 1152,
)  # fmt: skip
_LLAMA_8B: Final = Architecture(
    layers=32, hidden=4096, intermediate=14_336, heads=32, kv_heads=8, head_dim=128, vocabulary=128_256, tied=False,
    norms=2,
)  # fmt: skip
_LLAMA_70B: Final = Architecture(
    layers=80, hidden=8192, intermediate=28_672, heads=64, kv_heads=8, head_dim=128, vocabulary=128_256, tied=False,
    norms=2,
)  # fmt: skip

# Which form of tool call the server reads. A tool that the app names, or requires, works with it by guided decoding;
# none of these cards claims that the model chooses tools well by itself.
# vLLM loads the parser with this switch alone; without it even a named tool is refused (seen with vLLM 0.32).
_GEMMA_TOOLS: Final = ("--enable-auto-tool-choice", "--tool-call-parser", "pythonic")
# Llama 3.1 alone: the tokenizer of Llama 3 (OpenBioLLM) has no <|python_tag|>, and vLLM would refuse to start.
_LLAMA_TOOLS: Final = ("--enable-auto-tool-choice", "--tool-call-parser", "llama3_json")
_HAI_GATE: Final = "gated: log in at huggingface.co, open the repository's page and accept the terms; granted at once"
_HAI_TERMS: Final = "not for direct clinical use without validation; output is to be checked by a clinician"
_MEDGEMMA_CARD: Final = "model card of MedGemma, developers.google.com/health-ai-developer-foundations/medgemma"
_MEDITRON_TERMS: Final = (
    "the card says research only, not validated for medical use, and not instruction-tuned: give it a chat template"
)

CATALOGUE: Final[tuple[CatalogueModel, ...]] = (
    CatalogueModel(
        id="medgemma-4b",
        repository="google/medgemma-4b-it",
        family="Gemma 3",
        architecture=_GEMMA_4B,
        context=131_072,
        modalities=("text", "image"),
        licence=_HAI_DEF,
        terms=_HAI_TERMS,
        gate=_HAI_GATE,
        good_for="reports on X-ray, dermatology and eye images; first triage; one small GPU",
        scores=(Score("MedQA", 64.4, "4 options, 0-shot"),),
        source=_MEDGEMMA_CARD,
        arguments=(*_GEMMA_TOOLS, "--limit-mm-per-prompt", '{"image": 4}'),
    ),
    CatalogueModel(
        id="medgemma-27b-text",
        repository="google/medgemma-27b-text-it",
        family="Gemma 3",
        architecture=_GEMMA_27B_TEXT,
        context=131_072,
        modalities=("text",),
        licence=_HAI_DEF,
        terms=_HAI_TERMS,
        gate=_HAI_GATE,
        good_for="clinical text and reasoning: notes, summaries, questions",
        scores=(
            Score("MedQA", 87.7, "4 options, 0-shot"),
            Score("MedQA", 89.8, "4 options, best of 5"),
            Score("MedMCQA", 74.2),
            Score("PubMedQA", 76.8),
            Score("MMLU Med", 87.0),
        ),
        source=_MEDGEMMA_CARD,
        arguments=_GEMMA_TOOLS,
    ),
    CatalogueModel(
        id="medgemma-27b-multimodal",
        repository="google/medgemma-27b-it",
        family="Gemma 3",
        architecture=_GEMMA_27B,
        context=131_072,
        modalities=("text", "image"),
        licence=_HAI_DEF,
        terms=_HAI_TERMS,
        gate=_HAI_GATE,
        good_for="text, images and longitudinal records (FHIR) in one model",
        scores=(Score("EHRQA", 90.5),),
        source=_MEDGEMMA_CARD,
        arguments=(*_GEMMA_TOOLS, "--limit-mm-per-prompt", '{"image": 4}'),
    ),
    CatalogueModel(
        id="medsiglip",
        repository="google/medsiglip-448",
        family="SigLIP",
        architecture=None,
        encoder_parameters=878_000_000,
        context=64,
        modalities=("text", "image"),
        licence=_HAI_DEF,
        terms=_HAI_TERMS,
        gate=_HAI_GATE,
        good_for="embeddings and zero-shot classification of images (448 pixels, 64 tokens) without a full model",
        scores=(),
        source="model card of google/medsiglip-448: encoders of 400 M parameters each for images and text",
        arguments=("--runner", "pooling"),
    ),
    CatalogueModel(
        id="openbiollm-8b",
        repository="aaditya/Llama3-OpenBioLLM-8B",
        family="Llama 3",
        architecture=_LLAMA_8B,
        context=8_192,
        modalities=("text",),
        licence=_LLAMA3,
        terms="not for clinical decisions as it stands, says its card",
        gate="open",
        good_for="biomedical literature on smaller hardware",
        scores=(),
        source="model card of aaditya/Llama3-OpenBioLLM-8B",
        arguments=(),
    ),
    CatalogueModel(
        id="openbiollm-70b",
        repository="aaditya/Llama3-OpenBioLLM-70B",
        family="Llama 3",
        architecture=_LLAMA_70B,
        context=8_192,
        modalities=("text",),
        licence=_LLAMA3,
        terms="not for clinical decisions as it stands, says its card",
        gate="open",
        good_for="biomedical literature",
        scores=(),
        source="model card of aaditya/Llama3-OpenBioLLM-70B",
        arguments=(),
    ),
    CatalogueModel(
        id="meditron3-8b",
        repository="OpenMeditron/Meditron3-8B",
        family="Llama 3.1",
        architecture=_LLAMA_8B,
        context=131_072,
        modalities=("text",),
        licence=_LLAMA31,
        terms=_MEDITRON_TERMS,
        gate="gated: log in at huggingface.co, open the repository's page and agree to share contact data",
        good_for="hospitals in low- and middle-income countries: guidelines, neglected diseases, small hardware",
        scores=(),
        source="model card of OpenMeditron/Meditron3-8B",
        arguments=_LLAMA_TOOLS,
    ),
    CatalogueModel(
        id="meditron3-70b",
        repository="OpenMeditron/Meditron3-70B",
        family="Llama 3.1",
        architecture=_LLAMA_70B,
        context=131_072,
        modalities=("text",),
        licence=_LLAMA31,
        terms=_MEDITRON_TERMS,
        gate="gated: log in at huggingface.co, open the repository's page and agree to share contact data",
        good_for="as meditron3-8b, where hardware allows",
        scores=(),
        source="model card of OpenMeditron/Meditron3-70B",
        arguments=_LLAMA_TOOLS,
    ),
)


def find(model_id: str) -> CatalogueModel | None:
    """Return a model by its id or its repository."""
    return next((m for m in CATALOGUE if model_id in (m.id, m.repository)), None)
