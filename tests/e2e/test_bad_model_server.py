"""A model server of the house that fails in every way: a clear message, a recorded outcome, and nothing outside.

What is wrong before a server runs (no such model, weights gated, too little memory, another model than declared) is in
tests/cli/test_models.py and tests/upstreams/test_identify.py; a hanging one, whose deadlines are minutes, in
tests/upstreams/test_onprem.py; one that dies under load in test_house_chain.py.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from phigate.app.standin import Fault
from phigate.cli.demo import _OPEN
from tests.e2e.house import House

CANARY = "Zulmira Quixadá"
IMAGE: Any = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": f"{CANARY} has a cough."},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    }
]
WHOLE = (
    Fault.ERROR,
    Fault.GARBAGE,
    Fault.BUSY,
    Fault.REDIRECT,
    Fault.CLOSE_MIDWAY,
    Fault.HUGE,
)
STREAMED = {
    Fault.CLOSE_MIDWAY: "closed its answer before [DONE]",
    Fault.ERROR_MIDWAY: "failed in the middle of its answer",
    Fault.NO_DONE: "closed its answer before [DONE]",
}


def set_fault(home: House, fault: Fault) -> None:
    request = urllib.request.Request(f"{home.upstreams['onprem']}/fault", data=fault.value.encode(), method="PUT")
    with _OPEN(request, timeout=10):
        pass


@pytest.fixture
def mended(home: House) -> Iterator[House]:
    """The house, whose server works again afterwards, and has answered once so that nobody leaves it alone."""
    outside = home.total("external")
    yield home
    set_fault(home, Fault.NONE)
    assert home.client().chat.completions.create(model="clinical", messages=IMAGE).choices
    assert home.total("external") == outside


def outcomes(home: House, since: int) -> list[dict[str, Any]]:
    return [e for e in home.entries()[since:] if e["kind"] == "outcome"]


@pytest.mark.parametrize("fault", WHOLE)
def test_a_whole_answer_that_fails_is_told_and_recorded(mended: House, fault: Fault) -> None:
    before = len(mended.entries())
    set_fault(mended, fault)
    with pytest.raises(openai.APIStatusError) as caught:
        mended.client().chat.completions.create(model="clinical", messages=IMAGE)
    assert caught.value.status_code == 503
    assert "no model that this request may go to answers now" in str(caught.value)
    assert "nothing was sent elsewhere" in str(caught.value)
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert CANARY not in str(caught.value)
    assert [e["status"] for e in outcomes(mended, before)] == ["upstream_error"]
    kinds = [e["kind"] for e in mended.entries()[before:]]
    assert kinds.count("intent") == 1
    assert kinds.count("refusal") == 1


@pytest.mark.parametrize("fault", STREAMED)
def test_a_stream_that_fails_midway_ends_in_an_error_and_is_recorded(mended: House, fault: Fault) -> None:
    before = len(mended.entries())
    set_fault(mended, fault)
    stream = mended.client().chat.completions.create(model="clinical", messages=IMAGE, stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert STREAMED[fault] in str(caught.value)
    assert [e["status"] for e in outcomes(mended, before)] == ["upstream_error"]
    assert outcomes(mended, before)[0]["usage"]["estimated"] is True
