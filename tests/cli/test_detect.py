"""``phigate detect``: JSON lines and plain text in, findings out in order; explanations without text; scores."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from phigate.cli.detect import detect
from phigate.cli.scoring import Scores


def run(*args: str, text: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(detect, list(args), input=text)
    return result.exit_code, result.output


def lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_lines_give_one_answer_each_in_order() -> None:
    records = [{"id": f"n{n}", "text": f"MRN {1234567 + n}"} for n in range(40)]
    code, output = run("--jobs", "2", text="\n".join(json.dumps(r) for r in records))
    assert code == 0
    answers = lines(output)
    assert [a["id"] for a in answers] == [r["id"] for r in records]
    assert all(a["findings"] == [{"start": 4, "end": 11, "entity_type": "MRN", "score": 0.9}] for a in answers)


def test_plain_text_is_one_document() -> None:
    code, output = run(text="Patient seen\nMRN 1234567\n")
    assert code == 0
    assert [f["start"] for f in lines(output)[0]["findings"]] == [17]  # type: ignore[attr-defined]


def test_explanations_name_layer_and_rule_and_never_the_text() -> None:
    code, output = run("--explain", text='{"id":1,"text":"CPF 529.982.247-25"}')
    assert code == 0
    assert lines(output)[0]["findings"][0]["rule"] == "cpf"  # type: ignore[index]
    assert "529" not in output


def test_highlighting_shows_type_and_escapes_markup(tmp_path: Path) -> None:
    code, page = run("--highlight", "html", text='{"id":1,"text":"<b>MRN 1234567</b>"}')
    assert code == 0
    assert "&lt;b&gt;MRN <mark" in page
    assert "<b>" not in page
    file = tmp_path / "note.txt"
    file.write_text("MRN 1234567", encoding="utf-8")
    assert "1234567[MRN]" in run("--highlight", "terminal", str(file))[1]


def test_the_balanced_knob_and_the_lowest_score_leave_guesses_out() -> None:
    text = '{"id":1,"text":"code 98765432101234 x"}'
    assert lines(run(text=text)[1])[0]["findings"]
    assert not lines(run("--least", "0.99", text=text)[1])[0]["findings"]


def test_the_second_set_can_be_asked_for() -> None:
    assert lines(run("--rescan", text='{"id":1,"text":"DE89370400440532013000"}')[1])[0]["findings"]


def test_a_line_that_is_no_record_is_named_by_its_number() -> None:
    code, output = run(text='{"id":1,"text":"x"}\n{"id":2}\n')
    assert code == 1
    assert "line 2: expected a JSON object" in output


def test_incomplete_texts_say_why() -> None:
    record = json.dumps({"id": 1, "text": "Пациент поступил в больницу с болью в груди и одышкой."})
    assert lines(run(text=record)[1])[0]["incomplete"] == ["language"]


def test_evaluation_counts_covered_spans(tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    notes = [
        {"text": "MRN 1234567 zq", "spans": [[4, 11, "MRN"], [12, 14, "PERSON"]], "lang": "en"},
        {"text": "nothing here", "spans": []},
    ]
    file.write_text("\n".join(json.dumps(n) for n in notes) + "\n\n", encoding="utf-8")
    code, output = run("evaluate", str(file), "--misses", "1")
    assert code == 0
    assert "CLEAN, notes whose every direct identifier is covered: 0.000" in output
    assert "missed PERSON:" in output
    assert "ALARM, notes without PHI in which a direct identifier is found: 0.000" in output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"spans": []}', "line 1: expected"),
        ('{"text": "a", "spans": [[0, 9, "MRN"]]}', "line 1: a span lies outside its text"),
    ],
)
def test_wrong_annotations_stop_with_their_line(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "gold.jsonl"
    file.write_text(line, encoding="utf-8")
    code, output = run("evaluate", str(file))
    assert code == 1
    assert message in output


def test_scores_count_silent_and_clean_notes() -> None:
    scores = Scores()
    scores.add("ab cd", [(0, 2, "PERSON")], [{"start": 0, "end": 2, "entity_type": "PERSON"}], [])
    scores.add("ab cd", [(0, 2, "DATE_TIME")], [], ["language"])
    assert (scores.clean, scores.silent, scores.incomplete) == (2, 1, 1)
