"""Texts of the public corpora through the whole gateway: what the detector finds never reaches the outside."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from phigate.analyzers.presidio import PresidioAnalyzer
from phigate.phi import PHIText
from phigate.store.bundles import FolderBundles
from phigate.wire.parts import Part, PartKind
from tests.e2e.house import House

SHARED = Path(os.environ.get("PHIGATE_SHARED", Path(__file__).parents[2] / ".." / "shared")).resolve()
CORPORA = SHARED / "corpora"
TEXTS = 240
DIRECT = {"PERSON", "USERNAME", "PHONE", "EMAIL", "URL", "IP", "ID"}


@dataclass(frozen=True)
class Annotated:
    key: str
    text: str
    direct: tuple[tuple[int, int], ...]


def texts() -> Iterator[Annotated]:
    sys.path.insert(0, str(CORPORA))
    try:
        import load  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    by_corpus: dict[str, list[Any]] = {}
    for doc in load.load():
        if doc["kind"] == "gold" and len(doc["text"]) < 6000:
            by_corpus.setdefault(doc["corpus"], []).append(doc)
    share = TEXTS // len(by_corpus) + 1
    for corpus, docs in by_corpus.items():
        for doc in docs[:: max(1, len(docs) // share)][:share]:
            direct = tuple((s, e) for s, e, _, label in doc["spans"] if load.family(label) in DIRECT)
            yield Annotated(f"{corpus}/{doc['id']}", doc["text"], direct)


def covered(home: House, docs: list[Annotated]) -> list[list[str]]:
    """Return, for each text, the annotated direct identifiers that the detector covers, as words to search for."""
    bundle = FolderBundles(home.site.parent / "policies", dev=True).current()
    analyzer = PresidioAnalyzer(bundle)

    async def run() -> list[list[str]]:
        out = []
        for doc in docs:
            part = Part(0, "/messages/0/content", PHIText(doc.text), PartKind.TEXT, "user")
            found = (await analyzer.analyze([part], bundle=bundle)).parts[0].findings
            cells = {i for f in found for i in range(f.start, f.end)}
            hit = [
                doc.text[s:e] for s, e in doc.direct if all(i in cells for i in range(s, e) if doc.text[i].isalnum())
            ]
            out.append([word for word in hit if len(word) > 3])
        await analyzer.close()
        return out

    return asyncio.run(run())


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora is not here: no public texts to send")
def test_no_identifier_that_the_detector_finds_reaches_the_outside(home: House) -> None:
    docs = list(texts())[:TEXTS]
    assert len(docs) >= 200
    identifiers = covered(home, docs)
    client = home.client()
    leaks, modes, checked = [], dict.fromkeys(("send_scrubbed", "keep_onprem", "onprem"), 0), 0
    for doc, words in zip(docs, identifiers, strict=True):
        before = home.total("external")
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-5", messages=[{"role": "user", "content": doc.text}]
        )
        modes[raw.headers["x-phigate-mode"]] += 1
        outside = "\n".join(home.since("external", before))
        for word in words:
            checked += 1
            if outside and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", outside):
                leaks.append(doc.key)
    print(f"{len(docs)} texts, {checked} identifiers, modes {modes}")
    assert leaks == []
    assert checked >= 300
    assert modes["send_scrubbed"] > len(docs) // 2
