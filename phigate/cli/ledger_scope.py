"""``phigate ledger scope``: what left, to whom, under which rules; with the proofs for whoever must be told."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.audit.scope import Answer
    from phigate.store.source import DatabaseSource

GROUPS = ("tenant", "app", "day", "purpose", "mode", "destination", "form", "model", "recipient", "country", "policy")


def _words(_: click.Context, parameter: click.Parameter, value: str) -> frozenset[str]:
    del parameter
    return frozenset(word for word in value.split(",") if word)


class _Shelf:
    """The segments of a ledger as one row of entries. An entry of a later one counts on from the one before."""

    def __init__(self, sources: Sequence[DatabaseSource]) -> None:
        self._sources = sources

    def entries(self) -> Iterator[tuple[int, dict[str, Any]]]:
        from phigate.cli.ledger import entries_of

        base = 0
        for source in self._sources:
            yield from ((base + index, fields) for index, fields in entries_of(source, 0))
            base += source.size

    def prove(self, at: int, folder: Path) -> None:
        from phigate.store.evidence import prove

        source, index = self._find(at)
        proven = prove(source, index)
        place = folder if len(self._sources) == 1 else folder / source.origin.replace("/", "_")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{index}.entry").write_bytes(proven.entry)
        (place / f"{index}.tlog-proof").write_bytes(proven.proof)

    def names(self, answer: Answer) -> dict[str, Any]:
        """Return the entries of an answer by name, where an index alone does not say of which segment."""
        if len(self._sources) == 1:
            return {}
        first, last = (self._name(at) if at >= 0 else "" for at in (answer.first, answer.last))
        return {"first": first, "last": last, "indexes": [self._name(at) for at in answer.indexes]}

    def _name(self, at: int) -> str:
        source, index = self._find(at)
        return f"{source.origin}#{index}"

    def _find(self, at: int) -> tuple[DatabaseSource, int]:
        for source in self._sources:
            if at < source.size:
                return source, at
            at -= source.size
        raise IndexError(at)


@click.command()
@click.argument("database", required=False)
@click.option("--origin", help="Which log, where the database holds several.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("phigate.yaml"), show_default=True)
@click.option("--from", "start", default="", help="RFC 3339 UTC time or date, inclusive.")
@click.option("--to", "end", default="", help="RFC 3339 UTC time or date, exclusive.")
@click.option("--destination", default="", callback=_words, help="Ids, with commas.")
@click.option("--types", default="", callback=_words, help="Entity types, with commas; any of them.")
@click.option("--form", default="", callback=_words, help="raw, scrubbed.")
@click.option("--regime", default="", callback=_words, help="Ids of regimes.")
@click.option("--detector", default="", help="Part of the name of a detector build that is known to be bad.")
@click.option("--group-by", default="tenant,app,day", show_default=True, help=f"Of {', '.join(GROUPS)}.")
@click.option("--proofs", type=click.Path(path_type=Path), help="Folder for the first and last entry and their proofs.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def scope(
    context: click.Context,
    database: str | None,
    *,
    origin: str | None,
    config: Path,
    start: str,
    end: str,
    destination: frozenset[str],
    types: frozenset[str],
    form: frozenset[str],
    regime: frozenset[str],
    detector: str,
    group_by: str,
    proofs: Path | None,
    as_json: bool,
) -> None:
    """Count the requests that left and match, by group, with their findings, rules, policies and provider ids."""
    from phigate.audit.scope import LIMITS, Question
    from phigate.audit.scope import scope as ask
    from phigate.cli.ledger import open_source, segments_of

    groups = tuple(word for word in group_by.split(",") if word)
    if not set(groups) <= set(GROUPS):
        raise click.UsageError(f"expected --group-by of {', '.join(GROUPS)}")
    question = Question(start, end, destination, types, form, regime, detector, groups)
    several = [] if origin else segments_of(database, config)
    with ExitStack() as stack:
        origins = [each.origin for each in several] if len(several) > 1 else [origin]
        shelf = _Shelf([stack.enter_context(open_source(context, database, config, each)) for each in origins])
        answer = ask(shelf.entries(), question)
        for at in sorted({answer.first, answer.last} - {-1}) if proofs else []:
            assert proofs is not None
            shelf.prove(at, proofs)
        said = answer.to_json() | shelf.names(answer)
    if as_json:
        click.echo(json.dumps(said))
        return
    click.echo(f"{answer.requests} requests left, {answer.without_outcome} of them without a known end")
    click.echo(f"{answer.not_sent} more were recorded and not sent")
    click.echo(f"subjects: {len(answer.subjects)} known; of {answer.without_subject} requests not known")
    for names, count in sorted(answer.groups.items()):
        click.echo(f"{count:>8}  {'  '.join(names)}")
    click.echo(f"findings: {', '.join(f'{kind} {n}' for kind, n in sorted(answer.types.items())) or 'none'}")
    click.echo(f"note: {LIMITS}")
