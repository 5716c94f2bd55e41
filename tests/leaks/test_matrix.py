"""The leak matrix: an identifier in every leaf of a request that leaves, and in none of what left or was kept."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from phigate.analyzers.presidio import PresidioAnalyzer
from phigate.errors import PhigateError
from phigate.policy.bundle import Bundle
from tests.exchange import Script
from tests.wire.maximal import Leaf, leaves, maximal, planted

pytestmark = pytest.mark.anyio
CANARIES = ("48210377", "Quirandel", "Ostrovim")
# What no policy of the demonstration covers, or no model of it can do.
LEFT_OUT = (
    "audio",
    "modalities",
    "n",
    "logit_bias",
    "logprobs",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "store",
    "top_logprobs",
    "web_search_options",
)
STRINGS = {
    "plain": "MRN 48210377, patient: Quirandel Ostrovim",
    "a document": '{"mrn": "48210377", "patient_name": "Quirandel Ostrovim"}',
    "escaped": "MRN 4821\\u00300377, patient: Quirandel Ostr\\u006fvim",
    "encoded": "MRN%2048210377&amp;patient%3A%20Quirandel%20Ostrovim",
}


def leaving() -> dict[str, Any]:
    """Return a request with every field that may leave, of which nothing has to stay."""
    body = {name: value for name, value in maximal(attachments=False).items() if name not in LEFT_OUT}
    text = json.dumps(body).replace('"old"', '"lookup"').replace('"ana_prado"', '"clinician"')
    made: dict[str, Any] = json.loads(text)
    # Roles and parts that only the house knows would keep it home.
    made["messages"] = [message for message in made["messages"] if message["role"] != "ipython"]
    return made


def variants(leaf: Leaf) -> Iterator[tuple[str, str | int | float]]:
    if leaf.what == "string":
        yield from STRINGS.items()
    elif leaf.what == "key":
        yield "a key", "mrn 48210377 Quirandel Ostrovim"
    else:
        yield "an integer", 48210377
        yield "a fraction", 0.48210377


def shown(leaf: Leaf, variant: str) -> str:
    return "/".join("JSON" if step is dict else str(step) for step in leaf.steps) + f" ({leaf.what}, {variant})"


async def test_no_leaf_lets_an_identifier_out(bundle: Bundle) -> None:
    analyzer = PresidioAnalyzer(bundle)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    base = leaving()
    leaks, left, stayed, refused = [], 0, 0, 0
    for leaf in leaves(base):
        for variant, canary in variants(leaf):
            script = Script(bundle, analyzer=analyzer)  # type: ignore[arg-type]  # the real one in the fake's place
            script.answers("Rest.")
            seen: list[Any] = []
            try:
                reply = await script.send(planted(base, leaf, canary))  # type: ignore[arg-type]  # floats are planted like integers
                seen.append(dict(reply.headers))
            except PhigateError as error:
                refused += 1
                seen += [str(error), getattr(error, "param", "")]
            left += bool(script.external.calls)
            stayed += bool(script.onprem.calls)
            seen += [[call[1] for call in script.external.calls], [d.fields for d in script.ledger.drafts]]
            seen += [str(script.metrics.counts), script.tallied, repr(script.held.held)]
            text = json.dumps(seen, ensure_ascii=False, default=str)
            leaks += [f"{word} from {shown(leaf, variant)}" for word in CANARIES if word in text]
    logging.getLogger().removeHandler(handler)
    await analyzer.close()
    print(f"{left} left, {stayed} stayed, {refused} were refused")
    assert leaks == []
    assert [word for word in CANARIES if word in log.getvalue()] == []
    assert left > 200
    assert stayed > 20
    assert refused > 20


async def test_the_request_of_the_matrix_leaves_as_it_is_meant(bundle: Bundle) -> None:
    analyzer = PresidioAnalyzer(bundle)
    script = Script(bundle, analyzer=analyzer)  # type: ignore[arg-type]
    script.answers("Rest.")
    reply = await script.send(leaving())
    await analyzer.close()
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"
    sent: Any = script.external.calls[0][1]
    assert {"messages", "tools", "response_format", "prediction", "stop", "tool_choice"} <= set(sent)
    assert len(sent["messages"]) == len(leaving()["messages"])
