"""``phigate policy``: check, test, explain, compare, replay and sign bundles. Every command takes the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.errors import PhigateError, PolicyFileError

if TYPE_CHECKING:
    from phigate.policy.bundle import Bundle
    from phigate.policy.lint import Lint

FOLDER = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")
AT = click.option(
    "--at", metavar="DATE", help="The day on which papers are judged, or test-clock for the site's own. Default: now."
)
TRUST = click.option(
    "--trust", multiple=True, metavar="ROLE=KEY", help="A public key that may sign in this role; give it twice or more."
)
CONFIG = click.option(
    "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="phigate.yaml, for its policy_keys."
)


@click.group()
def policy() -> None:
    """Check, test, explain, compare, replay and sign policies.

    FOLDER holds regimes/, destinations.yaml, site.yaml and policy.lock. Exit status: 0 good, 1 something was found,
    2 the command was not understood.
    """


@contextmanager
def failing() -> Iterator[None]:
    """Turn our own errors into messages with exit status 1."""
    try:
        yield
    except PolicyFileError as error:
        more = "".join(f"\n{other}" for other in error.more)
        raise click.ClickException(f"{error}{more}") from error
    except PhigateError as error:
        raise click.ClickException(str(error)) from error


def write_json(value: Any) -> None:
    """Write one JSON value to standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def read_bundle(place: Path) -> Bundle:
    """Return the unsigned reading of a folder, which must be free of problems."""
    from phigate.cli.policy_sources import bundle_of, files_of

    return bundle_of(files_of(str(place)))


def clock(at: str | None, bundle: Bundle | None) -> datetime:
    """Return the instant that --at means."""
    from phigate.cli.policy_sources import day

    return bundle.site.test_clock if at == "test-clock" and bundle is not None else day(at)


@policy.command()
@FOLDER
@AT
@TRUST
@CONFIG
@JSON
@click.option("--signed", is_flag=True, help="A missing or wrong signature is an error, not a note.")
@click.option("--dev", is_flag=True, help="The development signature is enough.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--against", metavar="FOLDER|REV", help="The version in force: a looser regime needs a changelog row.")
@click.option("--languages", metavar="en,pt", default="", help="Languages that the site uses, for PG016 and PG017.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='JSON {"TYPE": {"lang": highest threshold}} as the detector was measured.',
)
@click.option("--shadow", type=click.Path(path_type=Path, exists=True), help="The folder of the shadow bundle.")
def check(folder: Path, *, as_json: bool, strict: bool, **options: Any) -> None:
    """Find everything that is wrong with a bundle: where, why it matters, how to mend it."""
    from phigate.cli.policy_show import console, lint_json, show_lints

    with failing():
        found, state = _check(folder, options)
    errors = sum(lint.level == "error" for lint in found)
    if as_json:
        write_json({"errors": errors, "warnings": len(found) - errors, "signatures": state,
                    "findings": [lint_json(lint) for lint in found]})  # fmt: skip
    else:
        out = console()
        show_lints(out, found)
        out.print(f"signatures: {state}")
        out.print(f"{errors} errors, {len(found) - errors} warnings")
    if errors or (strict and found):
        raise SystemExit(1)


def _check(folder: Path, options: dict[str, Any]) -> tuple[list[Lint], str]:
    from phigate.cli.policy_sources import bundle_of, files_of, trusted
    from phigate.policy.lint import lint, of_error
    from phigate.policy.lint_cells import Outlook
    from phigate.policy.load import load, read

    files = dict(files_of(str(folder)))
    reading = read(files)
    found = [of_error(error, files) for error in reading.problems]
    if not found and reading.bundle is not None:
        against = options["against"]
        outlook = Outlook(
            now=clock(options["at"], reading.bundle),
            languages=frozenset(word for word in options["languages"].split(",") if word),
            calibrated=_calibration(options["calibration"]),
            previous=bundle_of(files_of(against, beside=folder)) if against else None,
            shadow_since=_since(options["shadow"]),
        )
        found.extend(lint(reading.bundle, outlook))
    if reading.problems:
        return found, "not checked, because the files do not read"
    try:
        signed_by = load(files, trust=trusted(options["trust"], options["config"]), dev=options["dev"]).signed_by
    except PolicyFileError as error:
        if options["signed"]:
            found.append(of_error(error, files))
        return found, f"{error.code} {error.problem}"
    return found, f"good: {', '.join(signed_by)}"


