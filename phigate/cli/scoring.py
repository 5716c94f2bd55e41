"""Scores of the detector on annotated notes: what a privacy gateway needs is that no identifying character leaves."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from phigate.finding import ENTITY_TABLE, EntityClass, EntityType


@dataclass(frozen=True, slots=True)
class Note:
    """One annotated note: spans are (start, end, type), offsets in code points."""

    text: str
    lang: str
    spans: tuple[tuple[int, int, str], ...]


def annotated(file: Path) -> Iterator[Note]:
    """Read notes. A span that does not lie in its text stops with the line."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                text = row["text"]
                spans = tuple((int(s[0]), int(s[1]), str(s[2])) for s in row.get("spans", ()))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise click.ClickException(
                    f'line {number}: expected {{"text", "spans": [[start, end, type], ...]}}, found something else'
                ) from error
            if any(not 0 <= start < end <= len(text) for start, end, _ in spans):
                raise click.ClickException(f"line {number}: a span lies outside its text")
            yield Note(text, str(row.get("lang") or ""), spans)


def _direct(kind: str) -> bool:
    """Return whether a span of this type identifies by itself; types of another vocabulary count as direct."""
    if kind.upper() in {"DATE_TIME", "LOCATION", "AGE", "ORGANIZATION"}:
        return False
    try:
        return ENTITY_TABLE[EntityType(kind)].entity_class is EntityClass.DIRECT
    except ValueError:
        return True


@dataclass(slots=True)
class Scores:
    """Adds up notes. COVER: share of spans whose every letter and digit lies in a finding of any type."""

    show: int = 0
    spans: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    touched: Counter[str] = field(default_factory=Counter)
    misses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: int = 0
    clean: int = 0
    silent: int = 0
    incomplete: int = 0
    with_phi: int = 0
    free: int = 0
    alarmed: int = 0
    found_characters: int = 0
    right_characters: int = 0

    def add(
        self,
        text: str,
        spans: Sequence[tuple[int, int, str]],
        findings: Sequence[dict[str, Any]],
        unread: Sequence[str],
    ) -> None:
        """Score one note."""
        self.notes += 1
        self.incomplete += bool(unread)
        cover = bytearray(len(text))
        gold = bytearray(len(text))
        for finding in findings:
            cover[finding["start"] : finding["end"]] = b"\1" * (finding["end"] - finding["start"])
        all_direct = True
        for start, end, kind in spans:
            gold[start:end] = b"\1" * (end - start)
            wanted = [at for at in range(start, end) if text[at].isalnum()]
            hit = sum(cover[at] for at in wanted)
            self.spans[kind] += 1
            self.touched[kind] += hit > 0
            if hit == len(wanted):
                self.covered[kind] += 1
            else:
                all_direct &= not _direct(kind)
                if len(self.misses[kind]) < self.show:
                    self.misses[kind].append(text[max(0, start - 20) : end + 20].replace("\n", " "))
        if spans:
            self.with_phi += 1
            self.clean += all_direct
            self.silent += not findings
        else:
            self.free += 1
            self.alarmed += any(_direct(finding["entity_type"]) for finding in findings)
        found = [at for at in range(len(text)) if cover[at] and text[at].isalnum()]
        self.found_characters += len(found)
        self.right_characters += sum(gold[at] for at in found)

    def table(self) -> str:
        """Return the figures as text."""
        lines = [f"{'type':28s} {'spans':>7s} {'COVER':>7s} {'TOUCH':>7s}"]
        for kind in sorted(self.spans):
            count = self.spans[kind]
            lines.append(f"{kind:28s} {count:7d} {self.covered[kind] / count:7.3f} {self.touched[kind] / count:7.3f}")
        total = sum(self.spans.values())
        if total:
            lines.append(f"{'all':28s} {total:7d} {sum(self.covered.values()) / total:7.3f}")
            lines.append(
                f"CLEAN, notes whose every direct identifier is covered: {self.clean / max(1, self.with_phi):.3f}"
            )
            lines.append(
                f"DOCMISS, notes with PHI in which nothing is found: {self.silent / max(1, self.with_phi):.3f}"
            )
        if self.free:
            lines.append(
                f"ALARM, notes without PHI in which a direct identifier is found: {self.alarmed / self.free:.3f}"
            )
        if self.found_characters:
            lines.append(
                f"PREC, found characters that are annotated: {self.right_characters / self.found_characters:.3f}"
            )
        lines.append(f"incomplete: {self.incomplete / max(1, self.notes):.3f} of {self.notes} notes")
        for kind, shown in self.misses.items():
            lines += [f"missed {kind}: {line}" for line in shown]
        return "\n".join(lines)
