"""Bundles on disk: reading a folder within bounds, the files that ship with phigate, and a site's own copy of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import phigate
from phigate.errors import PolicyFileError, SettingsError
from phigate.policy import lock as locks
from phigate.policy.bundle import Bundle
from phigate.policy.load import load
from phigate.policy.lock import Lock, TrustedKey
from phigate.policy.yamls import MAX_BYTES, parse

_MAX_FILES: Final = 64


def load_folder(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a bundle by their names relative to the folder. Raises `PolicyFileError`.

    Every ``*.yaml`` counts, so that a misnamed file is an error and not ignored; other files (README, schema) do not.
    """
    if not folder.is_dir():
        raise PolicyFileError("expected a folder with site.yaml and regimes/, found none", file=str(folder), line=1)
    files: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not (path.suffix in {".yaml", ".yml"} or name == locks.FILE):
            continue
        if len(files) >= _MAX_FILES:
            raise PolicyFileError(f"expected at most {_MAX_FILES} files, found more", file=name, line=1)
        files[name] = _read(path, name)
    return files


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte more than the parser takes: it says what is too much
    except OSError as error:
        raise PolicyFileError(f"cannot be read: {error.strerror}", file=name, line=1) from error


def shipped_folder() -> Path:
    """Return the policies that ship with phigate: package data of the wheel, or the checkout's own folder."""
    package = Path(phigate.__file__).parent
    for folder in (package / "_data" / "policies", package.parent / "policies"):
        if (folder / "site.yaml").is_file():
            return folder
    raise SettingsError("the shipped policies are not installed; reinstall phigate")


def make_lock(files: Mapping[str, bytes], *, effective: str) -> Lock:
    """Return an unsigned lock over these files."""
    digests = {name: locks.file_digest(parse(data, file=name)) for name, data in files.items() if name != locks.FILE}
    return Lock(effective, digests)


def write_site(folder: Path, *, endpoints: Mapping[str, str], today: date) -> tuple[Path, ...]:
    """Write a site's own copy of the shipped policies and sign it with the development key; return what was written.

    ``endpoints`` replaces the endpoint of each named destination. Contracts are dated around ``today``, so that the
    copy works whenever it is made. Existing files are never overwritten: raises `SettingsError`.
    """
    shipped = shipped_folder()
    files = {name: data for name, data in load_folder(shipped).items() if name != locks.FILE}
    files = {name: _dated(name, data.decode(), today).encode() for name, data in files.items()}
    files["destinations.yaml"] = _with_endpoints(files["destinations.yaml"].decode(), endpoints).encode()
    lock = make_lock(files, effective=today.isoformat())
    lock = locks.sign(lock, role=locks.DEVELOPMENT, key=locks.development_key())
    files[locks.FILE] = locks.write_lock(lock)
    for path in sorted([*shipped.glob("*.md"), *shipped.glob("schema/*.json")]):
        files[path.relative_to(shipped).as_posix()] = path.read_bytes()
    return _write_new(folder, files)


def _write_new(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    paths = {folder / name: data for name, data in files.items()}
    for path in paths:
        if path.exists():
            raise SettingsError(f"{path} exists already; choose an empty folder, so that no policy is overwritten")
    for path, data in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tuple(paths)


def _dated(name: str, text: str, today: date) -> str:
    """Return a file whose contracts run from a month ago for a year, and whose clock stands at today."""
    if name == "destinations.yaml":
        signed, expires = today - timedelta(days=30), today + timedelta(days=365)
        text = re.sub(r'signed: "[0-9-]+"', f'signed: "{signed.isoformat()}"', text)
        return re.sub(r'expires: "[0-9-]+"', f'expires: "{expires.isoformat()}"', text)
    if name == "site.yaml":
        return re.sub(r'(?m)^test_clock: "[0-9-]+"', f'test_clock: "{today.isoformat()}"', text)
    if name.startswith("regimes/"):
        return re.sub(
            r'effective: "([0-9-]+)"', lambda m: f'effective: "{min(m[1], today.isoformat())}"', text, count=1
        )
    return text


def _with_endpoints(text: str, endpoints: Mapping[str, str]) -> str:
    for name, endpoint in endpoints.items():
        pattern = rf'(?m)(^  {re.escape(name)}:\n(?:    .*\n)*?    endpoint: )"[^"]*"'
        text, count = re.subn(pattern, lambda m, e=endpoint: f'{m[1]}"{e}"', text)  # type: ignore[misc]
        if count != 1:
            raise SettingsError(f"the shipped destinations hold no {name!r}")
    return text


class FolderBundles:
    """The Bundles port over a folder."""

    def __init__(self, folder: Path, *, dev: bool, trust: Sequence[TrustedKey] = ()) -> None:
        self._folder = folder
        self._dev = dev
        self._trust = tuple(trust)
        self._bundle = load(load_folder(folder), trust=self._trust, dev=dev)

    def current(self) -> Bundle:
        """Return the bundle for an exchange that begins now."""
        return self._bundle


def copy_policies(folder: Path) -> tuple[Path, ...]:
    """Write an unsigned copy of the shipped policies, for a site to edit and sign. Raises as `write_site` does."""
    shipped = shipped_folder()
    files = {name: data for name, data in load_folder(shipped).items() if name != locks.FILE}
    for path in sorted([*shipped.glob("*.md"), *shipped.glob("schema/*.json")]):
        files[path.relative_to(shipped).as_posix()] = path.read_bytes()
    return _write_new(folder, files)
