"""How the tests call the External port."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from phigate.deid.release import Release, scrubbed_release
from phigate.errors import PeerError
from phigate.phi import PHIText
from phigate.policy.bundle import Destination, Model
from phigate.policy.decision import DestinationKind
from phigate.ports import UpstreamReply
from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.external import ExternalModels
from phigate.upstreams.reply import Timeouts
from tests.upstreams.calling import events_of

CANARY = "Zulmira Quixadá"
TEXT = "Ask [[PERSON_1]] about [[DATE_1+3d]]."
_QUICK = Timeouts(connect_s=2, first_byte_s=2, idle_s=1, total_s=6)


def outside(url: str, **changes: Any) -> Destination:
    row: dict[str, Any] = {
        "id": "eu-cloud",
        "kind": DestinationKind.EXTERNAL,
        "endpoint": f"{url}/v1",
        "provider": "openai",
        "models": (Model("gpt-eu"),),
        "country": "SE",
        "secret": "key",
    }
    return Destination(**(row | changes))


def release(**fields: Any) -> Release:
    body = {"model": "gpt-eu", "messages": [{"role": "user", "content": TEXT}], **fields}
    return scrubbed_release(body, dropped=(), forbidden=(PHIText(CANARY),))


@contextlib.asynccontextmanager
async def models(**settings: Any) -> AsyncIterator[ExternalModels]:
    given: dict[str, Any] = {"timeouts": _QUICK, "tolerance": Tolerance(failures=1000), **settings}
    made = ExternalModels({"key": "sk-1"}, lambda body: body[:8], **given)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def exchange(made: ExternalModels, to: Destination, what: Release, *, stream: bool) -> UpstreamReply:
    reply = await made.send(to, what, stream=stream)
    if stream and reply.events is not None:
        await events_of(reply)
    return reply


async def outside_problem(
    to: Destination, what: Release | None = None, *, stream: bool = False, **more: Any
) -> PeerError:
    async with models(**more) as made:
        with pytest.raises(PeerError) as caught:
            await exchange(made, to, what or release(), stream=stream)
    chain: BaseException | None = caught.value
    while chain is not None:  # not even what is suppressed holds text of a request or reply
        assert "PERSON_1" not in str(chain)
        assert CANARY not in str(chain)
        chain = chain.__cause__ or chain.__context__
    return caught.value
