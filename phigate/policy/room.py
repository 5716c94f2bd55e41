"""Which of the pairs that policy allows have room for a request: context in tokens, as `destinations.yaml` declares it.

The need is an estimate, so it only orders a choice and refuses nothing: where no model of the house has room, all are
tried, and the server itself says that the request is too long. What is too long for the house's models never goes
outside for that reason: a pair outside is looked at only where policy put it before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phigate.policy.bundle import Destination
from phigate.policy.decision import Candidate, DestinationKind


def with_room(
    candidates: Sequence[Candidate], destinations: Mapping[str, Destination], tokens: int
) -> tuple[Candidate, ...]:
    """Return the candidates in order, without those of the house too small for ``tokens`` where another is not.

    A pair outside that is too small is left out where one of the house, or another outside, has room. A model without
    a declared context has room for anything.
    """
    roomy = {candidate: _has_room(candidate, destinations, tokens) for candidate in candidates}
    house = any(room for candidate, room in roomy.items() if candidate.kind is DestinationKind.ONPREM)
    some = any(roomy.values())
    return tuple(
        candidate
        for candidate, room in roomy.items()
        if room or not (house if candidate.kind is DestinationKind.ONPREM else some)
    )


def _has_room(candidate: Candidate, destinations: Mapping[str, Destination], tokens: int) -> bool:
    context = next(
        (model.context for model in destinations[candidate.destination].models if model.name == candidate.model), 0
    )
    return context == 0 or tokens <= context
