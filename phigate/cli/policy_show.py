"""How the policy commands speak to people: colour on a terminal, plain text elsewhere, words before codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from phigate.policy.cases import Result
    from phigate.policy.diff import Diff, Loosened
    from phigate.policy.explain import Explanation, RuleRow
    from phigate.policy.lint import Lint
    from phigate.policy.replay import Tally

_FEW = 20


def console() -> Console:
    """Return a console on standard output; it keeps long lines whole where nobody reads them in a window."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=160, soft_wrap=True)


def show_lints(out: Console, found: Sequence[Lint]) -> None:
    """Print every finding: where, what, the line itself, why it matters, how to mend it."""
    for lint in found:
        colour = "red" if lint.level == "error" else "yellow"
        out.print(f"[{colour}]{lint.level.value} {lint.code}[/] [bold]{escape(lint.file)}:{lint.line}[/]")
        out.print(f"  {escape(lint.problem)}")
        if lint.text:
            out.print(f"  [dim]| {escape(lint.text)}[/]")
        out.print(f"  why: {escape(lint.why)}")
        out.print(f"  mend: {escape(lint.mend)}")


def lint_json(lint: Lint) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {
        "code": lint.code,
        "level": lint.level.value,
        "file": lint.file,
        "line": lint.line,
        "problem": lint.problem,
        "text": lint.text,
        "why": lint.why,
        "mend": lint.mend,
    }


def show_results(out: Console, results: Iterable[Result], uncovered: Sequence[str], *, quiet: bool) -> None:
    """Print the outcome of tests; passed ones only where nobody asked for quiet."""
    colours = {"passed": "green", "failed": "red", "skipped": "yellow"}
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.outcome.value] += 1
        if result.outcome.value == "failed" or not quiet:
            word = f"[{colours[result.outcome.value]}]{result.outcome.value}[/]"
            out.print(f"{word} {escape(result.case.file)}:{result.case.line} {escape(result.case.name)}")
        for problem in result.problems:
            out.print(f"    {escape(problem)}")
    for line in uncovered:
        out.print(f"[yellow]not covered[/] {escape(line)}")
    out.print(", ".join(f"{counts[word]} {word}" for word in colours))


def show_diff(out: Console, found: Diff, *, every: bool) -> None:
    """Print what became less strict, cells grouped unless all are asked for, then the changed settings."""
    for line in _cells(found.loosened, every=every):
        out.print(f"[red]looser[/] {escape(line)}")
    for change in found.changes:
        word = "[red]looser[/]" if change.loosens else "[dim]changed[/]"
        out.print(f"{word} {escape(change.says())}")
    out.print(
        f"{found.cells:,} cells compared: {len(found.loosened):,} less strict, {found.tightened:,} stricter; "
        f"{sum(c.loosens for c in found.changes)} of {len(found.changes)} changed settings less strict"
    )
    out.print("[red]something became less strict[/]" if found.looser else "[green]nothing became less strict[/]")


def _cells(loosened: Sequence[Loosened], *, every: bool) -> list[str]:
    if every:
        return [one.says() for one in loosened]
    groups: dict[tuple[str, str, int, int], list[Loosened]] = {}
    for one in loosened:
        groups.setdefault((one.who, one.destination, one.before, one.after), []).append(one)
    lines = []
    for members in groups.values():
        # The member with the least in it is the easiest to understand.
        least = min(members, key=lambda m: (len(m.cell.found) + len(m.cell.tags or ()) + len(m.cell.flags), m.says()))
        more = f" (and {len(members) - 1:,} cells like it; --all prints them)" if len(members) > 1 else ""
        lines.append(least.says() + more)
    return lines


def show_explanation(out: Console, told: Explanation) -> None:
    """Print a decision so that a lawyer can follow it."""
    decision = told.decision
    out.print(f"[bold]Decision: {told.mode.value}[/] under {', '.join(f'{n} {v}' for n, v in decision.regimes)}")
    out.print(f"  purpose {decision.purpose or 'unknown'}; tags {', '.join(decision.tags) or 'none'}; "
              f"model asked as {escape(decision.alias)}; bundle {decision.bundle[:19]}…")  # fmt: skip
    if decision.flags:
        out.print(f"  [yellow]flags: {', '.join(decision.flags)}[/]")
    _show_findings(out, told)
    _show_rules(out, told)
    _show_destinations(out, told)
    if decision.obligations:
        out.print(f"[bold]Obligations:[/] {', '.join(decision.obligations)}")
    for basis in decision.legal_basis:
        out.print(f"[bold]Legal basis:[/] {escape(basis)}")


