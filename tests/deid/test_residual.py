import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.deid.deidentify import Scrubbed, deidentify
from phigate.deid.residual import Residue, outgoing, redact_more, residual
from phigate.finding import EntityType, Finding
from phigate.phi import PHIText
from phigate.policy.decision import Candidate, Decision, DestinationKind, Form, Operator
from phigate.wire.parts import Part, PartKind
from tests.deid.exchanges import analysis_of, decision, found_in, part, parts_of

T, Op = EntityType, Operator
RULES = {T.DATE: Op.YEAR, T.AGE: Op.AGE90, T.CLINICIAN_NAME: Op.KEEP, T.DIAGNOSIS: Op.KEEP}


def _body(parts: tuple[Part, ...], **more: object) -> bytes:
    messages = [{"role": "user", "content": p.text.reveal()} for p in parts]
    return json.dumps({"model": "gpt-eu", "messages": messages, "max_tokens": 4096, **more}).encode()


class _Copy:
    """One request, its outgoing copy and the decision it was made under."""

    def __init__(
        self, *texts: str, found: dict[str, EntityType], rules: dict[EntityType, Operator] | None = None
    ) -> None:
        self.parts = parts_of(*texts)
        self.decision: Decision = decision(RULES if rules is None else rules)
        self.scrubbed: Scrubbed = deidentify(self.parts, analysis_of(self.parts, found), self.decision)

    @property
    def after(self) -> tuple[Part, ...]:
        return outgoing(self.parts, self.scrubbed)

    def look(
        self, second: dict[str, EntityType] | None = None, *, score: float = 0.9, body: bytes | None = None
    ) -> Residue:
        found = tuple(found_in(p.text.reveal(), second or {}, score=score) for p in self.after)
        return residual(
            self.after, Analysis(found, "second@1"), self.scrubbed, self.decision, body or _body(self.after)
        )

    def redacted(self, residue: Residue) -> list[str]:
        self.scrubbed = redact_more(self.parts, self.scrubbed, residue)
        return [p.text.reveal() for p in self.after]


def test_a_copy_in_which_nothing_new_is_found_is_clean() -> None:
    copy = _Copy("Maria Souza, 93", found={"Maria Souza": T.PERSON, "93": T.AGE})
    residue = copy.look({"PERSON": T.PERSON, "90+": T.AGE})
    assert residue == Residue(
        clean=True, found={}, in_body=0, unread=False, types_left=(T.AGE,), forbidden=(PHIText("Maria Souza"),)
    )


def test_outgoing_parts_keep_place_kind_and_pointer() -> None:
    copy = _Copy("Maria came", "nothing", found={"Maria": T.PERSON})
    assert [p.text.reveal() for p in copy.after] == ["[[PERSON_1]] came", "nothing"]
    assert copy.after[1] is copy.parts[1]
    assert copy.after[0].pointer == copy.parts[0].pointer


def test_a_finding_counts_when_a_letter_of_it_lies_outside_what_was_written() -> None:
    copy = _Copy("Maria Souza came", found={"Maria": T.PERSON})
    residue = copy.look({"[[PERSON_1]] Souza": T.PERSON})
    assert not residue.clean
    assert copy.redacted(residue) == ["[[PERSON_1]] [REDACTED] came"]
    assert copy.look({"[[PERSON_1]] [REDACTED]": T.PERSON, "REDACTED": T.ORGANIZATION}).clean


def test_spans_are_known_by_offset_and_never_by_pattern() -> None:
    # The request held this literal: nobody wrote it, so a finding in it counts.
    copy = _Copy("Maria and [[PERSON_9]]", found={"Maria": T.PERSON})
    residue = copy.look({"[[PERSON_9]]": T.PERSON})
    assert not residue.clean
    assert copy.redacted(residue) == ["[[PERSON_1]] and [[[REDACTED]]]"]


