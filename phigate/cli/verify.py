"""``phigate-verify``: check a ledger without trusting who kept it. Needs Python and `cryptography`, no gateway.

    phigate-verify SOURCE                      an export folder, a tar archive of one, or a SQLite file
    phigate-verify --proof FILE ENTRY          one entry and its .tlog-proof

`phigate.cli.verify_zipapp` packs this command into one file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from phigate.cli.verify_sources import open_source
from phigate.store.verifying import verify_log
from phigate.tlog.errors import TlogError
from phigate.tlog.export import KEYRING
from phigate.tlog.keyring import fingerprint
from phigate.tlog.note import VerifierKey
from phigate.tlog.report import USAGE, Report, Verdict
from phigate.tlog.single import Proven, verify_entry
from phigate.tlog.verify import Demand, Progress

_EXITS: Final = (
    "exit status: 0 verified, 1 tampered (the first bad entry is named), 2 something needed is missing, "
    "3 fork (both heads are printed), 4 less than the policy asks for, 64 usage"
)
MAX_FILE_BYTES: Final = 1024 * 1024


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"error: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = _Parser(prog="phigate-verify", description="Check an audit ledger of phigate.", epilog=_EXITS)
    made.add_argument("source", type=Path, help="export folder, tar archive or SQLite file; with --proof, the entry")
    made.add_argument("--proof", type=Path, metavar="FILE", help="check one entry by its .tlog-proof")
    made.add_argument(
        "--introduced-by", type=Path, nargs=2, metavar=("ENTRY", "PROOF"), help="key entry of the boot, with its proof"
    )
    made.add_argument("--key", metavar="FINGERPRINT", help="of the root keys, sha256:…, or the vkey of a single root")
    made.add_argument("--keyring", type=Path, metavar="FILE", help="keyring to use instead of the one beside the log")
    made.add_argument(
        "--checkpoint", type=Path, action="append", default=[], metavar="FILE", help="one that you kept; repeatable"
    )
    made.add_argument("--origin", help="which log, where a database holds several; with an export, the one expected")
    made.add_argument("--quorum", type=int, help="witnesses that a head must have, instead of what the keyring asks")
    made.add_argument("--witnessed-within", type=int, metavar="SECONDS", help="age from which a cosignature is stale")
    made.add_argument("--workers", type=int, help="processes to use; default: one for each core")
    made.add_argument("--json", action="store_true", help="the report as one line of JSON")
    made.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    try:
        report = _run(options)
    except _UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    except TlogError as error:
        report = Report()
        report.add(Verdict.INCOMPLETE, str(error))
    except Exception:  # noqa: BLE001 - Python would exit with 1, which here means *tampered*
        traceback.print_exc()
        sys.stderr.write("the verifier failed: this says nothing about the log\n")
        return int(Verdict.INCOMPLETE)
    sys.stdout.write(json.dumps(report.to_json()) + "\n" if options.json else report.to_text())
    return int(report.verdict)


class _UsageError(Exception):
    """The command line names something that cannot be used."""


def _run(options: argparse.Namespace) -> Report:
    demand = _demand(options)
    if options.proof is not None:
        introduction = None
        if options.introduced_by is not None:
            entry, proof = (_bytes(path) for path in options.introduced_by)
            introduction = Proven(entry, proof)
        return verify_entry(Proven(_bytes(options.source), _bytes(options.proof)), demand, introduction=introduction)
    if options.introduced_by is not None:
        raise _UsageError("expected --introduced-by beside --proof alone")
    with open_source(options.source, origin=options.origin) as source:
        return verify_log(source, demand, progress=_progress(quiet=options.quiet), workers=options.workers)


def _demand(options: argparse.Namespace) -> Demand:
    keyring = _bytes(options.keyring) if options.keyring else None
    if options.proof is not None and keyring is None:
        beside = options.proof.with_name(KEYRING)
        keyring = _bytes(beside) if beside.is_file() else None
    if options.quorum is not None and options.quorum < 0:
        raise _UsageError("expected a quorum from 0")
    if options.workers is not None and options.workers < 1:
        raise _UsageError("expected at least one worker")
    since_s = int(time.time()) - options.witnessed_within if options.witnessed_within is not None else 0
    return Demand(
        keyring=keyring,
        pinned=pinned(options.key) if options.key is not None else None,
        earlier=[_bytes(path) for path in options.checkpoint],
        quorum=options.quorum,
        now=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
        witnessed_since_s=since_s,
    )


def pinned(text: str) -> str:
    """Return the fingerprint that an option names: itself, or that of a single root key given as a vkey."""
    if text.startswith("sha256:") and len(text) == 71 and set(text[7:]) <= set("0123456789abcdef"):
        return text
    try:
        return fingerprint([VerifierKey.from_text(text)], 1)
    except TlogError as error:
        raise _UsageError(f"expected --key as sha256: and 64 hexadecimal digits, or a vkey: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise _UsageError(f"expected {path} to have at most {MAX_FILE_BYTES} bytes")
    return data


def _progress(*, quiet: bool) -> Progress | None:
    """Return a counter on a terminal's standard error, None elsewhere."""
    if quiet or not sys.stderr.isatty():
        return None
    return counter(sys.stderr.write, columns=os.get_terminal_size(sys.stderr.fileno()).columns)


def counter(write: Callable[[str], object], *, columns: int) -> Progress:
    """Return a progress function that rewrites one line of a terminal."""

    def show(done: int, total: int) -> None:
        share = done / total if total else 1.0
        width = max(10, min(40, columns - 40))
        bar = "#" * int(share * width)
        write(f"\r[{bar:<{width}}] {done} of {total} entries" + ("\n" if done == total else ""))

    return show


if __name__ == "__main__":
    sys.exit(main())
