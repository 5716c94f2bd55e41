"""Print what de-identification and re-identification cost: python -m tests.deid.bench."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from functools import partial

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.deidentify import deidentify
from phigate.deid.reidentify import Restorer
from phigate.deid.reply import StreamRestorer
from phigate.deid.residual import outgoing, residual
from phigate.deid.surrogate import SurrogateMap
from phigate.finding import EntityType
from phigate.wire.parts import Part
from tests.deid.exchanges import analysis_of, decision, parts_of

_PROSE = "The patient was seen today on the ward, in good general state, blood pressure 120/80, without any fever. "


def conversation(accents: str = "") -> tuple[tuple[Part, ...], Analysis]:
    """Ten turns, 9 kB, forty findings of forty values."""
    rng = random.Random(1)
    words: dict[str, EntityType] = {}
    texts = []
    for turn in range(10):
        text = _PROSE * 8
        for place in range(4):
            value = f"Name{turn}{'abcd'[place]} Family{turn}" if place % 2 else str(rng.randrange(10**10, 10**11))
            words[value] = EntityType.PERSON if place % 2 else EntityType.MRN
            text += f" {value} came. "
        texts.append(text.replace("fever", "fever" + accents))
    parts = parts_of(*texts)
    return parts, analysis_of(parts, words)


def best_ms(work: Callable[[], object], *, rounds: int = 7, times: int = 20) -> float:
    """Return the best round's milliseconds of processor time per call."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - began) / times)
    return best * 1000


def _restored(surrogates: SurrogateMap, deltas: list[str], *, serialised: bool) -> None:
    restorer = Restorer(surrogates, json=serialised)
    for delta in deltas:
        restorer.feed(delta)
    restorer.close()


def _streamed(surrogates: SurrogateMap, events: list[bytes]) -> None:
    restorer = StreamRestorer(surrogates)
    for event in events:
        restorer.feed(event)
    restorer.close()


def _say(what: str, work: Callable[[], object]) -> None:
    print(f"{what}: {best_ms(work):.2f} ms")


def main() -> None:
    """Print the table."""
    rules = decision()
    for name, accents in (("ASCII", ""), ("with accents", "é")):
        parts, analysis = conversation(accents)
        characters = sum(len(part.text) for part in parts)
        _say(f"deidentify, {characters} characters {name}, 40 findings", partial(deidentify, parts, analysis, rules))
    scrubbed = deidentify(parts, analysis, rules)
    after = outgoing(parts, scrubbed)
    second = Analysis(tuple(PartAnalysis((), "en") for _ in after), "none")
    messages = [{"role": "user", "content": part.text.reveal()} for part in after]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    _say("residual, the same", partial(residual, after, second, scrubbed, rules, body))
    text = (["word "] * 18 + ["see [[PERS", "ON_1]] "]) * 50
    call = [
        '{"name":"',
        "[[PERS",
        "ON_1]]",
        '","id":"',
        "[[MRN_1]]",
        '","text":"',
        "some ",
        "more ",
        "words ",
        '"}',
    ] * 100
    surrogates = scrubbed.surrogates
    _say("Restorer, 1,000 deltas of text, 50 tokens", lambda: _restored(surrogates, text, serialised=False))
    _say("Restorer, 1,000 deltas of arguments, 200 tokens", lambda: _restored(surrogates, call, serialised=True))
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [
        json.dumps({**head, "choices": [{"index": 0, "delta": {"content": delta}, "finish_reason": None}]}).encode()
        for delta in text
    ]
    _say("StreamRestorer, the 1,000 deltas of text as chunks", lambda: _streamed(surrogates, events))


if __name__ == "__main__":
    main()