def test_punctuation_outside_does_not_count() -> None:
    copy = _Copy("Maria: yes", found={"Maria": T.PERSON})
    assert copy.look({"[[PERSON_1]]:": T.PERSON}).clean


def test_what_policy_keeps_or_leaves_as_it_is_does_not_count() -> None:
    copy = _Copy("Dr. Rui Dias, 55, in 2019, Crohn", found={"Rui Dias": T.CLINICIAN_NAME, "55": T.AGE})
    assert copy.look({"Rui Dias": T.PERSON, "Crohn": T.DIAGNOSIS, "2019": T.DATE, "55": T.AGE}).clean
    assert not copy.look({"Dr. Rui Dias": T.PERSON}).clean


def test_thresholds_are_scaled_for_the_second_look() -> None:
    copy = _Copy("Souza came", found={})
    assert copy.look({"Souza": T.PERSON}, score=0.27).clean  # 0.4 times 0.7
    assert not copy.look({"Souza": T.PERSON}, score=0.28).clean


@pytest.mark.parametrize(("start", "end"), [(3, 99), (9, 3), (-1, 2), (4, 4)])
def test_a_second_finding_outside_its_text_redacts_what_nobody_wrote(start: int, end: int) -> None:
    copy = _Copy("Maria b", found={"Maria": T.PERSON})
    analysis = Analysis((PartAnalysis((Finding(start, end, T.PERSON, 0.9),), "en"),), "second@1")
    residue = residual(copy.after, analysis, copy.scrubbed, copy.decision, _body(copy.after))
    assert not residue.clean
    assert "b" not in copy.redacted(residue)[0]


def test_a_value_that_is_left_anywhere_is_found_exactly() -> None:
    copy = _Copy("Rosa came", found={"Rosa": T.PERSON})
    left = (part("ask ROSA, prosa"),)
    scrubbed = Scrubbed({}, {}, {}, copy.scrubbed.surrogates, {}, (), copy.scrubbed.values)
    residue = residual(left, Analysis((PartAnalysis((), "pt"),), "x"), scrubbed, copy.decision, b"{}")
    assert {0: [(f.start, f.end) for f in residue.found[0]]} == {0: [(4, 8)]}
    assert outgoing(left, redact_more(left, scrubbed, residue))[0].text.reveal() == "ask [REDACTED], prosa"


def test_a_value_left_inside_a_word_is_found() -> None:
    copy = _Copy("Souza came, file drsouza.pdf", found={"Souza": T.PERSON})
    residue = copy.look()
    assert copy.redacted(residue) == ["[[PERSON_1]] came, file dr[REDACTED].pdf"]
    assert copy.look().clean


def test_a_value_that_a_token_spells_is_no_find() -> None:
    copy = _Copy("Person came to City", found={"Person": T.PERSON, "City": T.CITY})
    assert copy.look().clean
    assert len(copy.look().forbidden) == 2


def test_a_value_in_the_bytes_but_in_no_part_is_dirty_and_stays_so() -> None:
    copy = _Copy("José Núñez came", found={"José Núñez": T.PERSON})
    residue = copy.look(body=_body(copy.after, metadata={"x": "JOSE\nNUÑEZ"}))
    assert (residue.clean, residue.in_body, residue.found) == (False, 1, {})
    assert copy.redacted(residue) == ["[[PERSON_1]] came"]
    nested = {"arguments": json.dumps({"name": "José Núñez"})}
    assert copy.look(body=_body(copy.after, tool=json.dumps(nested))).in_body == 1


