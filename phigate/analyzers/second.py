"""The second set of recognizers, for the outgoing copy: recall first, and partly not ours (decisions 11).

Names with the gazetteer's stop list off and the lowest bars; Presidio's own patterns for numbers that both know. A
miss of one set is no miss of the other.
"""

from __future__ import annotations

import functools
from typing import Final

from presidio_analyzer import AnalyzerEngine, EntityRecognizer
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    DateRecognizer,
    EsNieRecognizer,
    EsNifRecognizer,
    IbanRecognizer,
    IpRecognizer,
    ItFiscalCodeRecognizer,
    MedicalLicenseRecognizer,
    NhsRecognizer,
    UsSsnRecognizer,
)

from phigate.analyzers.engine import build_engine

# Serves every language under this one name: the patterns do not depend on it.
LANGUAGE: Final = "en"
_CLASSES: Final = (
    CreditCardRecognizer,
    DateRecognizer,
    EsNieRecognizer,
    EsNifRecognizer,
    IbanRecognizer,
    IpRecognizer,
    ItFiscalCodeRecognizer,
    MedicalLicenseRecognizer,
    NhsRecognizer,
    UsSsnRecognizer,
)


@functools.cache
def presidio_patterns() -> AnalyzerEngine:
    """Return an engine with Presidio's patterns alone. None of them opens a socket."""
    recognizers: list[EntityRecognizer] = [cls(supported_language=LANGUAGE) for cls in _CLASSES]
    return build_engine(recognizers, languages=(LANGUAGE,), own=False)