def _calibration(path: Path | None) -> dict[Any, float]:
    from phigate.finding import EntityType

    if path is None:
        return {}
    table = json.loads(path.read_text("utf-8"))
    return {
        (EntityType(name), lang): float(value) for name, by_lang in table.items() for lang, value in by_lang.items()
    }


def _since(folder: Path | None) -> datetime | None:
    from phigate.policy.lock import FILE, read_lock

    return read_lock((folder / FILE).read_bytes()).effective_at if folder is not None else None


@policy.command()
@FOLDER
@JSON
@click.option("--text", is_flag=True, help="Also run text: cases, with the real detector (slow).")
@click.option("--quiet", is_flag=True, help="Print failures alone.")
def test(folder: Path, *, as_json: bool, text: bool, quiet: bool) -> None:
    """Run the inline tests, and say which rules no test sees both match and not match."""
    from phigate.cli.policy_show import console, show_results
    from phigate.deid.generalise import REDACTED, generalise
    from phigate.policy.cases import Outcome, run
    from phigate.policy.lint import uncovered

    with failing():
        bundle = read_bundle(folder)
        results = list(run(bundle, transformer=lambda t, o, v: generalise(o, t, v) or REDACTED))
        if text:
            from phigate.cli.policy_text import run_texts

            results = [r for r in results if "text" not in r.case.body] + run_texts(bundle)
        missing = [f"{rule.id}: no test in which it {sides}" for _, rule, sides in uncovered(bundle, results)]
    failed = sum(r.outcome is Outcome.FAILED for r in results)
    if as_json:
        write_json(
            {
                "failed": failed,
                "uncovered": missing,
                "results": [
                    {
                        "name": r.case.name,
                        "file": r.case.file,
                        "line": r.case.line,
                        "outcome": r.outcome.value,
                        "problems": list(r.problems),
                    }
                    for r in results
                ],
            }
        )
    else:
        show_results(console(), results, missing, quiet=quiet)
    if failed:
        raise SystemExit(1)


@policy.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--app", help="The app that asks, as site.yaml names it; an entry of a ledger says it itself.")
@click.option("--request", type=click.File("rb"), help="A chat completion body; - reads standard input.")
@click.option("--ledger", metavar="DATABASE|FILE", help="A ledger, or JSON lines of one; with --rid.")
@click.option("--rid", help="The exchange in that ledger.")
@click.option("--then", is_flag=True, help="Explain the entry at its own instant, not at --at.")
@CONFIG
@click.option("--findings", default="", metavar="PERSON,MRN", help="Stub findings instead of a request.")
@click.option("--purpose", help="Purpose of use, as a signed context would say it.")
@click.option("--tags", metavar="part2,minor", help="Tags, as a signed context would say them.")
@click.option("--attachment", is_flag=True, help="As if data stood in it that nothing can read.")
@click.option("--unread", is_flag=True, help="As if a part could not be read.")
@click.option("--model", default="", help="The model that the app asks for.")
@AT
@JSON
def explain(folder: Path | None, *, as_json: bool, **options: Any) -> None:
    """Say why a request would be decided as it is: findings, rules, what each regime demands.

    The request is a body (--request), an entry of a ledger (--ledger and --rid), or stub findings. Without FOLDER, an
    entry is explained by the bundle that was in force then, which the gateway of --config kept.
    """
    from phigate.cli.policy_facts import asked
    from phigate.cli.policy_show import console, show_explanation
    from phigate.policy.explain import explain as told

    with failing():
        told_of = told(*asked(folder, options))
    if as_json:
        write_json(_plain(told_of))
    else:
        show_explanation(console(), told_of)


_SHARED = frozenset({"thresholds", "operators"})  # tables that every decision of the bundle shares


