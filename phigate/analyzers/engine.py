"""Presidio's side of the layers: one NLP engine for any language, and ordinary recognizers.

They can be listed, disabled, explained, and used from a plain AnalyzerEngine.

The engine prepares the view once; every recognizer reads the same view, so that ten recognizers cost one pass. No model
is loaded and nothing is fetched. Presidio's own e-mail and URL recognizers are never registered: they look up public
suffixes over the network and drop addresses on internal domains.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import yaml
from presidio_analyzer import (
    AnalysisExplanation,
    AnalyzerEngine,
    EntityRecognizer,
    PatternRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from phigate.analyzers import pipeline
from phigate.analyzers.language import LANGUAGES
from phigate.analyzers.layers import View
from phigate.analyzers.plugins import TYPES, build_plugin, plugin_row
from phigate.analyzers.shadow import fold, view_of
from phigate.analyzers.shapes import hints_of
from phigate.finding import ENTITY_TABLE, EntityType, Finding

# Recognizer -> the layer it stands for, which is the head of the source of its findings.
LAYERS: Final[dict[str, str]] = {
    "PhigateFields": "shape",
    "PhigateGeneric": "generic",
    "PhigateClinical": "clinical",
    "PhigateBrazil": "br",
    "PhigateUnitedStates": "us",
    "PhigateEurope": "eu",
    "PhigateDates": "dates",
    "PhigateAges": "ages",
    "PhigatePlaces": "places",
    "PhigateNames": "names",
}
_OURS: Final = {name: EntityType(name) for name in EntityType}
_PRESIDIO: Final = {name: row.entity_type for row in ENTITY_TABLE.values() for name in row.presidio}

_NAMES: Final = {**{entity.value: entity for entity in EntityType}, **_PRESIDIO}


class PhigateArtifacts(NlpArtifacts):  # type: ignore[misc]  # Presidio is untyped
    """What the engine hands to recognizers: our words as tokens and lemmas, and the view itself."""

    def __init__(self, view: View, engine: PhigateNlpEngine, language: str) -> None:
        # Presidio types tokens as a spaCy Doc; its own code asks only for their number and text.
        super().__init__([], view.words, view.starts, view.words, engine, language, [])
        self.view = view


class PhigateNlpEngine(NlpEngine):  # type: ignore[misc]  # Presidio is untyped
    """Cuts words and folds them. Serves every language, loads nothing."""

    def load(self) -> None:
        """Do nothing: there is no model."""

    def is_loaded(self) -> bool:
        """Return True."""
        return True

    def process_text(self, text: str, language: str) -> PhigateArtifacts:
        """Prepare a text, its hints included."""
        view = view_of(text, lang=language if language in LANGUAGES else "")
        view.hints = hints_of(view)
        return PhigateArtifacts(view, self, language)

    def process_batch(
        self,
        texts: Iterable[str],
        language: str,
        batch_size: int = 1,  # noqa: ARG002 - Presidio's signature
        n_process: int = 1,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Prepare texts one by one."""
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:  # noqa: ARG002 - Presidio's signature
        """Return False: context needs every word."""
        return False

    def is_punct(self, word: str, language: str) -> bool:  # noqa: ARG002 - Presidio's signature
        """Return whether a token holds no letter or digit."""
        return not any(c.isalnum() for c in word)

    def get_supported_entities(self) -> list[str]:
        """Return none: entities come from recognizers."""
        return []

    def get_supported_languages(self) -> list[str]:
        """Return the seven."""
        return list(LANGUAGES)


class LayerRecognizer(EntityRecognizer):  # type: ignore[misc]  # Presidio is untyped
    """One layer as Presidio sees it. Offsets are those of the text that the engine was given."""

    def __init__(self, name: str, *, language: str) -> None:
        self.layer = LAYERS[name]
        super().__init__([entity_type.value for entity_type in EntityType], name, language)

    def load(self) -> None:
        """Do nothing: layers are loaded with the process."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Return what this layer found among ``entities``."""
        if isinstance(nlp_artifacts, PhigateArtifacts):
            view = nlp_artifacts.view
        else:  # another NLP engine is in charge: prepare the text ourselves
            view = view_of(text, lang=self.supported_language)
            view.hints = hints_of(view)
        found = pipeline.find_names(view) if self.layer == "names" else pipeline.find_patterns(view)
        head = self.layer + ":"
        return [
            self._result(view, finding)
            for finding in found
            if finding.source.startswith(head) and finding.entity_type.value in entities
        ]

    def _result(self, view: View, finding: Finding) -> RecognizerResult:
        start, end = view.original(finding.start, finding.end)
        why = AnalysisExplanation(self.name, finding.score, pattern_name=finding.source)
        return RecognizerResult(finding.entity_type.value, start, end, finding.score, why)


