"""``phigate ledger``: read the audit ledger and check it. Exit codes of `verify`: docs/ledger-format.md, Verifying."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.cli.ledger_care import doctor, hammer, recover
from phigate.cli.ledger_receipt import receipt
from phigate.cli.ledger_roles import roles
from phigate.cli.ledger_scope import scope
from phigate.cli.ledger_years import YEARS
from phigate.errors import PhigateError

if TYPE_CHECKING:
    from phigate.store.places import Segment
    from phigate.store.source import DatabaseSource
    from phigate.tlog.source import Source
    from phigate.tlog.verify import Progress

USAGE = 64
_ORIGIN = click.option("--origin", help="Which log, where the database holds several.")
_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("phigate.yaml"),
    show_default=True,
    help="Settings that name the ledger, where no DATABASE is given.",
)
_DATABASE = click.argument("database", required=False)


@click.group()
def ledger() -> None:
    """Read the audit ledger, check it, and hand out evidence.

    DATABASE is sqlite:///FILE, the path of a SQLite file, or postgresql+psycopg://USER@HOST/NAME; without it, the
    ledger of --config.
    """


@ledger.command()
@_DATABASE
@_ORIGIN
@_CONFIG
@click.option("--key", "pinned", help="Fingerprint of the root keys, sha256:…, as the evidence pack prints it.")
@click.option("--keyring", type=click.Path(exists=True, path_type=Path), help="Keyring to use instead of the log's.")
@click.option(
    "--checkpoint", "earlier", multiple=True, type=click.Path(exists=True, path_type=Path), help="One you kept earlier."
)
@click.option("--auditor-key", type=click.Path(exists=True, path_type=Path), help="File with the key, for a URL.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="PEM that vouches for the URL's host.")
@click.option("--json", "as_json", is_flag=True, help="The report as one line of JSON.")
@click.pass_context
def verify(
    context: click.Context,
    database: str | None,
    *,
    origin: str | None,
    config: Path,
    pinned: str | None,
    keyring: Path | None,
    earlier: tuple[Path, ...],
    auditor_key: Path | None,
    ca: Path | None,
    as_json: bool,
) -> None:
    """Check every entry, hash, head and signature of a log: a database, an export in a folder or archive, or a URL.

    A URL is that of a gateway's /ledger, or of any tlog-tiles server; the key stands in --auditor-key or in
    PHIGATE_AUDITOR_KEY.
    Exit status: 0 verified, 1 tampered, 2 incomplete, 3 fork, 4 less than the policy asks for, 64 usage.
    """
    from phigate.store.verifying import verify_log
    from phigate.store.verifying_all import verify_ledger
    from phigate.tlog.verify import Demand

    demand = Demand(
        keyring=keyring.read_bytes() if keyring else None,
        pinned=pinned,
        earlier=[path.read_bytes() for path in earlier],
        now=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    )
    several = [] if origin or _is_url(database) else segments_of(database, config)
    if len(several) > 1:
        with _progress("checking", quiet=as_json) as progress:
            chain = verify_ledger(several, demand, progress=progress)
        click.echo(json.dumps(chain.to_json()) if as_json else chain.to_text(), nl=as_json)
        context.exit(int(chain.verdict))
    key = auditor_key.read_text().strip() if auditor_key else os.environ.get("PHIGATE_AUDITOR_KEY")
    anywhere = _served(context, database, key, ca, origin) if _is_url(database) else None
    with (
        anywhere or _any_source(context, database, config, origin) as source,
        _progress("checking", quiet=as_json) as progress,
    ):
        report = verify_log(source, demand, progress=progress)
    click.echo(json.dumps(report.to_json()) if as_json else report.to_text(), nl=as_json)
    context.exit(int(report.verdict))


@ledger.command()
@click.argument("index", type=int)
@_DATABASE
@_ORIGIN
@_CONFIG
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder for the files.  [default: here]")
@click.option("--json", "as_json", is_flag=True, help="Names of the files as one line of JSON.")
@click.pass_context
def prove(
    context: click.Context,
    index: int,
    database: str | None,
    *,
    origin: str | None,
    config: Path,
    out: Path,
    as_json: bool,
) -> None:
    """Write entry INDEX and its .tlog-proof, those of the key entry of its boot, and the keyring.

    `phigate-verify --proof FILE ENTRY --keyring FILE` checks them without the database.
    """
    from phigate.store.evidence import introduction, prove

    files: dict[str, bytes] = {}
    with open_source(context, database, config, origin) as source:
        for each in (index, introduction(source, index)):
            if each is not None:
                proven = prove(source, each)
                files |= {f"{each}.entry": proven.entry, f"{each}.tlog-proof": proven.proof}
        files["keyring.note"] = source.keyring() or b""
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    click.echo(json.dumps(sorted(files)) if as_json else "\n".join(str(out / name) for name in files))


@ledger.command()
@click.argument("place", type=click.Path(path_type=Path))
@_DATABASE
@_ORIGIN
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="Origin, size and bytes as one line of JSON.")
@click.pass_context
def export(
    context: click.Context, place: Path, database: str | None, *, origin: str | None, config: Path, as_json: bool
) -> None:
    """Write the log at its newest checkpoint to the folder PLACE, or to one file when PLACE ends in .tar."""
    from phigate.store.evidence import write_export
    from phigate.tlog.errors import IncompleteError

    with open_source(context, database, config, origin) as source, _progress("writing", quiet=as_json) as progress:
        note = source.published()
        if note is None:
            raise IncompleteError("expected a signed checkpoint, found none yet")
        show = None if progress is None else lambda done: progress(done, source.size * 1100)  # about 1.1 kB an entry
        size_bytes = write_export(source, note, place, progress=show)
        said = {"origin": source.origin, "size": int(note.split(b"\n")[1]), "bytes": size_bytes, "place": str(place)}
    click.echo(
        json.dumps(said) if as_json else f"{said['size']} entries of {said['origin']}, {size_bytes} bytes: {place}"
    )


@ledger.command()
@_DATABASE
@_ORIGIN
@_CONFIG
@click.option("--from", "start", type=int, default=0, show_default=True, help="First index.")
@click.option("--count", type=int, default=20, show_default=True, help="How many.")
@click.option("--rid", help="Only the entries of one exchange.")
@click.option("--kind", help="Only the entries of one kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as it stands in the entry.")
@click.pass_context
def show(
    context: click.Context,
    database: str | None,
    *,
    origin: str | None,
    config: Path,
    start: int,
    count: int,
    rid: str | None,
    kind: str | None,
    as_json: bool,
) -> None:
    """Show entries. What is shown is not verified; `verify` does that."""
    shown = 0
    with open_source(context, database, config, origin) as source:
        for index, fields in entries_of(source, start):
            if shown >= count:
                break
            if (rid and fields.get("rid") != rid) or (kind and fields.get("kind") != kind):
                continue
            shown += 1
            click.echo(json.dumps({"idx": index, **fields}) if as_json else _line(index, fields))


@ledger.command()
@_DATABASE
@_ORIGIN
@_CONFIG
@click.option("--count", type=int, default=10, show_default=True, help="How many of the newest to begin with.")
@click.option("--follow/--once", default=True, help="Go on with new entries until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def tail(
    context: click.Context,
    database: str | None,
    *,
    origin: str | None,
    config: Path,
    count: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the newest entries, and those that follow."""
    with open_source(context, database, config, origin) as source:
        segment, at = source.origin, max(0, source.size - count)
    while True:
        with open_source(context, database, config, origin) as source:
            if source.origin != segment:  # another segment is open since
                segment, at = source.origin, 0
            for index, fields in entries_of(source, at):
                click.echo(json.dumps({"idx": index, **fields}) if as_json else _line(index, fields))
                at = index + 1
        if not follow:
            return
        time.sleep(0.5)


