"""A storage that fails where a test says, around the real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phigate.store.storage import CommitUnknownError, Growth, Storage, StorageError, Trouble


class FaultyStorage:
    """Passes everything on, but for the calls for which `plan` holds a fault, in order.

    A fault is (method, trouble, done): with ``done`` the call is carried out and its answer lost.
    """

    def __init__(self, real: Storage) -> None:
        self.real = real
        self.plan: list[tuple[str, Trouble, bool]] = []
        self.down = False
        self.stay_down_after = ""  # the planned fault after which nothing works any more
        self.calls: list[str] = []
        self.on_commit: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.real, name)
        if not callable(method):
            return method

        def call(*arguments: Any, **keywords: Any) -> Any:
            return self._call(name, lambda: method(*arguments, **keywords))

        return call

    def _call(self, name: str, work: Callable[[], Any]) -> Any:
        self.calls.append(name)
        if self.down and name in {"open", "begin", "commit", "grow"}:
            raise StorageError(Trouble.DOWN, f"{name}, as planned")
        if name == "commit" and self.on_commit is not None:
            self.on_commit()
        if self.plan and self.plan[0][0] == name:
            _, trouble, done = self.plan.pop(0)
            if done:
                work()
            self.down = self.down or self.stay_down_after == name
            error = CommitUnknownError if name == "commit" else StorageError
            raise error(trouble, f"{name}, as planned")
        return work()

    def grow(self, growth: Growth) -> None:
        self._call("grow", lambda: self.real.grow(growth))
