from __future__ import annotations

import json

import pytest

from phigate.app.standin import stand_in
from phigate.errors import SettingsError
from phigate.upstreams.identify import Finding, identify
from phigate.upstreams.place import Place
from tests.upstreams.calling import answering
from tests.upstreams.serving import closed_port, scripted, served

pytestmark = pytest.mark.anyio


async def ask(url: str, *names: str, context: int = 0) -> tuple[Finding, ...]:
    return await identify(Place("ward", url), names=names, context=context)


async def test_server_that_is_what_it_should_be() -> None:
    with served(stand_in("ward", "medgemma-27b-it")) as url:
        found = await ask(f"{url}/v1", "medgemma-27b-it")
    assert [f.good for f in found] == [True, True]
    assert found[1].says == "medgemma-27b-it is served as declared"


async def test_server_of_another_model_or_a_shorter_context() -> None:
    rows = {"data": [{"id": "medgemma-4b-it", "max_model_len": 4096}]}
    with scripted(answering(200, json.dumps(rows).encode())) as wire:
        [_, other] = await ask(wire.url, "medgemma-27b-it")
        [_, short] = await ask(wire.url, "medgemma-4b-it", context=8192)
        [_, enough] = await ask(wire.url, "medgemma-4b-it", context=4096)
    assert other == Finding(
        False, "medgemma-27b-it is not served; start the server with --served-model-name medgemma-27b-it"
    )
    assert short == Finding(False, "medgemma-4b-it reads 4096 tokens, the policy says 8192")
    assert enough.good


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"data": 3}', b'{"data": [1]}', b'{"data": [{}]}', b"<html>"])
async def test_server_that_is_no_model_server(answer: bytes) -> None:
    with scripted(answering(200, answer)) as wire:
        [found] = await ask(wire.url)
    assert found.says == f"{wire.url} answers, but not with a list of models"


async def test_no_server_and_no_place_for_one() -> None:
    [found] = await ask(f"http://127.0.0.1:{closed_port()}")
    assert not found.good
    assert "is it up" in found.says
    with pytest.raises(SettingsError, match="public address"):
        await ask("http://8.8.8.8")