def _plain(value: Any) -> Any:
    """Return values of the core as JSON: fields by name, forms as words, sets in order."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in _SHARED}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(_plain(each) for each in value)
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


@policy.command()
@click.argument("before")
@click.argument("after")
@click.option("--all", "every", is_flag=True, help="Print every cell instead of one for each group.")
@AT
@JSON
def diff(before: str, after: str, *, every: bool, at: str | None, as_json: bool) -> None:
    """Compare two bundles and print everything that became less strict. Exit status 1 if anything did.

    BEFORE and AFTER are folders or git revisions: `phigate policy diff HEAD~1 policies`, or REV:FOLDER.
    """
    from phigate.cli.policy_show import console, show_diff
    from phigate.cli.policy_sources import bundle_of, files_of
    from phigate.policy.diff import diff as compared

    with failing():
        beside = next((Path(place) for place in (after, before) if Path(place).is_dir()), None)
        old, new = (bundle_of(files_of(place, beside=beside)) for place in (before, after))
        found = compared(old, new, now=clock(at, new))
    if as_json:
        write_json(
            {
                "cells": found.cells,
                "tightened": found.tightened,
                "looser": found.looser,
                "loosened": [one.says() for one in found.loosened],
                "changes": [_plain(change) for change in found.changes],
            }
        )
    else:
        show_diff(console(), found, every=every)
    if found.looser:
        raise SystemExit(1)


@policy.command()
@FOLDER
@click.option("--ledger", metavar="DATABASE|FILE", help="A ledger, or JSON lines of one; else that of --config.")
@CONFIG
@click.option("--since", "since_text", default="30d", show_default=True, help="30d, 12h, 2w, or a date.")
@click.option("--before", metavar="FOLDER|REV", help="The bundle that was in force, to make the reading certain.")
@click.option("--then", is_flag=True, help="Judge papers at the instant of each entry, not at --at.")
@click.option("--fail-if-looser", is_flag=True, help="Exit status 1 if any exchange would find a door more open.")
@AT
@JSON
def replay(folder: Path, *, ledger: str | None, since_text: str, as_json: bool, **options: Any) -> None:
    """Decide past exchanges again under this bundle, and count where they went and where they would go.

    Reads types, counts, purposes and tags from the ledger; it holds no text. With --config, the bundles that were in
    force are at hand, which makes the reading certain. What cannot be known it takes strictly and counts as uncertain.
    """
    from phigate.cli.policy_kept import known_bundles
    from phigate.cli.policy_show import console, show_tally, tally_json
    from phigate.cli.policy_sources import bundle_of, day, files_of, ledger_of, progress, records, since
    from phigate.policy.replay import replay as again
    from phigate.policy.replay import tally

    with failing():
        bundle = read_bundle(folder)
        named = bundle_of(files_of(options["before"], beside=folder)) if options["before"] else None
        before = known_bundles(options["config"], named)
        size, entries = records(ledger_of(ledger, options["config"]), since=since(since_text, now=day(None)))
        with progress("deciding again", size, quiet=as_json) as watched:
            at = None if options["then"] else clock(options["at"], bundle)
            total = tally(again(watched(entries), after=bundle, before=before, at=at))
    if as_json:
        write_json(tally_json(total))
    else:
        show_tally(console(), total)
    if options["fail_if_looser"] and total.loosened:
        raise SystemExit(1)


@policy.command()
@FOLDER
@click.option("--days", type=click.IntRange(0, 3660), default=60, show_default=True)
@AT
@JSON
def expiring(folder: Path, *, days: int, at: str | None, as_json: bool) -> None:
    """List what ends within so many days, or has ended: papers, approvals, opinions. Exit status 1 if anything does."""
    from phigate.cli.policy_show import console
    from phigate.policy.ends import ends

    with failing():
        bundle = read_bundle(folder)
        now = clock(at, bundle)
        rows = [end for end in ends(bundle) if end.at <= now + timedelta(days=days)]
    if as_json:
        write_json([{"what": end.what, "ends": end.at.date(), "days": (end.at - now).days} for end in rows])
    else:
        out = console()
        for end in rows:
            left = (end.at - now).days
            word = f"[red]ended {-left} days ago[/]" if end.at <= now else f"[yellow]in {left} days[/]"
            out.print(f"{end.at:%Y-%m-%d} {word} {end.what}")
        out.print(f"{len(rows)} ends within {days} days of {now:%Y-%m-%d}")
    if rows:
        raise SystemExit(1)


@policy.command()
@click.argument("kind", type=click.Choice(["regime", "destinations", "examples", "site", "lock"]), required=False)
@click.option("--write", type=click.Path(path_type=Path, file_okay=False), help="Write every schema into this folder.")
def schema(kind: str | None, write: Path | None) -> None:
    """Print the JSON Schema of one kind of file, or write all of them, for editors."""
    from phigate.policy.schema import schemas

    made = schemas()
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for name, value in made.items():
            (write / f"{name}.json").write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")
        click.echo(f"{len(made)} schemas written to {write}")
    elif kind is None:
        raise click.UsageError(f"expected a kind, one of {', '.join(made)}, or --write FOLDER")
    else:
        write_json(made[kind])


def _add_others() -> None:
    from phigate.cli.policy_kept import bundles, show_bundle
    from phigate.cli.policy_sign import keygen, sign, verify

    for command in (keygen, sign, verify, bundles, show_bundle):
        policy.add_command(command)


_add_others()
