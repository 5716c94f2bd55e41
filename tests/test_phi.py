import pickle
import re
from pathlib import Path

import pytest

from phigate.phi import PHIText

ROOT = Path(__file__).parent.parent


def test_phi_text_never_prints() -> None:
    text = PHIText("Maria Souza")
    for shown in (repr(text), str(text), f"{text}", f"{text!r:>40}", "%s" % text, [text].__repr__()):  # noqa: UP031
        assert "Maria" not in shown
    assert text.reveal() == "Maria Souza"
    assert len(text) == 11
    assert text == PHIText("Maria Souza")
    assert text != "Maria Souza"
    assert len({text, PHIText("Maria Souza")}) == 1


def test_phi_text_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(PHIText("x"))


def test_reveal_is_called_only_where_text_is_parsed_analysed_or_changed() -> None:
    allowed = {"wire", "analyzers", "deid"}
    callers = [
        path.relative_to(ROOT / "phigate")
        for path in (ROOT / "phigate").rglob("*.py")
        if re.search(r"\.reveal\(", path.read_text(encoding="utf-8"))
    ]
    assert [str(path) for path in callers if path.parts[0] not in allowed] == []
