"""Where the policy commands read from: folders, git revisions, keys that may sign, entries of a ledger."""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phigate.errors import SettingsError
from phigate.policy import lock as locks
from phigate.policy.bundle import Bundle
from phigate.policy.fields import instant
from phigate.policy.load import is_bundle_file, read
from phigate.policy.lock import TrustedKey
from phigate.policy.words import ROLES
from phigate.store.bundles import load_folder

if TYPE_CHECKING:
    from phigate.store.source import DatabaseSource

_SINCE = re.compile(r"([0-9]{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_GIT_SECONDS = 60
_STRETCH = 512


def files_of(place: str, *, beside: Path | None = None) -> Mapping[str, bytes]:
    """Return the files of a folder, or of a git revision.

    A revision is REV or REV:FOLDER; REV alone means the folder ``beside``, as it was. Raises `click.ClickException`.
    """
    folder = Path(place)
    if folder.is_dir():
        return load_folder(folder)
    revision, _, inside = place.partition(":")
    home = Path(inside) if inside else beside
    if home is None:
        raise click.ClickException(f"expected a folder, or a git revision as HEAD~1:FOLDER; found {place}")
    return _files_at(revision, home)


def _files_at(revision: str, folder: Path) -> Mapping[str, bytes]:
    where = folder if folder.is_dir() else Path()
    if revision.startswith("-"):
        raise click.ClickException(f"{revision} is no git revision")
    top = Path(_git(where, "rev-parse", "--show-toplevel").decode().strip())
    inside = folder.resolve().relative_to(top.resolve()).as_posix()
    listed = _git(top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", revision, "--", inside).decode()
    prefix = "" if inside == "." else f"{inside}/"
    names = [name.removeprefix(prefix) for name in listed.split("\0") if name.startswith(prefix) and name]
    found = {name: _git(top, "show", f"{revision}:{prefix}{name}") for name in names if is_bundle_file(name)}
    if not found:
        raise click.ClickException(f"git has no policy files in {inside} at {revision}")
    return found


def _git(where: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - arguments are a list, no shell
            ["git", "-C", str(where), *arguments],  # noqa: S607 - the user's own git
            check=True,
            capture_output=True,
            timeout=_GIT_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        first = error.stderr.decode("utf-8", "replace").strip().splitlines()[:1]
        raise click.ClickException(f"git: {first[0] if first else 'failed'}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise click.ClickException("git could not be run") from error
    return done.stdout


def bundle_of(files: Mapping[str, bytes]) -> Bundle:
    """Return the reading of files that must be free of problems, whoever signed them. Raises `PolicyFileError`.

    Where the lock beside them speaks of these files as they are, it names the bundle; else it is ``unsigned``.
    """
    reading = read(files)
    if reading.problems or reading.bundle is None:
        first, *rest = reading.problems
        first.more = tuple(rest)
        raise first
    if locks.FILE not in files:
        return reading.bundle
    lock = locks.read_lock(files[locks.FILE])
    if any(locks.check_digests(lock, reading.digests)):
        return reading.bundle
    return replace(reading.bundle, digest=lock.digest, effective=lock.effective_at or reading.bundle.effective)


def day(text: str | None) -> datetime:
    """Return the instant that --at means; now where it is not given."""
    if text is None or text == "now":
        return datetime.now(UTC)
    try:
        return instant(text)
    except ValueError as error:
        raise click.BadParameter(f"expected a date as 2026-12-31, found {text}", param_hint="--at") from error


def since(text: str, *, now: datetime) -> datetime:
    """Return the instant that --since means: 30d, 12h, 2w, or a date."""
    match = _SINCE.fullmatch(text)
    if match is not None:
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        return instant(text)
    except ValueError as error:
        raise click.BadParameter(f"expected 30d, 12h, 2w or a date, found {text}", param_hint="--since") from error


def trusted(keys: tuple[str, ...], config: Path | None) -> tuple[TrustedKey, ...]:
    """Return the keys that may sign: ROLE=BASE64 options, and those of a settings file."""
    found = [_trusted(text) for text in keys]
    if config is not None:
        from phigate.app.settings import load as load_settings

        found.extend(load_settings(config).policy_keys)
    return tuple(found)


def _trusted(text: str) -> TrustedKey:
    role, _, encoded = text.partition("=")
    try:
        key = base64.b64decode(encoded.removeprefix("ed25519:"), validate=True)
    except binascii.Error:
        key = b""
    if role not in ROLES or len(key) != 32:
        expected = f"ROLE=KEY, the role one of {', '.join(ROLES)}, the key 32 bytes in base64"
        raise click.BadParameter(f"expected {expected}", param_hint="--trust")
    return TrustedKey(key, role)


def ledger_of(place: str | None, config: Path | None) -> str:
    """Return the ledger that the options name: --ledger, else that of --config."""
    if place:
        return place
    if config is None:
        raise click.UsageError("expected --ledger, or --config of the gateway")
    from phigate.app.settings import load as load_settings

    return load_settings(config).database


def records(place: str, *, since: datetime) -> tuple[int | None, Iterator[Mapping[str, Any]]]:
    """Return about how many entries a ledger holds from an instant on (None: unknown), and what they say.

    ``place`` is a database URL, an SQLite file, or a file of JSON lines as `phigate ledger show --json` writes them.
    """
    path = Path(place)
    if "://" not in place and not path.is_file():
        raise click.BadParameter(f"expected a ledger database or a file of JSON lines, found none: {place}")
    if "://" not in place and not _is_sqlite(path):
        return None, _newer(_from_lines(path), since)
    from phigate.store.places import segments
    from phigate.store.source import DatabaseSource

    url = place if "://" in place else f"sqlite:///{path.resolve()}"
    found = segments(url)
    if not found:
        raise click.BadParameter(f"expected a ledger, found a database without one: {place}")
    sources = [DatabaseSource(segment.url, origin=segment.origin) for segment in found]
    starts = [_first_index(source, since) for source in sources]
    size = sum(source.size - start for source, start in zip(sources, starts, strict=True))
    entries = (each for one in zip(sources, starts, strict=True) for each in _from_database(*one))
    return size, _newer(entries, since)


def _newer(entries: Iterator[Mapping[str, Any]], since: datetime) -> Iterator[Mapping[str, Any]]:
    # RFC 3339 in UTC with microseconds compares as text; the ledger writes nothing else.
    bound = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (fields for fields in entries if str(fields.get("ts", "")) >= bound)


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _first_index(source: DatabaseSource, since: datetime) -> int:
    """Return an index before which every entry is older: entries stand in the order of their time."""
    bound = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    low, high = 0, source.size
    while low < high:
        middle = (low + high) // 2
        (fields,) = _between(source, middle, middle + 1)
        low, high = (middle + 1, high) if str(fields["ts"]) < bound else (low, middle)
    return low


def _from_database(source: DatabaseSource, start: int) -> Iterator[Mapping[str, Any]]:
    with source:
        for at in range(start, source.size, _STRETCH):
            yield from _between(source, at, min(at + _STRETCH, source.size))


def _between(source: DatabaseSource, start: int, end: int) -> Iterator[Mapping[str, Any]]:
    from phigate.tlog.record import parse_entry

    for row in source.rows(start, end):
        yield parse_entry(bytes(row.entry)).fields


def _from_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise SettingsError(f"{path}:{number}: expected one JSON object a line") from error
            inner = fields.get("record", fields.get("fields", fields)) if isinstance(fields, dict) else None
            if not isinstance(inner, dict):
                raise SettingsError(f"{path}:{number}: expected one JSON object a line")
            yield inner


Watched = Callable[[Iterable[Mapping[str, Any]]], Iterable[Mapping[str, Any]]]


@contextmanager
def progress(what: str, size: int | None, *, quiet: bool) -> Iterator[Watched]:
    """Give a wrapper that shows how far an iteration is, on a terminal alone."""
    if quiet or not sys.stderr.isatty():
        yield lambda entries: entries
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        yield lambda entries: bar.track(entries, total=size, description=what)
