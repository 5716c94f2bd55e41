from phigate.deid.deidentify import deidentify
from tests.deid.exchanges import T, analysis_of, decision, parts_of


def test_one_value_gets_one_token_in_all_parts() -> None:
    parts = parts_of("Maria Souza came.", "Ask MARIA  SOUZA again.")
    scrubbed = deidentify(parts, analysis_of(parts, {"Maria Souza": T.PERSON}), decision())
    assert scrubbed.edits == {0: "[[PERSON_1]] came.", 1: "Ask [[PERSON_1]] again."}
