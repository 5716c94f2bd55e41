"""Out and back: a model that only repeats what it was sent gives the app its own words."""

import json

from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.deidentify import deidentify
from phigate.deid.reidentify import Restorer
from phigate.deid.reply import restore_reply
from phigate.deid.residual import outgoing
from phigate.finding import EntityType
from phigate.wire.parts import PartKind
from tests.deid.exchanges import T, analysis_of, decision, part, parts_of

FOUND = {
    "Maria Souza": T.PERSON,
    "José": T.PERSON,
    "529.982.247-25": T.BR_CPF,
    "17/05/2024": T.DATE,
    "29 de maio de 2024": T.DATE,
    "São Paulo": T.CITY,
    "(11) 98765-4321": T.PHONE,
}
NOISE = [
    "[[PERSON_1]]",
    "[[person 2]]",
    "\\[\\[PERSON\\_1\\]\\]",
    "[PERSON_3]",
    "[",
    "]",
    "[[",
    "]]",
    "\\",
    '"',
    "and",
    "dose 5 mg",
    "é",
    "\n",
]
TEXTS = st.lists(st.sampled_from([*FOUND, *NOISE]), max_size=14).map(" ".join)


@given(
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(st.integers(0, 300), max_size=20),
    st.sets(st.sampled_from(sorted(FOUND))),
)
def test_an_echo_in_text_is_the_request(texts: list[str], cuts: list[int], found: set[str]) -> None:
    parts = parts_of(*texts)
    words: dict[str, EntityType] = {word: FOUND[word] for word in found}
    scrubbed = deidentify(parts, analysis_of(parts, words, lang="pt"), decision())
    for before, after in zip(parts, outgoing(parts, scrubbed), strict=True):
        echo = after.text.reveal()
        restorer = Restorer(scrubbed.surrogates)
        at, out = 0, ""
        for cut in sorted({cut % (len(echo) + 1) for cut in cuts}):
            out += restorer.feed(echo[at:cut])
            at = cut
        assert out + restorer.feed(echo[at:]) + restorer.close() == before.text.reveal()
        assert restorer.tally.invented == 0


@given(st.lists(TEXTS, min_size=1, max_size=3), st.integers(10**6, 10**12))
def test_an_echo_in_tool_arguments_is_the_request(texts: list[str], number: int) -> None:
    base = "/messages/0/tool_calls/0/function/arguments#"
    parts = (
        *(part(text, n, pointer=f"{base}/text/{n}") for n, text in enumerate(texts)),
        part(str(number), len(texts), kind=PartKind.NUMBER, pointer=f"{base}/mrn"),
    )
    words = {**FOUND, str(number): T.MRN}
    scrubbed = deidentify(parts, analysis_of(parts, words, lang="pt"), decision())
    sent = [p.text.reveal() for p in outgoing(parts, scrubbed)]
    arguments = json.dumps({"text": sent[:-1], "mrn": sent[-1]}, ensure_ascii=False)
    message = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
    restored = json.loads(restore_reply(body, scrubbed.surrogates).body)["choices"][0]["message"]
    assert json.loads(restored["tool_calls"][0]["function"]["arguments"]) == {"text": texts, "mrn": number}
