"""Build the list of ordinary words: those of common_words.txt and those that the free sentences use in lower case.

python -m training.common           # writes phigate/analyzers/data/common.tsv
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from phigate.analyzers.names.lexicon import GRAMMAR_SHIFT, LANGUAGES, language_bits
from phigate.analyzers.names.tokens import fold, tokenize
from training.lexicon import DATA, HERE, write
from training.patterns import free_lines, literal_words


def build_common(text: Path) -> dict[str, int]:
    """Return word -> language bits. Held-out families are left out, so that they measure the list as well."""
    common: dict[str, int] = defaultdict(int)
    for line in (HERE / "common_words.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            lang, _, words = line.partition(": ")
            bits = language_bits(lang.rstrip("!"))
            bits |= bits << GRAMMAR_SHIFT if lang.endswith("!") else 0
            for token in words.split():
                for word in tokenize(token).words:
                    common[fold(word)] |= bits
    for lang in LANGUAGES:
        for line in (*free_lines(text, lang, dev=False), *literal_words(text, lang)):
            for word in tokenize(line).words:
                if word.islower() and len(word) > 1:
                    common[fold(word)] |= language_bits(lang)
    return common


def main() -> None:
    write(DATA / "common.tsv", build_common(HERE / "text"))


if __name__ == "__main__":
    main()
