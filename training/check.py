"""Check training text against the format: `python -m training.check training/text/<lang> ...`."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path

from training.patterns import PatternError, Slot, parse

_SIGNS = set(" !\"#%&'()*+,-./:;<=>?@[\\]^_`{|}~°±≤≥µμ×→•€£$§“”‘’«»–—…¿¡ºª²³½¼¾‰†®™·")
_MOST_LINES = 500
_NEAR = re.compile(r"\{[^{}]*\}|<<.*?>>|\d+|\W+")


def problems_of(path: Path) -> list[tuple[int, str]]:
    """Return (line number, what is wrong) for one file."""
    found: list[tuple[int, str]] = []
    lines = path.read_text("utf-8").splitlines()
    phi = path.name.endswith(".phi.txt")
    if not phi and not path.name.endswith(".free.txt"):
        return [(0, "expected a name that ends in .phi.txt or .free.txt")]
    if len(lines) > _MOST_LINES:
        found.append((_MOST_LINES, f"expected at most {_MOST_LINES} lines, found {len(lines)}"))
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("# "):
            continue
        found += [(number, problem) for problem in _line_problems(line, phi=phi, free_signs="whatsapp" in path.name)]
        key = _NEAR.sub(" ", line.lower()).strip()
        if key in seen and key:
            found.append((number, f"expected a new sentence, found one like line {seen[key]}"))
        seen.setdefault(key, number)
    return found


def _line_problems(line: str, *, phi: bool, free_signs: bool) -> list[str]:
    found = []
    if line != line.strip() or "\t" in line:
        found.append("expected no space at the ends and no tab")
    if not unicodedata.is_normalized("NFC", line):
        found.append("expected NFC")
    odd = {char for char in line if not char.isalnum() and char not in _SIGNS}
    if odd and not free_signs:
        found.append(f"expected ordinary characters, found {sorted(odd)}")
    if line.count("<<") != line.count(">>"):
        found.append("expected << and >> in pairs")
    try:
        slots = [piece for text in _variants(line) for piece in parse(text) if isinstance(piece, Slot)]
    except PatternError as error:
        return [*found, str(error)]
    fillers = {"DRUG", "DX", "TIME", "N", "NN", "DEC", "DOSE", "CODE"}
    if not phi and any(slot.base not in fillers for slot in slots):
        found.append("expected no PHI slot in a free line")
    if phi and all(slot.base in fillers for slot in slots):
        found.append("expected a PHI slot")
    return found


def _variants(line: str) -> list[str]:
    """Return the line with the first, and with every later, choice of all its alternatives."""
    groups = re.findall(r"<<(.*?)>>", line)
    most = max((group.count("|") + 1 for group in groups), default=1)
    return [
        re.sub(r"<<(.*?)>>", lambda match: match[1].split("|")[min(k, match[1].count("|"))], line)  # noqa: B023
        for k in range(most)
    ]


def main(roots: list[str]) -> int:
    counts: Counter[str] = Counter()
    bad = 0
    for root in roots:
        path = Path(root)
        for file in sorted(path.rglob("*.txt")) if path.is_dir() else [path]:
            for number, problem in problems_of(file):
                print(f"{file}:{number}: {problem}")
                bad += 1
            kind = ".".join(file.name.split(".")[1:-1])
            lines = [x for x in file.read_text("utf-8").splitlines() if x and not x.startswith("# ")]
            counts[f"{file.parent.name} {kind}"] += len(lines)
    for name, count in sorted(counts.items()):
        print(f"{name:16s} {count:6d} lines")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
