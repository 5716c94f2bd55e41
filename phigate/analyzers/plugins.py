"""Models of a site beside the layers: spaCy, transformers, GLiNER, a language model on the premises.

They stand among the custom recognizers of the signed bundle, each with a ``type``::

    recognizers:
      - {name: ward, type: spacy, model: /models/ward, labels: {PER: PERSON}, languages: [en]}
      - {name: notes, type: transformers, model: /models/notes, labels: {PATIENT: PERSON}, threshold: 0.4}
      - {name: any, type: gliner, model: /models/gliner, labels: {patient name: PERSON}}
      - {name: second, type: llm, endpoint: "http://127.0.0.1:8001/v1", model: med, labels: {PERSON: PERSON}}

Each runs through Presidio's own adapter for its kind, once for all languages, and what it finds joins the union: a
plug-in can add findings and take none away. Models are folders on this machine and endpoints addresses of its own
network; nothing is fetched. The libraries are the site's to install.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import GLiNERRecognizer, HuggingFaceNerRecognizer, SpacyRecognizer

from phigate.analyzers.language import LANGUAGES
from phigate.analyzers.language_model import LanguageModelRecognizer

TYPES: Final = ("spacy", "transformers", "gliner", "llm")
_KEYS: Final = frozenset({"name", "type", "model", "endpoint", "labels", "languages", "threshold"})


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plug-in as the bundle writes it, checked."""

    name: str
    type: str
    model: str
    endpoint: str
    labels: Mapping[str, str]  # label of the model -> entity type, ours or Presidio's name
    languages: tuple[str, ...]
    threshold: float


class SharedRecognizer(EntityRecognizer):  # type: ignore[misc]  # Presidio is untyped
    """One language's view of a model that all languages share; reports every label of the row, whatever is asked."""

    def __init__(self, inner: EntityRecognizer, row: PluginRow, *, language: str) -> None:
        self._inner = inner
        self._least = row.threshold
        super().__init__(sorted(set(row.labels.values())), row.name, language)

    def load(self) -> None:
        """Do nothing: the shared model is loaded with its first owner."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Return what the model finds in ``text`` at the row's threshold or above."""
        found = self._inner.analyze(text, self.supported_entities, nlp_artifacts)
        kept = [result for result in found if result.score >= self._least and result.entity_type in entities]
        for result in kept:
            # Presidio drops what bears the identifier of a recognizer that is not in its registry: the shared one's.
            result.recognition_metadata = {
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            }
        return kept


class SpacyModelRecognizer(SpacyRecognizer):  # type: ignore[misc]  # Presidio is untyped
    """Presidio's spaCy recognizer over a pipeline of its own, since our engine cuts words and names nothing."""

    def __init__(self, row: PluginRow) -> None:
        labels = NerModelConfiguration(model_to_presidio_entity_mapping=dict(row.labels), labels_to_ignore=[])
        models = [{"lang_code": "en", "model_name": row.model}]
        self._engine = SpacyNlpEngine(models=models, ner_model_configuration=labels)
        self._engine.load()
        super().__init__(supported_entities=sorted(set(row.labels.values())), name=row.name)

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002 - Presidio's signature
    ) -> list[RecognizerResult]:
        """Return the entities of the pipeline."""
        found: list[RecognizerResult] = super().analyze(text, entities, self._engine.process_text(text, "en"))
        return found


def plugin_row(row: Mapping[str, Any], entity_types: Mapping[str, object]) -> PluginRow:
    """Check one row. Raises `ValueError` with what is wrong, never with text of a request."""
    unknown = set(row) - _KEYS
    if unknown:
        raise ValueError(f"custom recognizers: a plug-in knows {', '.join(sorted(_KEYS))} only")
    kind = str(row["type"])
    if kind not in TYPES:
        raise ValueError(f"custom recognizers: type must be one of {', '.join(TYPES)}")
    labels = row.get("labels")
    if not isinstance(labels, dict) or not labels or not set(map(str, labels.values())) <= entity_types.keys():
        raise ValueError("custom recognizers: labels must map each label of the model to an entity type")
    model, endpoint = str(row.get("model", "")), str(row.get("endpoint", ""))
    if kind == "llm":
        _check_endpoint(endpoint)
    elif endpoint or not (Path(model).is_absolute() and Path(model).exists()):
        raise ValueError("custom recognizers: model must be the absolute path of a model on this machine")
    languages = tuple(map(str, row.get("languages") or LANGUAGES))
    if not set(languages) <= set(LANGUAGES):
        raise ValueError(f"custom recognizers: languages are {', '.join(LANGUAGES)}")
    threshold = float(row.get("threshold", 0.3))
    mapped = {str(label): str(entity) for label, entity in labels.items()}
    return PluginRow(str(row.get("name", kind)), kind, model, endpoint, mapped, languages, threshold)


def _check_endpoint(endpoint: str) -> None:
    """Refuse an endpoint that is not an address of this machine or its own network: it is sent raw text."""
    parts = urlsplit(endpoint)
    try:
        address = ipaddress.ip_address("127.0.0.1" if parts.hostname == "localhost" else parts.hostname or "")
    except ValueError:
        address = None
    if parts.scheme not in {"http", "https"} or address is None or not (address.is_loopback or address.is_private):
        raise ValueError("custom recognizers: endpoint must be http(s) at a loopback or private address")


def build_plugin(row: PluginRow) -> Sequence[EntityRecognizer]:
    """Load the model of a row once, and return one recognizer per language. Raises what its library raises."""
    entities = sorted(set(row.labels.values()))
    inner: EntityRecognizer
    match row.type:
        case "spacy":
            inner = SpacyModelRecognizer(row)
        case "transformers":
            inner = HuggingFaceNerRecognizer(
                name=row.name,
                model_name=row.model,
                supported_entities=entities,
                label_mapping=dict(row.labels),
                threshold=row.threshold,
                device="cpu",
            )
        case "gliner":
            inner = GLiNERRecognizer(
                name=row.name,
                model_name=row.model,
                entity_mapping=dict(row.labels),
                threshold=row.threshold,
                map_location="cpu",
                local_files_only=True,
            )
        case _:
            inner = LanguageModelRecognizer(
                name=row.name, model=row.model, endpoint=row.endpoint, labels=row.labels, least=row.threshold
            )
    return [SharedRecognizer(inner, row, language=language) for language in row.languages]
