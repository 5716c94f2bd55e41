"""Write the evaluation set that ships: notes from held-out families with held-out names, for `phigate detect evaluate`.

    python -m training.evaluation       # writes phigate/analyzers/data/evaluation.jsonl

No note of it, no pattern behind it and no name in it is seen in training; the seed is fixed.
"""

from __future__ import annotations

import json
import random

from phigate.analyzers.names.lexicon import LANGUAGES
from training.documents import Maker
from training.lexicon import DATA, HERE

_SEED = 4_112_026
_NOTES = 120  # a language
_TYPES = {
    "PERSON": "PERSON", "LOCATION": "LOCATION", "ORG": "ORGANIZATION", "DATE": "DATE", "AGE": "AGE", "ID": "UNIQUE_ID",
    "PHONE": "PHONE",
}  # fmt: skip


def main() -> None:
    maker = Maker(random.Random(_SEED), HERE / "text", dev=True, use_natural=False)
    path = DATA / "evaluation.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for lang in LANGUAGES:
            for number in range(_NOTES):
                document = maker.note(lang)
                spans = [[start, end, _TYPES[label]] for start, end, label in document.spans]
                row = {"id": f"{lang}-{number:03d}", "lang": lang, "text": document.text, "spans": spans}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{path.name}: {_NOTES * len(LANGUAGES)} notes, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