def _show_findings(out: Console, told: Explanation) -> None:
    if not told.findings:
        out.print("[bold]Findings:[/] none. That is what the detector says, not a fact.")
        return
    table = Table("type", "language", "count", "score", "counts from", "is PHI in", "done to it", title="Findings")
    for row in told.findings:
        phi = ", ".join(row.phi_in) or "no regime"
        table.add_row(
            row.entity_type,
            row.lang or "unsure",
            str(row.count),
            f"{row.score:.2f}",
            f"{row.threshold:.2f}",
            phi if row.counts else "below the threshold",
            row.operator,
        )
    out.print(table)


def _show_rules(out: Console, told: Explanation) -> None:
    out.print("[bold]Rules:[/]")
    words = {True: "[green]matched[/]    ", False: "[dim]no match[/]   ", None: "[red]unanswered[/] "}
    for row in told.rules:
        floor = ", a floor" if row.floor else ""
        out.print(f"  {words[row.matched]} {row.rule} ({row.effect} {row.mode}{floor}) \\[{escape(row.cite)}]")
        for line in _because(row):
            out.print(f"      {escape(line)}")


def _because(row: RuleRow) -> Iterable[str]:
    said = {True: "yes", False: "no", None: "cannot be answered"}
    if row.conditions:
        yield "; ".join(f"{words}: {said[held]}" for words, held in row.conditions)
    if row.matched is None:
        yield "an unanswered permit does not match, an unanswered limit does"
    if row.effect == "permit" and row.matched:
        yield f"accepts {', '.join(row.accepts) or 'no destination'}"
        for name, lacking in row.lacks.items():
            yield f"{name} lacks {', '.join(lacking)}"


def _show_destinations(out: Console, told: Explanation) -> None:
    regimes = [name for name, _ in told.decision.regimes]
    table = Table("destination", "kind", *regimes, "together", title="What each regime demands")
    for row in told.destinations:
        table.add_row(row.destination, row.kind, *(row.demands[name] for name in regimes), row.form)
    out.print(table)
    order = ", then ".join(f"{c.destination}/{c.model} ({c.form.name.lower()})" for c in told.decision.candidates)
    out.print(f"[bold]Tried in this order:[/] {escape(order) or 'nothing'}")


def show_tally(out: Console, total: Tally) -> None:
    """Print where exchanges went and would go."""
    table = Table("before", "after", "exchanges", "share", title="Where exchanges went, and would go")
    for (before, after), count in total.moves.most_common():
        moved = before != after
        share = f"{count / max(total.exchanges, 1):.1%}"
        table.add_row(before, f"[bold]{after}[/]" if moved else after, f"{count:,}", share)
    out.print(table)
    _ranking(out, "Moved, by app", total.by_app, ("app", "before", "after"))
    _ranking(out, "Moved, by type found", total.by_type, ("type", "before", "after"))
    if total.by_rule:
        spoke = ", ".join(f"{rule} {count:,}" for rule, count in total.by_rule.most_common(_FEW))
        out.print(f"[bold]Rules that spoke where something moved:[/] {escape(spoke)}")
    out.print(
        f"{total.exchanges:,} exchanges: [red]{total.loosened:,}[/] with a destination less strict, "
        f"{total.tightened:,} stricter; {total.uncertain:,} uncertain, {total.skipped:,} not decided"
    )
    for problem, count in total.problems.most_common():
        out.print(f"  not decided: {problem} {count:,}")


def tally_json(total: Tally) -> dict[str, Any]:
    """Return a replay as JSON."""
    return {
        "exchanges": total.exchanges,
        "loosened": total.loosened,
        "tightened": total.tightened,
        "uncertain": total.uncertain,
        "undecided": dict(total.problems),
        "moves": [{"before": b, "after": a, "exchanges": n} for (b, a), n in total.moves.most_common()],
        "by_app": _moved("app", total.by_app),
        "by_type": _moved("type", total.by_type),
        "by_rule": dict(total.by_rule),
    }


def _moved(name: str, counts: Counter[tuple[str, str, str]]) -> list[dict[str, Any]]:
    return [{name: what, "before": b, "after": a, "exchanges": n} for (what, b, a), n in counts.most_common()]


def _ranking(out: Console, title: str, counts: Counter[tuple[str, str, str]], heads: tuple[str, str, str]) -> None:
    if not counts:
        return
    table = Table(*heads, "exchanges", title=title)
    for row, count in counts.most_common(_FEW):
        table.add_row(*row, f"{count:,}")
    out.print(table)
