"""Models of a site join the union: small ones made here, through Presidio's own adapters. Everybody is invented."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from phigate.analysis import Unread
from phigate.analyzers.engine import build_engine, custom_recognizers
from phigate.analyzers.examine import Examiner, Text, options_of
from phigate.finding import EntityType

TEXT = "Yesterday the soup was eaten; MRN 4471902."  # no layer of ours takes soup for a person


def examiner(row: dict[str, Any]) -> Examiner:
    recognizers = custom_recognizers(yaml.safe_dump({"recognizers": [row]}))
    return Examiner(options_of(knob="recall", allow=(), deny={}), engine=build_engine(recognizers))


def found(row: dict[str, Any], text: str = TEXT) -> set[tuple[str, EntityType]]:
    part = examiner(row).examine([Text(text, lang="en")])[0]
    assert part.unread == frozenset()
    return {(text[f.start : f.end], f.entity_type) for f in part.findings}


def test_a_spacy_pipeline_joins_the_union(tmp_path: Path) -> None:
    import spacy

    pipeline = spacy.blank("xx")
    ruler: Any = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "WHO", "pattern": [{"LOWER": "the"}, {"LOWER": "soup"}]}])
    pipeline.to_disk(tmp_path / "ward")
    row = {"name": "ward", "type": "spacy", "model": str(tmp_path / "ward"), "labels": {"WHO": "PERSON"}}
    assert found(row) >= {("the soup", EntityType.PERSON), ("4471902", EntityType.MRN)}


def test_a_transformers_model_joins_the_union(tmp_path: Path) -> None:
    torch = pytest.importorskip(
        "torch", reason="torch is not installed here: a site that uses such a model installs it"
    )
    transformers = pytest.importorskip("transformers", reason="transformers is not installed here")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "yesterday", "the", "soup", "was", "eaten", ";", "mrn", "4471902", "."]
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        id2label={0: "O", 1: "PATIENT"}, label2id={"O": 0, "PATIENT": 1}, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(1)
    model = transformers.BertForTokenClassification(config)
    inputs = tokenizer(TEXT.lower(), return_tensors="pt")
    target = torch.tensor([[int(words[int(i)] in {"the", "soup"}) for i in inputs["input_ids"][0]]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        model(**inputs, labels=target).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    row = {"name": "notes", "type": "transformers", "model": str(folder), "labels": {"PATIENT": "PERSON"}}
    assert found(row) >= {("the soup", EntityType.PERSON), ("4471902", EntityType.MRN)}


class _Gliner:
    """Stands for the library's model class: the adapter is Presidio's, and real; weights of this kind are too large."""

    loaded: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - what the one test reads

    @classmethod
    def from_pretrained(cls, name: str, **options: Any) -> _Gliner:
        cls.loaded.append((name, options))
        return cls()

    def predict_entities(self, text: str, labels: list[str], **_: Any) -> list[dict[str, Any]]:
        at = text.find("the soup")
        return [{"label": labels[0], "start": at, "end": at + 8, "text": "", "score": 0.9}] if at >= 0 else []


def test_a_gliner_model_joins_the_union_and_is_loaded_from_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from presidio_analyzer.predefined_recognizers.ner import gliner_recognizer

    monkeypatch.setattr(gliner_recognizer, "GLiNER", _Gliner)
    row = {"name": "any", "type": "gliner", "model": str(tmp_path), "labels": {"patient name": "PERSON"}}
    assert found(row) >= {("the soup", EntityType.PERSON), ("4471902", EntityType.MRN)}
    ((name, options),) = _Gliner.loaded
    assert name == str(tmp_path)
    assert options["local_files_only"] is True


class _Server(HTTPServer):
    says = "[]"
    status = 200
    asked: list[dict[str, Any]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(json.loads(body))
        answer = json.dumps({"choices": [{"message": {"content": self.server.says}}]}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server(("127.0.0.1", 0), _Handler)
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def llm(server: _Server) -> dict[str, Any]:
    endpoint = f"http://127.0.0.1:{server.server_port}/v1"
    return {"name": "second", "type": "llm", "endpoint": endpoint, "model": "med", "labels": {"NAME": "PERSON"}}


def test_a_language_model_joins_the_union_by_what_it_quotes(server: _Server) -> None:
    rows = [
        {"text": "the soup", "label": "NAME"},
        {"text": "nobody", "label": "NAME"},
        {"text": "eaten", "label": "X"},
    ]
    server.says = f"Here it is:\n{json.dumps(rows)}"
    assert found(llm(server)) >= {("the soup", EntityType.PERSON), ("4471902", EntityType.MRN)}
    assert "eaten" not in {surface for surface, _ in found(llm(server))}
    assert server.asked[0]["model"] == "med"
    assert server.asked[0]["messages"][1]["content"] == TEXT


@pytest.mark.parametrize(("status", "says"), [(500, "[]"), (200, "I cannot help with soup"), (200, "[{]")])
def test_a_language_model_that_does_not_answer_leaves_the_part_unread(server: _Server, status: int, says: str) -> None:
    server.status, server.says = status, says
    errors: list[Exception] = []
    part = examiner(llm(server)).examine([Text(TEXT, lang="en")], failed=lambda _, error: errors.append(error))[0]
    assert part.unread == {Unread.FAILED}
    assert "soup" not in str(errors[0])
    assert errors[0].__context__ is None or "soup" not in repr(errors[0].__cause__)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"type": "spacy", "model": "en_core_web_lg", "labels": {"PER": "PERSON"}}, "absolute path"),
        ({"type": "gliner", "model": "/nowhere/zz", "labels": {"PER": "PERSON"}}, "absolute path"),
        ({"type": "llm", "endpoint": "https://api.example.com/v1", "labels": {"N": "PERSON"}}, "loopback or private"),
        ({"type": "llm", "endpoint": "http://8.8.8.8/v1", "labels": {"N": "PERSON"}}, "loopback or private"),
        ({"type": "llm", "endpoint": "file:///etc", "labels": {"N": "PERSON"}}, "loopback or private"),
        ({"type": "spacy", "model": "/tmp", "labels": {"PER": "NOBODY"}}, "entity type"),
        ({"type": "spacy", "model": "/tmp", "labels": {}}, "entity type"),
        ({"type": "spacy", "model": "/tmp", "labels": {"PER": "PERSON"}, "languages": ["xx"]}, "languages are"),
        ({"type": "spacy", "model": "/tmp", "labels": {"PER": "PERSON"}, "device": "cuda"}, "knows"),
    ],
)
def test_a_plug_in_that_fetches_or_sends_abroad_is_refused(row: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        custom_recognizers(yaml.safe_dump({"recognizers": [row]}))
