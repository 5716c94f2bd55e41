"""Compare ways to tell the language of a note: our own word counts, py3langid, lingua (docs/adr/0006-language.md).

    pip install py3langid==0.3.0 lingua-language-detector==2.1.1
    python -m training.compare_languages        # reads phigate/analyzers/data/evaluation.jsonl

Time is process time a note, the best of three passes; a note is *wrong* where a language is named that is not its own.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from phigate.analyzers.language import LANGUAGES, language_of
from phigate.analyzers.shadow import view_of
from training.lexicon import DATA

_LEAST_LETTERS = 40
Tell = Callable[[str], str]


def own() -> Tell:
    """Return our own: the view is made in any case, so its cost is not counted."""
    views: dict[str, Any] = {}
    return lambda text: language_of(views.setdefault(text, view_of(text)))[0]


def py3langid() -> Tell:
    """Return py3langid, told to choose among the seven."""
    module = importlib.import_module("py3langid.langid")
    identifier = module.LanguageIdentifier.from_pickled_model(module.MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return lambda text: str(identifier.classify(text)[0])


def lingua() -> Tell:
    """Return lingua over the seven, in its high-accuracy mode."""
    module = importlib.import_module("lingua")
    codes = [getattr(module.IsoCode639_1, lang.upper()) for lang in LANGUAGES]
    detector = module.LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_preloaded_language_models().build()

    def tell(text: str) -> str:
        found = detector.detect_language_of(text)
        return "" if found is None else str(found.iso_code_639_1.name).lower()

    return tell


def measure(tell: Tell, notes: Sequence[tuple[str, str]]) -> tuple[int, int, float]:
    """Return how many are named rightly, how many wrongly, and microseconds a note."""
    said = [tell(text) for text, _ in notes]
    right = sum(one == lang for one, (_, lang) in zip(said, notes, strict=True))
    wrong = sum(one not in {"", lang} for one, (_, lang) in zip(said, notes, strict=True))
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for text, _ in notes:
            tell(text)
        best = min(best, time.process_time() - began)
    return right, wrong, best * 1e6 / len(notes)


def main() -> None:
    rows = [json.loads(line) for line in (DATA / "evaluation.jsonl").open(encoding="utf-8")]
    notes = [(row["text"], row["lang"]) for row in rows]
    long = [(text, lang) for text, lang in notes if sum(c.isalpha() for c in text) >= _LEAST_LETTERS]
    print(f"{len(notes)} notes in seven languages; {len(long)} of {_LEAST_LETTERS} letters or more")
    for name, make in (("own", own), ("py3langid", py3langid), ("lingua", lingua)):
        try:
            began = time.perf_counter()
            tell = make()
        except ImportError:
            print(f"{name:10s} is not installed")
            continue
        loaded = time.perf_counter() - began
        right, wrong, spent = measure(tell, notes)
        right_long, wrong_long, _ = measure(tell, long)
        short = f"right {right / len(notes):.3f} wrong {wrong / len(notes):.3f}"
        longer = f"right {right_long / len(long):.3f} wrong {wrong_long / len(long):.3f}"
        print(f"{name:10s} {short}; long: {longer}; {spent:.0f} microseconds a note, loads in {loaded:.2f} s")


if __name__ == "__main__":
    main()
