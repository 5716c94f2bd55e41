"""Text that may hold PHI, wrapped so that it cannot be printed, logged, formatted or pickled by accident.

`reveal()` is the only way back to the characters. It is called in `wire/`, `analyzers/` and `deid/` alone; a test
walks the source and fails on any other caller.
"""

from __future__ import annotations

from typing import NoReturn, final


@final
class PHIText:
    """Characters whose disclosure is an event. Equal and hashable by value; never shown."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the characters. Call only where they are parsed, analysed or changed."""
        return self._text

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PHIText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"<PHIText of {len(self._text)} characters>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("PHIText cannot be pickled")
