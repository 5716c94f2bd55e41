"""``make bench-detect``: speed and memory of the detector, side by side with stock Presidio's patterns in one run.

Texts are written here, so that anybody can repeat the run; with ``PHIGATE_SHARED`` (or ``../shared``) the corpora are
measured too. One core, process time, best of three; ``--big`` adds texts of 1 MB.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

NOTE = (
    "Patient admitted with progressive dyspnea and bilateral lower limb edema for the past two weeks. Past history of "
    "arterial hypertension, type 2 diabetes and atrial fibrillation. On examination blood pressure 150/90 mmHg, heart "
    "rate 98, oxygen saturation 91% on room air, crackles at both bases. Laboratory: hemoglobin 11.2 g/dL, creatinine "
    "1.4 mg/dL, BNP 1250 pg/mL. Echocardiogram showed an ejection fraction of 35% with mild mitral regurgitation. "
    "Started on furosemide 40 mg IV twice a day and carvedilol 6.25 mg. MRN 4471902, seen by Dr. Helena Moreira on "
    "12/05/2023, phone 617-555-0142. Condition improved, weight down 3.2 kg, discharged home on day 6 with follow-up "
    "at the heart failure clinic in two weeks and low sodium diet. "
)
PROMPT = (
    "Summarise for Ana Zorba, 54 years old, MRN 4471902: chest pain for two days, troponin negative, ECG normal, on "
    "aspirin and a statin. What next for her?"
)
DENSE = (
    "John Quill, MRN 1234567, SSN 123-45-6789, DOB 01/02/1980, 12 Elm Street, Boston, MA 02115, 617-555-0142, q@x.org. "
)


def best(call: Callable[[], object], times: int = 3) -> float:
    found = 1e9
    for _ in range(times):
        began = time.process_time()
        call()
        found = min(found, time.process_time() - began)
    return found


def per_1k(seconds: float, text: str) -> float:
    """Return milliseconds per 1,000 characters."""
    return seconds * 1e6 / len(text)


def rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def corpora() -> dict[str, list[str]]:
    root = Path(os.environ.get("PHIGATE_SHARED", "../shared")) / "corpora"
    found: dict[str, list[str]] = {}
    for folder in sorted(root.glob("*/data.jsonl")):
        rows = [json.loads(line) for line in folder.open(encoding="utf-8")]
        found[folder.parent.name] = [row["text"] for row in rows][:100]
    if not found:
        print(f"the corpora are absent ({root}): only the texts of this file are measured")
    return found


def main() -> None:
    import phigate.analyzers  # noqa: F401 - first, as in the product: it holds BLAS to one thread, which numpy reads once

    began = time.perf_counter()
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    imported = time.perf_counter()
    before = rss_mb()
    from phigate.analyzers import pipeline
    from phigate.analyzers.engine import PhigateNlpEngine
    from phigate.analyzers.examine import Budget, Examiner, Text, options_of

    pipeline.names()
    examiner = Examiner(options_of(knob="recall", allow=(), deny={}))
    examiner.examine([Text(PROMPT)])
    loaded = time.perf_counter()
    print(f"import of presidio {imported - began:.2f} s; loading ours {loaded - imported:.2f} s")
    print(f"resident {rss_mb():.0f} MB, of which presidio's import {before:.0f} MB")

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    network = {"EmailRecognizer", "UrlRecognizer"}  # they ask the network for public suffixes
    registry.recognizers = [r for r in registry.recognizers if r.name not in network]
    stock = AnalyzerEngine(registry=registry, nlp_engine=PhigateNlpEngine(), supported_languages=["en"])

    def ours(text: str) -> object:
        return examiner.examine([Text(text)], budget=Budget(seconds=600.0))

    def theirs(text: str) -> object:
        return stock.analyze(text, "en")

    print(f"{'text':34s} {'characters':>10s} {'ours ms/1k':>11s} {'stock ms/1k':>12s}")
    texts = {
        "prompt": PROMPT,
        "note": NOTE,
        "note, 4,000 characters": (NOTE * 6)[:4000],
        "dense, 23,000": (DENSE * 250)[:23_000],
        "dense, 94,000": (DENSE * 900)[:94_000],
    }
    if "--big" in sys.argv:
        texts |= {"notes, 1 MB": NOTE * (1_000_000 // len(NOTE)), "dense, 1 MB": DENSE * (1_000_000 // len(DENSE))}
    for name, text in texts.items():
        mine = best(partial(ours, text), 3 if len(text) < 200_000 else 1)
        his = f"{per_1k(best(partial(theirs, text), 1), text):12.2f}" if len(text) < 100_000 else "           -"
        print(f"{name:34s} {len(text):10d} {per_1k(mine, text):11.2f} {his}")
    spent = []
    for _ in range(200):
        start = time.process_time()
        ours((NOTE * 6)[:4000])
        spent.append(time.process_time() - start)
    print(f"4,000 characters, 200 times: p50 {sorted(spent)[100] * 1e3:.1f} ms, p99 {sorted(spent)[197] * 1e3:.1f} ms")
    print(f"150 characters: {best(lambda: ours(PROMPT), 20) * 1e3:.2f} ms")
    for name, rows in corpora().items():
        whole = "".join(rows)
        mine = best(partial(list, map(ours, rows)), 1)
        other = best(partial(list, map(theirs, rows)), 1)
        print(f"{name:34s} {len(whole):10d} {per_1k(mine, whole):11.2f} {per_1k(other, whole):12.2f}")


if __name__ == "__main__":
    main()
