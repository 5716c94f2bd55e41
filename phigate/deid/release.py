"""The only thing an external upstream accepts: a body that de-identification made, or that a rule released raw.

`Release` cannot be built elsewhere: its constructor wants a witness that only this module holds, so that
unscrubbed text handed to `External.send` does not type-check and, forced, does not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from phigate.phi import PHIText
from phigate.policy.decision import Decision, Form


class _Witness:
    """Proof of making. One instance, private to this module."""


_WITNESS: Final = _Witness()


@final
@dataclass(frozen=True, slots=True)
class Release:
    """A request body for one external model. ``fields`` passed the destination's allow-list; ``dropped`` did not.

    ``forbidden`` are the values that must not be among the bytes sent (values of the map, folded); empty when raw.
    """

    fields: Mapping[str, Any]  # parsed JSON of the outgoing body; Any: JSON ends here, litellm takes keywords
    dropped: tuple[str, ...]
    form: Form
    forbidden: tuple[PHIText, ...]
    witness: _Witness

    def __post_init__(self) -> None:
        if self.witness is not _WITNESS:
            raise TypeError("a release is made by de-identification or by a decision of form raw")


def scrubbed_release(fields: Mapping[str, Any], *, dropped: tuple[str, ...], forbidden: tuple[PHIText, ...]) -> Release:
    """Release a de-identified body that the re-scan found clean."""
    return Release(fields, dropped, Form.SCRUBBED, forbidden, _WITNESS)


def raw_release(
    fields: Mapping[str, Any], *, dropped: tuple[str, ...], decision: Decision, destination: str
) -> Release:
    """Release a body as it is. Raises `TypeError` unless the decision gives this destination the form raw."""
    if decision.forms.get(destination) is not Form.RAW:
        raise TypeError("the decision does not allow form raw for this destination")
    return Release(fields, dropped, Form.RAW, (), _WITNESS)
