"""A disk that loses what was never synced: records what a replica wrote, and rebuilds what a power cut could leave.

The recording is strace's, one file a thread, each call at the moment it returned. What a power cut leaves of a file is
every write before its last finished sync, and of the later ones any of their 512-byte sectors, or none.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
_CALL = re.compile(
    r"(?P<at>\d+\.\d+) (?P<name>\w+)\((?P<fd>-?\d+)<(?P<path>[^>]*)>"
    r"(?:, (?:\"(?P<data>(?:\\x[0-9a-f]{2})*)\"(?P<cut>\.\.\.)?, )?(?P<rest>[^)]*))?\)"
    r"\s+= (?P<result>-?\d+).*<(?P<took>[\d.]+)>"
)


@dataclass(frozen=True)
class Event:
    """One call that changed a file, or what the replica acknowledged."""

    at: float
    kind: str  # write, sync, cut, ack
    file: str
    offset: int = 0
    data: bytes = b""


def may_trace() -> str | None:
    """Return why nothing can be recorded here, None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: apt-get install strace"
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode:
        return "strace may not trace here"
    return None


def record(url: str, folder: Path, keys: Path, *, seconds: float, clients: int) -> list[Event]:
    """Run a replica and return what it did, in order."""
    command = [sys.executable, "-m", "tests.store.replica", url, str(keys), "gw", str(seconds), str(clients)]
    traced = "trace=pwrite64,write,fsync,fdatasync,ftruncate"
    strace = ["strace", "-ff", "-ttt", "-T", "-y", "-xx", "-s", "70000", "-e", traced, "-e", "signal=none"]
    subprocess.run([*strace, "-o", str(folder / "calls"), *command], check=True, capture_output=True, timeout=120)
    events = [
        event
        for path in folder.glob("calls.*")
        for line in path.read_text().splitlines()
        if (event := _event(line)) is not None
    ]
    return sorted(events, key=lambda event: event.at)


def _event(line: str) -> Event | None:
    match = _CALL.fullmatch(line.strip())
    if match is None or int(match["result"]) < 0:
        return None
    name, file, at = match["name"], Path(_text(match["path"])).name, float(match["at"]) + float(match["took"])
    data = bytes.fromhex((match["data"] or "").replace("\\x", ""))
    assert not match["cut"], "strace was told to show whole writes"
    if name == "write":
        return Event(at, "ack", "", data=data) if match["fd"] == "1" else None
    if ".db" not in file or file.endswith((".lock", "-shm", "-journal")):
        return None  # the rollback journal of the migration was removed, and its folder synced, before "ready"
    if name == "pwrite64":
        return Event(at, "write", file, int(match["rest"].split(", ")[1]), data)
    return Event(at, "cut", file, int(match["rest"])) if name == "ftruncate" else Event(at, "sync", file)


def _text(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path


def after_power_cut(events: list[Event], chance: random.Random) -> dict[str, bytes]:
    """Return what is left of each file when the power goes after the last of these events."""
    files: dict[str, bytearray] = {}
    for name in {event.file for event in events if event.file}:
        own = [event for event in events if event.file == name]
        synced = max((n for n, event in enumerate(own) if event.kind == "sync"), default=-1)
        files[name] = bytearray()
        for number, event in enumerate(own):
            _apply(files[name], event, chance if number > synced else None)
    return {name: bytes(data) for name, data in files.items()}


def _apply(file: bytearray, event: Event, chance: random.Random | None) -> None:
    """Carry a call out: wholly, or as far as chance lets its sectors reach the disk."""
    if event.kind == "cut" and (chance is None or chance.random() < 0.5):
        del file[event.offset :]
        file.extend(bytes(event.offset - len(file)))
    if event.kind != "write":
        return
    for start in range(0, len(event.data), SECTOR):
        if chance is not None and chance.random() < 0.5:
            continue
        piece, at = event.data[start : start + SECTOR], event.offset + start
        file.extend(bytes(max(0, at + len(piece) - len(file))))
        file[at : at + len(piece)] = piece
