"""The frozen files of the format: they verify, they are what the code makes, and the documentation shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.export import ExportSource
from phigate.tlog.keyring import Role, open_keyring
from phigate.tlog.merkle import verify_consistency
from phigate.tlog.note import decode_base64
from phigate.tlog.report import Verdict
from phigate.tlog.single import Proven, verify_entry
from phigate.tlog.verify import Demand, verify
from tests.tlog.make_vectors import VECTORS, files

FORMAT = Path(__file__).parents[2] / "docs" / "ledger-format.md"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())
KEYRING = (VECTORS / "keyring.note").read_bytes()


def read(path: str) -> bytes | None:
    file = VECTORS / path
    return file.read_bytes() if file.is_file() else None


def test_the_frozen_log_verifies() -> None:
    earlier = (VECTORS / "checkpoint.6").read_bytes()
    demand = Demand(pinned=EXPECTED["fingerprint"], earlier=(earlier,))
    report = verify(ExportSource(read), demand)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert (report.size, report.root.hex()) == (EXPECTED["size"], EXPECTED["root"])
    assert report.witnessed is not None
    assert report.heads == 2


def test_the_frozen_proofs_verify() -> None:
    demand = Demand(keyring=KEYRING, pinned=EXPECTED["fingerprint"])
    one, three = (
        Proven((VECTORS / f"{n}.entry").read_bytes(), (VECTORS / f"{n}.tlog-proof").read_bytes()) for n in (1, 3)
    )
    report = verify_entry(three, demand, introduction=one)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    row = EXPECTED["consistency"]
    heads = [SignedCheckpoint.from_bytes((VECTORS / name).read_bytes()) for name in ("checkpoint.6", "checkpoint")]
    for signed in heads:
        (key,) = open_keyring(KEYRING).listed(Role.CHECKPOINT, EXPECTED["origin"])
        signed.verify(origin=EXPECTED["origin"], keys=[key.key])
    verify_consistency(
        old=row["old"],
        new=row["new"],
        old_root=heads[0].head.root,
        new_root=heads[1].head.root,
        path=[decode_base64(each.encode()) for each in row["path"]],
    )


def test_the_code_makes_the_frozen_bytes() -> None:
    made = dict(files())
    kept = {str(p.relative_to(VECTORS)): p.read_bytes() for p in VECTORS.rglob("*") if p.is_file()}
    assert kept == made


@pytest.mark.parametrize("name", ["1.entry", "checkpoint"])
def test_the_documentation_shows_the_frozen_files(name: str) -> None:
    assert f"```\n{(VECTORS / name).read_text()}```" in FORMAT.read_text()


def test_the_documentation_names_every_kind_and_exit_status() -> None:
    from phigate.audit.record import Kind

    text = FORMAT.read_text()
    assert [kind for kind in Kind if f"`{kind.value}`" not in text] == []
    assert [verdict for verdict in Verdict if f"| {int(verdict)} | {verdict.name.lower()} |" not in text] == []
