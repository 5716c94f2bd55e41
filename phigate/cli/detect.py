"""``phigate detect``: run the detector over texts, look at what it finds, score it on annotated notes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from phigate.analysis import PartAnalysis
    from phigate.analyzers.examine import Examiner

_BATCH = 16  # documents handed to a worker at a time
_AHEAD = 4  # batches in flight per worker
_EXAMINER: Examiner | None = None


class _Default(click.Group):
    """A group whose first argument need not be a subcommand: ``phigate detect FILE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` in front where no subcommand is named."""
        if not (args and (args[0] in self.commands or args[0] == "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Default)
def detect() -> None:
    """Find PHI in texts. Reads JSON lines {"id","lang"?,"text"} or plain text from FILE or standard input.

    ``phigate detect [FILE]`` writes one JSON object per text; ``phigate detect evaluate FILE`` scores annotated notes.
    """


@detect.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--jobs", default=0, show_default="all cores", help="Processes to use.")
@click.option("--plain", is_flag=True, help="Treat the input as one plain text.")
@click.option("--explain", is_flag=True, help="Add layer, pattern or label, and score of each finding; never text.")
@click.option("--highlight", type=click.Choice(["terminal", "html"]), help="Show the text with its findings instead.")
@click.option("--knob", type=click.Choice(["recall", "balanced"]), default="recall", show_default=True)
@click.option("--least", default=0.3, show_default=True, help="Lowest score to report.")
@click.option("--rescan", is_flag=True, help="Use the second, recall-first set of recognizers.")
def run(
    file: Path | None,
    *,
    jobs: int,
    plain: bool,
    explain: bool,
    highlight: str | None,
    knob: str,
    least: float,
    rescan: bool,
) -> None:
    """Write what is found, in the order of the input."""
    from phigate.cli.highlight import as_html, as_terminal

    settings = {"knob": knob, "least": least, "rescan": rescan}
    size = file.stat().st_size if file else 0
    opened = file.open(encoding="utf-8", errors="surrogateescape") if file else nullcontext(sys.stdin)
    with opened as source, _progress(size) as advance:
        documents = _documents(source, plain=plain)
        if highlight == "html":
            click.echo(as_html((d["text"], f) for d, f in _found(documents, jobs, settings)))
            return
        for document, findings in _found(documents, jobs, settings):
            if highlight:
                click.echo(as_terminal(document["text"], findings))
            else:
                _write(document, findings, explain=explain)
            advance(document["bytes"])


def _write(document: dict[str, Any], findings: list[dict[str, Any]], *, explain: bool) -> None:
    keys = ("start", "end", "entity_type", "score", *(("layer", "rule") if explain else ()))
    rows = [{key: finding[key] for key in keys} for finding in findings]
    answer = {"id": document["id"], "findings": rows}
    if explain or document["unread"]:
        answer["lang"] = document["found_lang"]
        answer["incomplete"] = document["unread"]
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _documents(source: TextIO, *, plain: bool) -> Iterator[dict[str, Any]]:
    """Yield documents one by one; the first line tells JSON lines from plain text."""
    first = "" if plain else source.readline()
    if plain or (first.strip() and not _is_record(first)):
        text = first + source.read()
        yield {"id": 0, "text": text, "lang": "", "bytes": len(text)}
        return
    number = 0
    line = first
    while line:
        number += 1
        if line.strip():
            if not _is_record(line):
                raise click.ClickException(f'line {number}: expected a JSON object with "text", found something else')
            record = json.loads(line)
            yield {
                "id": record.get("id", number),
                "text": record["text"],
                "lang": record.get("lang") or "",
                "bytes": len(line),
            }
        line = source.readline()


def _is_record(line: str) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and isinstance(record.get("text"), str)


def _examiner(knob: str) -> Examiner:
    global _EXAMINER  # noqa: PLW0603 - one per worker process
    if _EXAMINER is None:
        from phigate.analyzers import pipeline
        from phigate.analyzers.examine import Examiner, options_of

        pipeline.names()
        _EXAMINER = Examiner(options_of(knob=knob, allow=(), deny={}))
    return _EXAMINER


def _examined(
    batch: list[dict[str, Any]], settings: dict[str, Any]
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Examine a batch in a worker process. Each document is an exchange of its own."""
    from phigate.analyzers.examine import Text

    examiner = _examiner(settings["knob"])
    answers = []
    for document in batch:
        lang = document["lang"].lower()[:2]
        text = Text(document["text"], lang=lang if lang in {"en", "pt", "es", "fr", "de", "it", "nl"} else "")
        analysis = examiner.examine([text], recall=settings["rescan"])[0]
        document["found_lang"] = analysis.lang
        document["unread"] = sorted(why.value for why in analysis.unread)
        answers.append((document, _rows(analysis, settings)))
    return answers


def _rows(analysis: PartAnalysis, settings: dict[str, Any]) -> list[dict[str, Any]]:
    least = max(settings["least"], 0.5 if settings["knob"] == "balanced" else 0.0)
    rows = []
    for finding in analysis.findings:
        if finding.score >= least:
            layer, _, rule = finding.source.partition(":")
            rows.append(
                {
                    "start": finding.start,
                    "end": finding.end,
                    "entity_type": finding.entity_type.value,
                    "score": finding.score,
                    "layer": layer,
                    "rule": rule,
                }
            )
    return rows


def _found(
    documents: Iterable[dict[str, Any]], jobs: int, settings: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield answers in order; several processes where that pays, never more than a few batches in memory."""
    jobs = jobs or os.cpu_count() or 1
    batches = _batched(documents)
    if jobs == 1:
        for batch in batches:
            yield from _examined(batch, settings)
        return
    first = next(batches, None)
    second = next(batches, None)
    if first is None or second is None:
        yield from _examined(first or [], settings)
        return
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor
    from itertools import chain

    with ProcessPoolExecutor(jobs) as pool:
        flying: deque[Future[list[tuple[dict[str, Any], list[dict[str, Any]]]]]] = deque()
        for batch in chain((first, second), batches):
            flying.append(pool.submit(_examined, batch, settings))
            if len(flying) >= jobs * _AHEAD:
                yield from flying.popleft().result()
        while flying:
            yield from flying.popleft().result()


def _batched(documents: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for document in documents:
        batch.append(document)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _progress:  # noqa: N801 - reads as a statement
    """A bar on standard error where that is a terminal and the answers go elsewhere; else nothing."""

    def __init__(self, size: int) -> None:
        self._bar: Any = None
        if sys.stderr.isatty() and not sys.stdout.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True))
            self._task = self._bar.add_task("detecting", total=size or None)

    def __enter__(self) -> Any:
        if self._bar is None:
            return lambda amount: None  # noqa: ARG005
        self._bar.start()
        return lambda amount: self._bar.advance(self._task, amount)

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()


@detect.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--jobs", default=0, show_default="all cores", help="Processes to use.")
@click.option("--least", default=0.3, show_default=True, help="Lowest score that counts.")
@click.option("--misses", default=0, help="Show so many misses per type, with their text: for your eyes only.")
def evaluate(file: Path, *, jobs: int, least: float, misses: int) -> None:
    """Score the detector on annotated notes: JSON lines {"text","spans":[[start,end,type],...]}, "lang" optional."""
    from phigate.cli.scoring import Scores, annotated

    settings = {"knob": "recall", "least": least, "rescan": False}
    scores = Scores(show=misses)
    gold = annotated(file)
    documents = (
        {"id": n, "text": note.text, "lang": note.lang, "bytes": len(note.text), "spans": note.spans}
        for n, note in enumerate(gold)
    )
    for document, findings in _found(documents, jobs, settings):
        scores.add(document["text"], document["spans"], findings, document["unread"])
    click.echo(scores.table())
