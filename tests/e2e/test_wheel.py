"""The wheel holds what a site needs: policies, migrations, detector data; `phigate init` works from it alone."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHEEL_MB = 15


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_policies_migrations_and_data_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("phigate/_data/policies/site.yaml", "phigate/_data/migrations/env.py", "phigate/py.typed"):
        assert needed in names
    assert any(name.startswith("phigate/analyzers/data/") for name in names)
    assert [name for name in names if name.startswith(("tests/", "training/"))] == []
    assert wheel.stat().st_size < WHEEL_MB * 1024 * 1024


def test_init_and_check_work_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "packages"
    zipfile.ZipFile(wheel).extractall(site)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); from phigate.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "init", str(tmp_path / "site"), "--dev"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "phigate.yaml").is_file()
    assert (tmp_path / "site" / "policies" / "regimes" / "lgpd.yaml").is_file()