def test_what_an_operator_wrote_is_no_find_in_the_bytes() -> None:
    copy = _Copy("The 5-year rate for a 62-year-old", found={"62-year-old": T.AGE}, rules={T.AGE: Op.BAND5})
    assert copy.redacted(copy.look({"year rate": T.PERSON})) == ["The 5-[REDACTED] for a 60-64-year-old"]
    copy = _Copy("The 5-year rate for a 62-year-old", found={"62-year-old": T.AGE}, rules={T.AGE: Op.BAND5})
    residue = copy.look({"5-year ": T.AGE})
    assert copy.redacted(residue) == ["The [REDACTED] rate for a 60-64-year-old"]
    copy = _Copy("The 5-year rate for a 62-year-old", found={"62-year-old": T.AGE}, rules={T.AGE: Op.BAND5})
    copy.scrubbed = replace(copy.scrubbed, values=(PHIText("year"),))
    residue = copy.look()
    assert copy.redacted(residue) == ["The 5-[REDACTED] rate for a 60-64-year-old"]
    assert copy.look().clean
    assert copy.look().forbidden == ()  # no transport could tell the two years apart
    assert copy.look(body=_body(copy.after, metadata={"x": "that year"})).in_body == 1


def test_words_of_the_api_and_model_names_are_no_finds() -> None:
    found = {"Max": T.PERSON, "Conte": T.PERSON, "Claude": T.PERSON, "4096": T.MRN}
    copy = _Copy("Max, Conte, Claude, 4096 came", found=found)
    copy.decision = decision(
        RULES, candidates=(Candidate("x", "claude-sonnet", DestinationKind.EXTERNAL, Form.SCRUBBED),)
    )
    body = _body(copy.after, model="claude-sonnet", max_tokens=4096)
    assert copy.look(body=body).clean
    assert not copy.look(body=_body(copy.after, metadata={"who": "claude"})).clean


def test_a_long_number_is_searched_for_in_the_bytes() -> None:
    copy = _Copy("CPF 529.982.247-25", found={"529.982.247-25": T.BR_CPF})
    assert not copy.look(body=_body(copy.after, seed=52998224725)).clean


def test_an_unread_copy_is_dirty() -> None:
    copy = _Copy("nothing", found={})
    second = Analysis((PartAnalysis((), "", frozenset({Unread.TIMEOUT})),), "second@1")
    residue = residual(copy.after, second, copy.scrubbed, copy.decision, b"{}")
    assert (residue.clean, residue.unread, residue.found) == (False, True, {})


def test_redacting_counts_hides_and_moves_what_is_known() -> None:
    copy = _Copy("Rui Dias and Souza saw Maria", found={"Maria": T.PERSON, "Rui Dias": T.CLINICIAN_NAME})
    residue = copy.look({"Dias and Souza": T.PERSON, "Souza": T.PERSON})
    assert copy.redacted(residue) == ["Rui [REDACTED] saw [[PERSON_1]]"]  # one stretch, counted once
    scrubbed = copy.scrubbed
    assert scrubbed.counts == {T.PERSON: {Op.TOKEN: 1, Op.REDACT: 1}}
    assert [v.reveal() for v in scrubbed.values] == ["Maria", "Dias and Souza"]
    text = scrubbed.edits[0]
    assert [text[s.start : s.end] for s in scrubbed.written[0]] == ["[REDACTED]", "[[PERSON_1]]"]
    assert [text[s.start : s.end] for s in scrubbed.kept[0]] == ["Rui "]


def test_what_is_redacted_in_one_place_is_redacted_wherever_it_stands() -> None:
    copy = _Copy("Souza came with Maria", "the SOUZA file, Souzas", "Maria", found={"Maria": T.PERSON})
    residue = copy.look({"Souza came": T.PERSON})
    assert copy.redacted(residue) == ["[REDACTED] with [[PERSON_1]]", "the SOUZA file, Souzas", "[[PERSON_1]]"]
    copy = _Copy("Souza came with Maria", "the SOUZA file, Souzas", "Maria", found={"Maria": T.PERSON})
    residue = copy.look({"Souza c": T.PERSON, "Souza": T.PERSON, "PERSON": T.CITY})
    assert copy.redacted(residue)[0] == "[REDACTED]ame with [[PERSON_1]]"
    copy = _Copy("Souza came with Maria", "the SOUZA file, Souzas", "Maria", found={"Maria": T.PERSON})
    second = analysis_of(copy.after[:1], {"Souza": T.PERSON}).parts
    quiet = PartAnalysis((), "en")
    residue = residual(copy.after, Analysis((*second, quiet, quiet), "x"), copy.scrubbed, copy.decision, b"{}")
    assert copy.redacted(residue) == [
        "[REDACTED] came with [[PERSON_1]]",
        "the [REDACTED] file, [REDACTED]s",
        "[[PERSON_1]]",
    ]
    assert copy.scrubbed.counts[T.PERSON] == {Op.TOKEN: 2, Op.REDACT: 3}
    labels = _Copy("City hall", "Lisbon", found={"Lisbon": T.CITY})
    assert labels.redacted(labels.look({"City": T.PERSON})) == ["[REDACTED] hall", "[[CITY_1]]"]
    assert copy.look().clean


