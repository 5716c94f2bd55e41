"""The second reader at work: a model in the house looks at an outgoing copy before it leaves (`residual.reader`).

Whatever fails, the copy stays at home. Only the copy is shown, and only to a destination that the signed bundle calls
on-prem; the reader's own words go nowhere but into the search.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from phigate.analysis import Analysis
from phigate.deid.second_reader import added, named, question
from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.exchange import Exchange
from phigate.policy.bundle import Destination
from phigate.policy.decision import DestinationKind
from phigate.ports import Metrics, OnPrem
from phigate.wire.parts import Need, Part

_PATH: Final = "chat/completions"
_TIME_S: Final = 60.0


class SecondReader:
    """Lets every reader that the decision names look at a copy."""

    def __init__(self, onprem: OnPrem, metrics: Metrics, *, time_s: float = _TIME_S) -> None:
        self._onprem = onprem
        self._metrics = metrics
        self._time_s = time_s

    async def look(self, exchange: Exchange, after: Sequence[Part], second: Analysis) -> Analysis | None:
        """Return the re-scan with what the readers name added; None when one could not read: then nothing leaves."""
        for name in sorted(exchange.decision.residual.readers):
            began = time.monotonic()
            try:
                texts = named(await self._ask(exchange.bundle.destinations[name], after))
            except PeerError as error:
                self._metrics.count("reader_failures", code=error.code)
                return None
            finally:
                self._metrics.observe("reader_seconds", time.monotonic() - began)
            second, missing = added(texts, after, second)
            for placed, number in (("yes", len(texts) - missing), ("no", missing)):
                if number > 0:
                    self._metrics.count("reader_named", number, placed=placed)
        return second

    async def _ask(self, destination: Destination, after: Sequence[Part]) -> bytes:
        model = next((model.name for model in destination.models if Need.JSON_SCHEMA in model.can), "")
        if destination.kind is not DestinationKind.ONPREM or not model:
            # Loading refuses such a bundle; nothing that is not in the house is ever asked.
            raise UnavailableError("the second reader is not a model in the house", code="reader_settings")
        try:
            async with asyncio.timeout(self._time_s):
                reply = await self._onprem.send(destination, _PATH, question(after, model=model), stream=False)
        except TimeoutError:
            raise UnavailableError("the second reader did not answer in time", code="reader_timeout") from None
        if reply.status != 200 or reply.body is None:
            raise BadReplyError("the second reader refused to read", code="reader_reply")
        return reply.body
