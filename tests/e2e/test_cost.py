"""What a running gateway wrote is what ``phigate cost`` reckons."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.house import House

NOTE = "Patient John Carter, MRN 4482913, has had a cough since 03/04/2026. What should be done?"
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def reckoned(home: House) -> dict[str, Any]:
    done = home.phigate("cost", "--since", "1h", "--against", "gpt-4o", "--json", "--config", str(home.site))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def sums(found: dict[str, Any], place: str) -> dict[str, int]:
    names = ("requests", "prompt_tokens", "completion_tokens", "estimated")
    rows = [row for row in found["rows"] if row["place"] == place]
    return {name: sum(row[name] for row in rows) for name in names}


def test_tokens_of_whole_replies_and_streams_in_the_house_and_outside_are_added_up(home: House) -> None:
    client, before = home.client(), reckoned(home)
    asked: Any = [{"role": "user", "content": NOTE}]
    image: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]
    whole = client.chat.completions.create(model="clinical-default", messages=asked)
    stream = client.chat.completions.create(
        model="clinical-default", messages=asked, stream=True, stream_options={"include_usage": True}
    )
    said = [chunk.usage for chunk in stream if chunk.usage][-1]
    inside = client.chat.completions.create(model="clinical-default", messages=image)
    assert whole.usage
    assert inside.usage
    after = reckoned(home)
    grown = {
        place: {name: n - sums(before, place)[name] for name, n in sums(after, place).items()}
        for place in ("external", "onprem")
    }
    assert grown["onprem"] == {
        "requests": 1,
        "prompt_tokens": inside.usage.prompt_tokens,
        "completion_tokens": inside.usage.completion_tokens,
        "estimated": 0,
    }
    assert grown["external"] == {
        "requests": 2,
        "prompt_tokens": whole.usage.prompt_tokens + said.prompt_tokens,
        "completion_tokens": whole.usage.completion_tokens + said.completion_tokens,
        "estimated": 0,
    }
    assert after["unpriced"] == ["gpt-eu"]


def test_a_stream_that_says_nothing_is_an_estimate(home: House) -> None:
    before = sum(row["estimated"] for row in reckoned(home)["rows"])
    asked: Any = [{"role": "user", "content": NOTE}]
    for _ in home.client().chat.completions.create(model="clinical-default", messages=asked, stream=True):
        pass
    assert sum(row["estimated"] for row in reckoned(home)["rows"]) == before + 1