class NearWords(ContextAwareEnhancer):  # type: ignore[misc]  # Presidio is untyped
    """Context words of pattern recognizers, both sides, whole words, found by binary search in the offsets.

    Presidio's own enhancer walks all tokens for every result, which is quadratic in a document dense with PHI.
    """

    def __init__(self) -> None:
        super().__init__(0.35, 0.4, 5, 3)

    def enhance_using_context(
        self,
        text: str,  # noqa: ARG002 - Presidio's signature
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        """Lift the score of results whose recognizer names a word that stands near."""
        words = {
            r.id: frozenset(fold(w) for c in (*(r.context or ()), *(context or ())) for w in c.split())
            for r in recognizers
        }
        tokens, starts = nlp_artifacts.lemmas, nlp_artifacts.tokens_indices
        for result in raw_results:
            wanted = words.get(result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY])
            if not wanted:
                continue
            at = bisect_left(starts, result.start)
            after = bisect_left(starts, result.end)
            near = (
                *tokens[max(0, at - self.context_prefix_count) : at],
                *tokens[after : after + self.context_suffix_count],
            )
            if any(token.lower() in wanted for token in near):
                lifted = max(result.score + self.context_similarity_factor, self.min_score_with_context_similarity)
                result.score = min(lifted, self.MAX_SCORE)
        return raw_results


def own_recognizers(languages: Sequence[str] = LANGUAGES) -> list[EntityRecognizer]:
    """Return one recognizer per layer and language."""
    return [LayerRecognizer(name, language=language) for language in languages for name in LAYERS]


def custom_recognizers(text: str, languages: Sequence[str] = LANGUAGES) -> list[EntityRecognizer]:
    """Make pattern recognizers from YAML as Presidio writes it: a list under ``recognizers``.

    One without a language serves all seven; rows with a ``type`` of `plugins.TYPES` are models. Raises `ValueError` when the text is no such list, or names an entity that
    is neither in our table nor one of Presidio's names for it.
    """
    if not text.strip():
        return []
    loaded = yaml.safe_load(text)
    rows = loaded.get("recognizers") if isinstance(loaded, dict) else None
    if not isinstance(rows, list):
        raise ValueError("custom recognizers: expected a list under the key recognizers")  # noqa: TRY004 - of the value
    made: list[EntityRecognizer] = []
    for row in rows:
        if isinstance(row, dict) and row.get("type") in TYPES:
            made += build_plugin(plugin_row(row, _NAMES))
            continue
        if not isinstance(row, dict) or "supported_entity" not in row:
            raise ValueError("custom recognizers: each entry needs a name and a supported_entity")
        if entity_type_of(str(row["supported_entity"])) is None:
            raise ValueError("custom recognizers: supported_entity is not in the table of entity types")
        wanted = row.get("supported_language")
        made += [
            PatternRecognizer.from_dict({**row, "supported_language": language})
            for language in ((wanted,) if wanted else languages)
        ]
    return made


def entity_type_of(name: str) -> EntityType | None:
    """Return the type of our table for a name that a recognizer reports, ours or Presidio's."""
    return _OURS.get(name) or _PRESIDIO.get(name)  # type: ignore[call-overload]


def build_engine(
    extra: Iterable[EntityRecognizer] = (), *, languages: Sequence[str] = LANGUAGES, own: bool = True
) -> AnalyzerEngine:
    """Return an AnalyzerEngine over our NLP engine, our recognizers and any others. Loads no model."""
    recognizers = [*(own_recognizers(languages) if own else ()), *extra]
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=list(languages))
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=PhigateNlpEngine(),
        supported_languages=list(languages),
        context_aware_enhancer=NearWords(),
    )


def only_ours(engine: AnalyzerEngine) -> bool:
    """Return whether the hot path may stand in for this engine: its registry holds every layer and nothing else."""
    recognizers = engine.registry.recognizers
    names = {(r.name, r.supported_language) for r in recognizers if isinstance(r, LayerRecognizer)}
    complete = {(name, language) for language in LANGUAGES for name in LAYERS}
    return names == complete and len(recognizers) == len(complete)


def findings_of(results: Iterable[RecognizerResult], length: int) -> list[Finding]:
    """Map Presidio's results to findings; a type outside the table is reported as a unique identifier."""
    found: list[Finding] = []
    for result in results:
        start, end = max(0, int(result.start)), min(length, int(result.end))
        if start >= end:
            continue
        entity_type = entity_type_of(result.entity_type) or EntityType.UNIQUE_ID
        why = result.analysis_explanation
        source = (why.pattern_name if why is not None else "") or ""
        if source.partition(":")[0] not in LAYERS.values():
            recognizer = why.recognizer if why is not None else "presidio"
            source = f"presidio:{recognizer}"
        found.append(Finding(start, end, entity_type, min(1.0, max(0.0, float(result.score))), source))
    return found
