"""The folder of a shadow bundle: read when it changes, never enforced, and never a reason to stop anything.

A shadow decides nothing, so nobody has to sign it. What cannot be read, or does not pass its own tests, is no shadow:
there is then none, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from phigate.errors import PolicyFileError
from phigate.policy import lock as locks
from phigate.policy.bundle import Bundle
from phigate.policy.cases import Outcome, run
from phigate.policy.fields import settle
from phigate.policy.load import read
from phigate.store.bundles import load_folder, make_lock, print_of

_ALWAYS: Final = "1970-01-01"  # the day from which an unsigned shadow holds: from the beginning


class ShadowFolder:
    """The bundle in a folder, or why there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: bytes | None = None
        self._bundle: Bundle | None = None
        self._problem: str | None = None
        self.look()

    def current(self) -> Bundle | None:
        """Return the bundle that is evaluated beside the enforced one, if there is one."""
        return self._bundle

    def problem(self) -> str | None:
        """Return why there is none; None when there is."""
        return self._problem

    def look(self) -> bool:
        """Read the folder if it changed; return whether it did. May take a second; call it off the event loop."""
        try:
            files = dict(load_folder(self._folder))
        except PolicyFileError as error:
            changed = self._problem != str(error)
            self._seen, self._bundle, self._problem = None, None, str(error)
            return changed
        seen = print_of(files)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self._bundle, self._problem = _read(files), None
        except PolicyFileError as error:
            self._bundle, self._problem = None, str(error)
        return True


def _read(files: Mapping[str, bytes]) -> Bundle:
    reading = read(files)
    settle(reading.problems)
    bundle = reading.bundle
    assert bundle is not None  # without problems there is one
    failed = next((result.case for result in run(bundle) if result.outcome is Outcome.FAILED), None)
    if failed is not None:
        raise PolicyFileError(f"test failed: {failed.name}", file=failed.file, line=failed.line)
    lock = locks.Lock(_ALWAYS, make_lock(files, effective=_ALWAYS).files)
    # With its own lock beside them, the files can be kept and read again like those of any bundle.
    return replace(bundle, digest=lock.digest, files={**files, locks.FILE: locks.write_lock(lock)})
