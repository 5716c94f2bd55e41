"""Base64 in a text, decoded on the side: what is found inside makes the whole run a finding."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from phigate.analyzers import pipeline
from phigate.analyzers.layers import View
from phigate.analyzers.shadow import view_of
from phigate.analyzers.shapes import hints_of
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Finding

_RUN: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{16,}+={0,2}(?![A-Za-z0-9+/_-])")
_LEAST: Final = 12  # decoded characters
_MOST: Final = 200_000  # encoded characters of one run
_DEPTH: Final = 2
_SURE: Final = 0.5
_URL_SAFE: Final = str.maketrans("-_", "+/")


def decoded(run: str) -> str | None:
    """Return the text that a run of Base64 holds, None where it holds no text."""
    body = run.rstrip("=").translate(_URL_SAFE)
    if len(body) % 4 == 1:
        return None
    try:
        text = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    printable = sum(c.isprintable() or c in "\r\n\t" for c in text)
    return text if len(text) >= _LEAST and printable == len(text) else None


def find_encoded(view: View, depth: int = 0) -> list[Finding]:
    """Return one finding per run of Base64 that holds PHI, of the strictest type inside."""
    found: list[Finding] = []
    for match in _RUN.finditer(view.shadow):
        run = match.group()
        # Words and numbers match the alphabet too; Base64 of text mixes cases or holds digits among them.
        if len(run) > _MOST or run.isdigit() or (run.isalpha() and (run.islower() or run.isupper())):
            continue
        text = decoded(run)
        if text is None:
            continue
        inner = view_of(text, lang=view.lang, recall=view.recall)
        inner.hints = hints_of(inner)
        inside = [f for f in pipeline.find(inner) if f.score >= _SURE]
        if depth < _DEPTH:
            inside += find_encoded(inner, depth + 1)
        if inside:
            strict = [f for f in inside if ENTITY_TABLE[f.entity_type].entity_class is EntityClass.DIRECT]
            best = max(strict or inside, key=lambda f: f.score)
            kind = best.entity_type if strict else EntityType.UNIQUE_ID
            found.append(Finding(match.start(), match.end(), kind, best.score, "shape:base64"))
    return found
