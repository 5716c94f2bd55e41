import io
import json
import logging
from collections.abc import Iterator

import pytest

from phigate import logs
from phigate.logs import Event
from phigate.phi import PHIText


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    root, ours = logging.getLogger(), logging.getLogger("phigate")
    before = (root.handlers[:], root.level, ours.level)
    logs.configure()
    yield stream
    root.handlers[:], level, own = before[0], before[1], before[2]
    root.setLevel(level)
    ours.setLevel(own)


def test_an_event_is_one_line_of_json(out: io.StringIO) -> None:
    logs.emit(Event.EXCHANGE, mode="keep_onprem", took_ms=12, record="audit.test/phigate#7")
    line = json.loads(out.getvalue())
    assert line["event"] == "exchange"
    assert line["mode"] == "keep_onprem"
    assert line["took_ms"] == 12


@pytest.mark.parametrize("value", ["Maria Souza", "joão", "a@b.example", "x" * 201, "two\nlines", 'quote"'])
def test_prose_cannot_get_into_a_log(out: io.StringIO, value: str) -> None:
    with pytest.raises(TypeError, match="not a code"):
        logs.emit(Event.EXCHANGE, mode=value)
    assert out.getvalue() == ""


def test_phi_text_cannot_get_into_a_log(out: io.StringIO) -> None:
    with pytest.raises(TypeError, match="neither a number nor a code"):
        logs.emit(Event.EXCHANGE, mode=PHIText("Maria"))  # type: ignore[arg-type]


def test_text_and_tracebacks_of_other_libraries_are_dropped(out: io.StringIO) -> None:
    try:
        raise ValueError("Maria Souza")
    except ValueError:
        logging.getLogger("some.library").exception("failed on %s", "Maria Souza")
    line = out.getvalue()
    assert "Maria" not in line
    assert json.loads(line)["logger"] == "some.library"
