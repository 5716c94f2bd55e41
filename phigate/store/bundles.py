"""Bundles on disk: reading a folder within bounds, the files that ship with phigate, and a site's own copy of them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import phigate
from phigate.errors import PolicyFileError, SettingsError
from phigate.policy import lock as locks
from phigate.policy.bundle import Bundle
from phigate.policy.fields import settle
from phigate.policy.gate import Refusal, admit, first_error
from phigate.policy.lint import of_error
from phigate.policy.load import read
from phigate.policy.lock import Lock, TrustedKey
from phigate.policy.yamls import MAX_BYTES, parse

ARCHIVE: Final = "bundles"  # folder in the state folder with every bundle that was ever in force
_MAX_FILES: Final = 64
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


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


def write_lock_file(folder: Path, lock: Lock) -> None:
    """Replace the lock of a folder at once: a reader sees the old one or the new one."""
    handle, name = tempfile.mkstemp(prefix=".policy-", dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(locks.write_lock(lock))
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(folder / locks.FILE)


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
    """The Bundles port over a folder that may change while the gateway runs.

    An exchange keeps the bundle with which it began. Changed files are read whole, verified, linted and tested by
    `prepare`; only `activate` puts them in force, so that the caller can make the `config` entry durable in between.
    Files that are refused leave the last good bundle in force, until `max_stale_hours` later nothing leaves any more.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dev: bool,
        trust: Sequence[TrustedKey] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._dev = dev
        self._trust = tuple(trust)
        self._now = now
        files = load_folder(folder)
        self._seen = print_of(files)
        self._bundle = self._first(files)
        self._refusal: Refusal | None = None
        self._refused_at = 0.0
        self._stale: Bundle | None = None
        self._ready: Bundle | None = None  # prepared and not yet activated: its entry could not be written

    def _first(self, files: Mapping[str, bytes]) -> Bundle:
        now = datetime.fromtimestamp(self._now(), UTC)
        admitted = admit(dict(files), trust=self._trust, dev=self._dev, now=now, previous=None)
        if isinstance(admitted, Bundle):
            return admitted
        if not admitted.problems:
            raise PolicyFileError(admitted.says(), file=str(self._folder), line=1)
        raise first_error(admitted)

    def current(self) -> Bundle:
        """Return the bundle for an exchange that begins now."""
        if self._refusal is not None and self._now() >= self.stale_from():
            if self._stale is None:
                self._stale = replace(self._bundle, onprem_only="stale")
            return self._stale
        return self._bundle

    def refusal(self) -> Refusal | None:
        """Return why the files now in the folder are not in force; None when they are."""
        return self._refusal

    def refused_since(self) -> float:
        """Return the POSIX time from which files that are not in force lie in the folder."""
        return self._refused_at

    def stale_from(self) -> float:
        """Return the POSIX time from which nothing leaves any more, unless the refusal ends."""
        return self._refused_at + self._bundle.site.max_stale_hours * 3600

    def prepare(self) -> Bundle | Refusal | None:
        """Look at the folder; return a new bundle that may be activated, why it may not, or None: nothing changed.

        Takes about a second of CPU when files changed; call it off the event loop.
        """
        try:
            files = dict(load_folder(self._folder))
        except PolicyFileError as error:
            return self._refuse(Refusal((of_error(error, {}),)), None)
        seen = print_of(files)
        if seen == self._seen:
            return None
        if seen == print_of(self._bundle.files):  # the change was taken back
            self._seen, self._refusal, self._stale = seen, None, None
            return None
        if self._ready is not None and seen == print_of(self._ready.files):
            return self._ready
        now = datetime.fromtimestamp(self._now(), UTC)
        admitted = admit(files, trust=self._trust, dev=self._dev, now=now, previous=self._bundle)
        if isinstance(admitted, Refusal):
            return self._refuse(admitted, seen)
        self._ready = admitted
        return admitted

    def reject(self, bundle: Bundle, why: str) -> Refusal | None:
        """Refuse a prepared bundle that this program cannot run; return the refusal the first time."""
        problem = PolicyFileError(why, file="destinations.yaml", line=1)
        self._ready = None
        return self._refuse(Refusal((of_error(problem, bundle.files),)), print_of(bundle.files))

    def _refuse(self, refusal: Refusal, seen: bytes | None) -> Refusal | None:
        """Note a refusal; return it the first time, so that one change makes one alarm."""
        known = self._refusal is not None and self._refusal == refusal
        if self._refusal is None:
            self._refused_at = self._now()
        self._refusal = refusal
        self._seen = seen if seen is not None else self._seen
        return None if known else refusal

    def activate(self, bundle: Bundle) -> None:
        """Put a prepared bundle in force for every exchange that begins from now on."""
        self._bundle = bundle
        self._seen = print_of(bundle.files)
        self._refusal, self._stale, self._ready = None, None, None


def print_of(files: Mapping[str, bytes]) -> bytes:
    """Return a digest of files as they lie there, to tell whether anything changed."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.digest()


def _sync(folder: Path) -> None:
    """Make a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class BundleArchive:
    """Every bundle that was ever in force, by digest, so that the policy of any past entry can be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, bundle: Bundle) -> Path:
        """Write the bundle's files below its digest; durable before it returns. Keeping one again changes nothing."""
        place = self._place(bundle.digest)
        if place.is_dir():
            return place
        self._folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        for name, data in bundle.files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        try:
            # A crash before this line leaves a hidden folder that nothing reads.
            part.rename(place)
        except OSError:
            shutil.rmtree(part)
            if not place.is_dir():
                raise
        _sync(self._folder)
        return place

    def read(self, digest: str) -> Bundle:
        """Return a bundle as it was. Raises `PolicyFileError` when it is not there or no longer has this digest.

        Signatures are not asked again: they were when it was activated, and keys may have been revoked since.
        """
        files = load_folder(self._place(digest))
        lock = locks.read_lock(files.get(locks.FILE, b""))
        reading = read(files)
        settle([*reading.problems, *locks.check_digests(lock, reading.digests)])
        if lock.digest != digest or reading.bundle is None:
            raise PolicyFileError(f"expected the bundle {digest}, found {lock.digest}", file=locks.FILE, line=1)
        return replace(reading.bundle, digest=digest, effective=lock.effective_at or reading.bundle.effective)

    def digests(self) -> tuple[str, ...]:
        """Return the digests of all bundles that are kept."""
        if not self._folder.is_dir():
            return ()
        names = sorted(path.name for path in self._folder.iterdir() if path.is_dir())
        return tuple(f"sha256:{name.removeprefix('sha256-')}" for name in names if name.startswith("sha256-"))

    def _place(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise PolicyFileError("expected a digest, sha256: and 64 hex digits", file=str(self._folder), line=1)
        return self._folder / digest.replace(":", "-")


def copy_policies(folder: Path) -> tuple[Path, ...]:
    """Write an unsigned copy of the shipped policies, for a site to edit and sign. Raises as `write_site` does."""
    shipped = shipped_folder()
    files = {name: data for name, data in load_folder(shipped).items() if name != locks.FILE}
    for path in sorted([*shipped.glob("*.md"), *shipped.glob("schema/*.json")]):
        files[path.relative_to(shipped).as_posix()] = path.read_bytes()
    return _write_new(folder, files)
