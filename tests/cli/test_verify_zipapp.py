"""phigate-verify as an auditor has it: one file, a Python with `cryptography`, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from phigate.cli import verify_zipapp
from phigate.cli.verify_zipapp import build
from phigate.tlog.export import export
from tests.tlog.logs import LogBuilder, MemorySource, keyring
from tests.tlog.stored import in_folder, in_sqlite

NEEDED = ("cryptography", "cffi", "_cffi_backend")  # what `pip install cryptography` brings


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("app") / "phigate-verify.pyz"
    build(place)
    return place


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has the standard library and `cryptography`, linked in without a network."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue  # this build of cryptography does not need it
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (site / source.name).symlink_to(source)
    return home / "bin" / "python"


def run(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-I", *(str(each) for each in arguments)], capture_output=True, text=True, check=False, cwd="/"
    )


def test_the_environment_holds_nothing_else(bare_python: Path) -> None:
    for name in ("phigate", "click", "sqlalchemy", "rfc8785", "pip", "setuptools"):
        assert "ModuleNotFoundError" in run(bare_python, "-c", f"import {name}").stderr, name
    assert run(bare_python, "-c", "import cryptography").returncode == 0


def test_it_verifies_exports_and_databases(app: Path, bare_python: Path, tmp_path: Path) -> None:
    log = LogBuilder()
    boot = log.start()
    log.exchanges(boot, 200)
    log.publish()
    source = MemorySource.of(log)
    folder = in_folder(export(source, log.heads[0][1]), tmp_path / "export")
    for place in (folder, in_sqlite(source, tmp_path / "ledger.db")):
        done = run(bare_python, app, "--json", "--key", keyring().fingerprint, place)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["size"] == 402
    bundle = folder / "tile/entries/001.p/146"
    bundle.write_bytes(bundle.read_bytes().replace(b'"seq":300', b'"seq":301', 1))
    done = run(bare_python, app, folder)
    assert (done.returncode, "first bad entry: 300" in done.stdout) == (1, True)


def test_it_uses_every_core(app: Path, bare_python: Path, tmp_path: Path) -> None:
    log = LogBuilder()
    log.exchanges(log.start(), 8500)
    log.publish()
    folder = in_folder(export(MemorySource(log.entries, log.heads), log.heads[0][1]), tmp_path / "export")
    done = run(bare_python, app, "--workers", "2", folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_usage_errors_exit_with_64(app: Path, bare_python: Path) -> None:
    assert run(bare_python, app).returncode == 64
    assert "exit status: 0 verified" in " ".join(run(bare_python, app, "--help").stdout.split())


def test_without_cryptography_it_says_what_to_install(app: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=False, symlinks=True)
    done = run(tmp_path / "empty/bin/python", app, "x")
    assert (done.returncode, done.stderr) == (
        2,
        "phigate-verify needs the package cryptography: pip install cryptography\n",
    )


def test_it_holds_the_verifier_and_nothing_else_of_phigate(app: Path) -> None:
    with zipfile.ZipFile(app) as archive:
        names = archive.namelist()
    folders = {"/".join(name.split("/")[:2]) for name in names if "/" in name}
    assert folders == {"phigate/__init__.py", "phigate/tlog", "phigate/cli", "phigate/store"}
    assert [name for name in names if name.startswith("phigate/store")] == [
        "phigate/store/__init__.py",
        "phigate/store/verifying.py",
    ]
    assert app.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert app.stat().st_mode & 0o111


def test_the_same_sources_give_the_same_bytes(app: Path, tmp_path: Path) -> None:
    digest = build(tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == app.read_bytes()
    assert len(digest) == 64


def test_the_command_builds_where_it_is_told(tmp_path: Path) -> None:
    module = verify_zipapp.__name__
    done = subprocess.run(
        [sys.executable, "-m", module, str(tmp_path / "v.pyz")], capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith(f"  {tmp_path / 'v.pyz'}\n")
    assert subprocess.run([sys.executable, "-m", module], capture_output=True, check=False).returncode == 64
