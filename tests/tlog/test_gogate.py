"""A gate by third parties: Go's note and tlog packages (Debian: golang-go, golang-golang-x-mod-dev) judge our evidence.

The test installs the packages where it may (root, and CI is set); elsewhere it says aloud what is missing.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from phigate.tlog.merkle import TreeSize, consistency_proof, inclusion_proof
from phigate.tlog.tile import TileID, node_reader
from tests.tlog import naive
from tests.tlog.logs import ENROLMENT, LOG, ROOT, LogBuilder, MemorySource, signed_keyring

GOPATH = "/usr/share/gocode"
PACKAGES = ("golang-go", "golang-golang-x-mod-dev")
Ask = Callable[[list[dict[str, Any]]], list[bool]]

SOUND = LogBuilder()
BOOT = SOUND.start()
SOUND.exchanges(BOOT, 100)
OLD = len(SOUND.entries)
OLD_HEAD = SOUND.publish()
SOUND.exchanges(BOOT, 249)
NEW = len(SOUND.entries)
NEW_HEAD = SOUND.publish(witnesses=3)


def missing() -> str:
    """Return what keeps the gate from running, after trying to mend it."""
    here = shutil.which("go") and Path(GOPATH, "src/golang.org/x/mod/sumdb/tlog").is_dir()
    if not here and os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]):
            subprocess.run(command, check=False, capture_output=True, timeout=600)
        here = shutil.which("go") and Path(GOPATH, "src/golang.org/x/mod/sumdb/tlog").is_dir()
    return "" if here else f"no Go with x/mod: apt-get install {' '.join(PACKAGES)} to run this gate"


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    why = missing()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("gogate")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": GOPATH,
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    source = Path(__file__).with_name("gogate") / "main.go"
    built = subprocess.run(
        ["go", "build", "-o", str(folder / "gogate"), str(source)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return partial(answers, folder / "gogate")


def answers(program: Path, questions: list[dict[str, Any]]) -> list[bool]:
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([str(program)], input=lines, capture_output=True, text=True, check=True)
    said = [line == "true" for line in done.stdout.splitlines()]
    assert len(said) == len(questions)
    return said


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def tree(size: int, root: bytes | None = None) -> dict[str, Any]:
    return {"N": size, "Hash": b64(root or naive.mth(SOUND.entries[:size]))}


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def note_question(vkey: str, note: bytes) -> dict[str, Any]:
    return {"Vkey": vkey, "Note": note.decode()}


def test_go_verifies_our_records_checkpoints_and_keyrings(ask: Ask) -> None:
    signed = [
        (BOOT.pair.key, SOUND.entries[2]),
        (BOOT.pair.key, SOUND.entries[-1]),
        (BOOT.pair.key, SOUND.entries[1]),
        (ENROLMENT.key, SOUND.entries[0]),
        (ENROLMENT.key, SOUND.entries[1]),
        (LOG.key, OLD_HEAD),
        (LOG.key, NEW_HEAD),
        (ROOT.key, signed_keyring()),
    ]
    assert all(ask([note_question(key.to_text(), note) for key, note in signed]))
    for old, new in ((b"1", b"2"), (b"\n\n", b"\n \n")):
        assert not any(ask([note_question(key.to_text(), note.replace(old, new, 1)) for key, note in signed]))
    assert not any(ask([note_question(LOG.key.to_text(), note) for key, note in signed if key != LOG.key]))


def test_go_accepts_our_inclusion_proofs_and_no_changed_one(ask: Ask) -> None:
    tiles = MemorySource.of(SOUND).tiles
    edge = b"".join(naive.leaf(entry) for entry in SOUND.entries[512:])
    tiles |= {
        "tile/0/002.p/188": edge,
        "tile/1/000.p/2": b"".join(naive.mth(SOUND.entries[i : i + 256]) for i in (0, 256)),
    }
    node = node_reader(TreeSize(NEW), lambda tile: tiles[tile.path])
    assert TileID(0, 2, 188).path in tiles
    good, bad = [], []
    for index in (0, 1, 255, 256, 511, 512, 637, NEW - 1):
        path = inclusion_proof(index=index, size=TreeSize(NEW), node=node)
        question: dict[str, Any] = {
            "Entry": b64(SOUND.entries[index]),
            "Path": [b64(each) for each in path],
            "Index": index,
            "New": tree(NEW),
        }
        good.append(question)
        bad += [
            {**question, "Entry": b64(flip(SOUND.entries[index]))},
            {**question, "Index": (index + 1) % NEW},
            {**question, "Path": [b64(flip(path[0])), *question["Path"][1:]]},
            {**question, "Path": question["Path"][1:]},
            {**question, "New": tree(NEW, flip(naive.mth(SOUND.entries)))},
        ]
    assert all(ask(good))
    assert not any(ask(bad))


def test_go_accepts_our_consistency_proofs_and_no_changed_one(ask: Ask) -> None:
    node = partial(naive.node, SOUND.entries)
    good, bad = [], []
    for old, new in ((1, NEW), (OLD, NEW), (256, NEW), (512, NEW), (NEW - 1, NEW), (OLD, 512), (NEW, NEW)):
        path = consistency_proof(old=TreeSize(old), new=TreeSize(new), node=node)
        question = {"Path": [b64(each) for each in path], "Old": tree(old), "New": tree(new)}
        good.append(question)
        bad += [
            {**question, "Old": tree(old, flip(naive.mth(SOUND.entries[:old])))},
            {**question, "New": tree(new, flip(naive.mth(SOUND.entries[:new])))},
            {**question, "Path": [*question["Path"], b64(b"\x00" * 32)]},
        ]
    assert all(ask(good))
    assert not any(ask(bad))