def entries_of(source: DatabaseSource, start: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield index and fields of the entries from an index on, unverified."""
    from phigate.tlog.record import parse_entry

    for at in range(start, source.size, 512):
        for row in source.rows(at, min(at + 512, source.size)):
            yield row.idx, dict(parse_entry(bytes(row.entry)).fields)


def _line(index: int, fields: dict[str, Any]) -> str:
    """Return one entry as one line for a person."""
    said: list[str] = []
    match fields["kind"]:
        case "intent":
            destination = fields["destination"]
            found = ",".join(f"{kind}:{row[0]}" for kind, row in fields["found"].items()) or "none"
            said = [fields["app"], fields["mode"], f"to {destination['id']} {destination['form']}", f"found {found}"]
        case "outcome":
            said = [fields["status"], f"of #{fields['intent']['idx']}", f"{fields.get('latency_ms', 0)} ms"]
            said += [f"MISS {','.join(fields['miss'])}"] if "miss" in fields else []
        case "refusal":
            said = [fields.get("app", ""), fields["reason"], f"x{fields['count']}" if fields["count"] > 1 else ""]
        case "key":
            said = [fields["op"], fields["vkey"].split("+")[0]]
        case "heartbeat":
            said = [f"size {fields['size']}"]
        case _:
            envelope = {"v", "log", "kind", "eid", "rep", "boot", "seq", "ts", "mono", "rid", "attempt"}
            said = [f"{name} {value}" for name, value in fields.items() if name not in envelope]
    about = f" {fields['rid']}/{fields.get('attempt', 0)}" if "rid" in fields else ""
    return f"#{index:<7} {fields['ts']} {fields['kind']:<12}{about} {'  '.join(each for each in said if each)}"


@contextmanager
def _any_source(context: click.Context, place: str | None, config: Path, origin: str | None) -> Iterator[Source]:
    """Open a database, or an export in a folder or an archive."""
    if place is None or "://" in place or not Path(place).exists():
        with open_source(context, place, config, origin) as source:
            yield source
        return
    from phigate.cli import verify_sources
    from phigate.tlog.errors import TlogError

    try:
        with verify_sources.open_source(Path(place), origin=origin) as found:
            yield found
    except TlogError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(2)


def _is_url(place: str | None) -> bool:
    return place is not None and place.startswith(("http://", "https://"))


@contextmanager
def _served(
    context: click.Context, url: str | None, key: str | None, ca: Path | None, origin: str | None
) -> Iterator[Source]:
    """Open the log that a server shows."""
    from phigate.cli.verify_http import open_url
    from phigate.tlog.errors import FormatError, IncompleteError

    try:
        with open_url(url or "", key=key, ca=ca, origin=origin) as source:
            yield source
    except FormatError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(USAGE)
    except IncompleteError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(2)


@contextmanager
def open_source(
    context: click.Context, database: str | None, config: Path, origin: str | None
) -> Iterator[DatabaseSource]:
    """Open what the command line names. Usage errors end with 64, a log that cannot be read with 2."""
    from phigate.store.source import DatabaseSource
    from phigate.tlog.errors import TlogError

    try:
        with DatabaseSource(_url(database, config), origin=origin) as source:
            yield source
    except PhigateError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(USAGE)
    except TlogError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(2)


def segments_of(database: str | None, config: Path) -> list[Segment]:
    """Return the segments of the one ledger of a database; none where it holds several ledgers, or is none."""
    from phigate.store.places import ledger_name, segments
    from phigate.tlog.errors import TlogError

    if database is not None and "://" not in database and not _is_sqlite(Path(database)):
        return []
    try:
        found = segments(_url(database, config))
    except (PhigateError, TlogError):
        return []  # whoever opens it says why
    return found if len({ledger_name(each.origin) for each in found}) == 1 else []


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\x00"


def _url(database: str | None, config: Path) -> str:
    if database is None:
        from phigate.app.settings import load

        return load(config).database
    return database if "://" in database else f"sqlite:///{Path(database).absolute()}"


@contextmanager
def _progress(what: str, *, quiet: bool) -> Iterator[Progress | None]:
    """Show a bar on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


for _command in (doctor, hammer, receipt, recover, roles, scope, *YEARS):
    ledger.add_command(_command)
