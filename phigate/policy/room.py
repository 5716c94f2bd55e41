"""Which of the pairs that policy allows have room for a request: context in tokens, as `destinations.yaml` declares it.

The need is an estimate, so it only orders a choice and refuses nothing: where no model of the house has room, all are
tried, and the server itself says that the request is too long. What is too long for the house's models never goes
outside for that reason: a pair outside is looked at only where policy put it before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from phigate.policy.bundle import Destination
from phigate.policy.decision import Candidate, DestinationKind


def with_room(
    candidates: Sequence[Candidate], destinations: Mapping[str, Destination], tokens: int
) -> tuple[Candidate, ...]:
    """Return the candidates without those too small for ``tokens``, each kind in its own order.

    Where a pair of the house is too small, the next of the house that has room takes its place, before any outside
    that policy put after it. A pair outside that is too small is left out where another pair has room. A model
    without a declared context has room for anything.
    """
    roomy = {candidate: _has_room(candidate, destinations, tokens) for candidate in candidates}
    house = [candidate for candidate in candidates if candidate.kind is DestinationKind.ONPREM]
    places = iter([candidate for candidate in house if roomy[candidate]] or house)
    some = any(roomy.values())
    left: list[Candidate] = []
    for candidate, room in roomy.items():
        if candidate.kind is DestinationKind.ONPREM:
            left.extend(islice(places, 1))
        elif room or not some:
            left.append(candidate)
    return tuple(left)


def _has_room(candidate: Candidate, destinations: Mapping[str, Destination], tokens: int) -> bool:
    context = next(
        (model.context for model in destinations[candidate.destination].models if model.name == candidate.model), 0
    )
    return context == 0 or tokens <= context