def test_what_stands_between_two_tokens_is_redacted_only_where_it_says_something() -> None:
    copy = _Copy("Maria - Rui Souza", found={"Maria": T.PERSON, "Rui": T.CITY})
    residue = copy.look({"[[PERSON_1]] - [[CITY_1]] Souza": T.PERSON})
    assert copy.redacted(residue) == ["[[PERSON_1]] - [[CITY_1]] [REDACTED]"]


def test_ten_thousand_findings_take_linear_time() -> None:
    text = "Maria saw Souza. " * 5_000
    copy = _Copy(text, found={"Maria": T.PERSON})
    began = time.process_time()
    residue = copy.look({"Souza": T.PERSON})
    assert copy.redacted(residue)[0].count("[REDACTED]") == 5_000
    assert copy.look().clean
    assert time.process_time() - began < 5


def test_a_number_is_redacted_whole_and_a_name_keeps_the_request_at_home() -> None:
    parts = (part("12345678", 0, kind=PartKind.NUMBER), part("ana_lima", 1, kind=PartKind.NAME))
    scrubbed = deidentify(parts, analysis_of(parts, {}), decision())
    second = analysis_of(outgoing(parts, scrubbed), {"345": T.MRN, "ana": T.PERSON})
    residue = residual(parts, second, scrubbed, decision(), b"{}")
    more = redact_more(parts, scrubbed, residue)
    assert more.edits == {0: "[REDACTED]"}
    assert more.unfit == (1,)


def test_an_analysis_of_other_parts_is_an_error() -> None:
    copy = _Copy("a", found={})
    with pytest.raises(ValueError, match="shorter"):
        residual(copy.after, Analysis((), "x"), copy.scrubbed, copy.decision, b"{}")


WORDS = st.sampled_from(["Maria", "Souza", "came", "Rui", "[[PERSON_1]]", "Dias,", "55"])


@given(
    st.lists(WORDS, min_size=1, max_size=10).map(" ".join),
    st.sets(st.sampled_from(["Maria", "Rui"])),
    st.sets(st.sampled_from(["Souza", "Dias", "PERSON_1", "Maria", "] Souza"])),
)
def test_one_redaction_makes_the_same_second_look_clean(text: str, first: set[str], second: set[str]) -> None:
    copy = _Copy(text, found=dict.fromkeys(first, T.PERSON))
    new = dict.fromkeys(second, T.PERSON)
    residue = copy.look(new)
    if residue.clean:
        return
    redacted = copy.redacted(residue)[0]
    assert copy.look(new).clean
    assert redacted.count("[[PERSON_") >= len(copy.scrubbed.surrogates.issued)
    for span in copy.scrubbed.written[0]:
        assert redacted[span.start : span.end][:1] == "["


def test_a_broken_finding_in_an_empty_text_is_nothing() -> None:
    parts = parts_of("")
    second = Analysis((PartAnalysis((Finding(0, 3, T.PERSON, 0.9),), ""),), "x")
    scrubbed = deidentify(parts, analysis_of(parts, {}), decision())
    assert residual(parts, second, scrubbed, decision(), b"{}").clean
