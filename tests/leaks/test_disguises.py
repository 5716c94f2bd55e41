"""One number and one name in many disguises: as encodings, scripts, shapes of documents and fields have them."""

import base64
import json
from typing import Any

import pytest

from phigate.analyzers.presidio import PresidioAnalyzer
from phigate.errors import PhigateError
from phigate.policy.bundle import Bundle
from tests.exchange import Script

pytestmark = pytest.mark.anyio
SSN, NAME = "SSN 123-45-6789", "Patient: Helena Brandao"


def tagged(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text)


def selected(text: str) -> str:
    return "".join(chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in text.encode())


TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "full width": ("SSN １２３-４５-６７８９", ("１２３", "６７８９")),
    "mathematical": ("Patient: 𝐇𝐞𝐥𝐞𝐧𝐚 𝐁𝐫𝐚𝐧𝐝𝐚𝐨, SSN 𝟏𝟐𝟑-𝟒𝟓-𝟔𝟕𝟖𝟗", ("𝐇𝐞", "𝟏𝟐𝟑")),
    "superscript": ("SSN ¹²³⁻⁴⁵⁻⁶⁷⁸⁹", ("¹²³",)),
    "circled": ("SSN ①②③④⑤⑥⑦⑧⑨", ("①②",)),
    "keycaps": ("MRN " + "".join(f"{digit}\ufe0f\u20e3" for digit in "48210377"), ("4\ufe0f\u20e38",)),
    "Arabic digits": ("SSN ١٢٣-٤٥-٦٧٨٩", ("١٢٣",)),
    "Cyrillic look-alikes": ("Patient: Неlеnа Brandao", ("Неlеnа", "randao")),
    "zero width": ("Patient: Hel\u200bena Bran\u00addao, SSN 123-4\u200b5-6789", ("ena", "6789")),
    "tags": ("help " + tagged(SSN), (tagged("123"),)),
    "selectors": ("help 😀" + selected(SSN), (selected("123"),)),
    "braille": ("Patient ⠓⠑⠇⠑⠝⠁ ⠃⠗⠁⠝⠙⠁⠕", ("⠓⠑",)),
    "black squares": ("Patient: 🅷🅴🅻🅴🅽🅰", ("🅷🅴",)),
    "reversed by a mark": ("SSN \u202e9876-54-321\u202c", ("9876",)),
    "percent": ("SSN%20123%2D45%2D6789", ("123%2D", "6789")),
    "percent twice": ("SSN 123%252D45%252D6789", ("123%252D", "6789")),
    "entities": ("Patient: H&#101;lena Brandao, SSN 123&#45;45&#45;6789", ("lena", "6789")),
    "entities twice": ("SSN 123&amp;#45;45&amp;#45;6789", ("6789",)),
    "escapes": ("Patient: \\u0048elena Brandao, MRN 4821\\u00300377", ("elena", "0377")),
    "escapes twice": ("Patient: \\\\u0048elena Brandao, MRN 4821\\\\u00300377", ("elena", "0377")),
    "bytes": (r"SSN 123\x2d45\x2d6789", ("6789",)),
    "quoted-printable": ("Patient: Helena Brand=C3=A3o, SSN 123=2D45=2D6789", ("Helena", "6789")),
    "base64": ("x " + base64.b64encode(f"{NAME}, {SSN}".encode()).decode(), ("UGF0aWVudD",)),
    "spelled": ("Patient name: H e l e n a  B r a n d a o", ("H e l e n a", "r a n d a o")),
    "spoken": ("MRN four eight two one zero three seven seven", ("four eight",)),
    "a line between": ("SSN: 123-45-\n6789", ("123-45",)),
    "an address": (
        "https://ehr.local/patients/helena-brandao/48210377?ssn=123-45-6789",
        ("helena", "48210377", "6789"),
    ),
    "a file name": ("see HelenaBrandao_48210377_ECG.pdf", ("Helena", "48210377")),
    "a mail address": ("write to helena.brandao+icu@hospital.example", ("helena", "brandao")),
    "HL7": (
        "PID|1||48210377^^^HOSP^MR||BRANDAO^HELENA^M||19680314|F|||RUA AURORA 12^^RECIFE^PE^50050",
        ("48210377", "BRANDAO", "19680314", "AURORA"),
    ),
    "CSV": ("mrn,name,dob\n48210377,Brandao Helena,1968-03-14", ("48210377", "Brandao", "1968-03")),
    "a table": ("|name|mrn|\n|---|---|\n|Helena Brandao|48210377|", ("Helena", "48210377")),
    "YAML": ("patient:\n  name: Helena Brandao\n  mrn: 4821\n", ("Helena", "4821")),
    "SQL": ("SELECT * FROM p WHERE name='Helena Brandao' AND mrn=48210377", ("Helena", "48210377")),
    "code": ('Patient(name="Helena Brandao", mrn="48210377")', ("Helena", "48210377")),
    "XML": ("<name>Helena &#66;randao</name><id>4821&#48;377</id>", ("Helena", "randao", "377")),
    "JSON": (json.dumps({"patient": {"name": "Helena Brandao", "mrn": "4821"}}), ("Helena", "4821")),
}


async def outside(bundle: Bundle, body: dict[str, Any]) -> str:
    """Return what the outside model was sent, "" where nothing was."""
    analyzer = PresidioAnalyzer(bundle)
    script = Script(bundle, analyzer=analyzer)  # type: ignore[arg-type]  # the real one in the fake's place
    script.answers("Rest.")
    try:
        await script.send({"model": "gpt-5", **body})
    except PhigateError:
        assert script.external.calls == []
    await analyzer.close()
    return json.dumps([call[1] for call in script.external.calls], ensure_ascii=False)


@pytest.mark.parametrize("name", TEXTS)
async def test_no_disguise_of_a_text_gets_out(bundle: Bundle, name: str) -> None:
    text, words = TEXTS[name]
    sent = await outside(bundle, {"messages": [{"role": "user", "content": text}]})
    assert [word for word in words if json.dumps(word, ensure_ascii=False)[1:-1] in sent] == []


ARGUMENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a fraction of nothing": ('{"x": 48210377.0}', ("48210377",)),
    "a power": ('{"x": 4.8210377e7}', ("8210377",)),
    "a negative": ('{"x": -48210377}', ("48210377",)),
    "a short number by its key": ('{"mrn": 4821}', ("4821",)),
    "a list by its key": ('{"mrns": [4821, 4822]}', ("4821", "4822")),
    "a word by its key": ('{"patientName": "brandao"}', ("brandao",)),
    "pieces by their key": ('{"ssn": ["123", "45", "6789"]}', ("123", "6789")),
    "pieces side by side": ('{"a": "123-45-", "b": "6789"}', ("123-45", "6789")),
    "a key": ('{"Helena Brandao 123-45-6789": 1}', ("Helena", "6789")),
    "documents in documents": (
        json.dumps({"a": json.dumps({"b": json.dumps({"patient": "Helena Brandao", "mrn": "48210377"})})}),
        ("Helena", "48210377"),
    ),
    "a key twice": ('{"a": "Patient Helena Brandao", "a": "SSN 123-45-6789"}', ("Helena", "6789")),
    "no JSON": ("Patient Helena Brandao, MRN 48210377", ("Helena", "48210377")),
}


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_no_disguise_in_arguments_gets_out(bundle: Bundle, name: str) -> None:
    arguments, words = ARGUMENTS[name]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]
    sent = await outside(bundle, {"messages": messages})
    assert [word for word in words if word in sent] == []


FIELDS: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.48210377},
    "top_p": {"top_p": 0.48210377},
    "seed": {"seed": 48210377},
    "max_tokens": {"max_tokens": 48210377},
    "a bias": {"logit_bias": {"48210377": 1, "12": 48210377}},
    "top_k": {"top_k": 48210377},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 48210377}},
    "a tier": {"service_tier": "mrn 48210377", "verbosity": "48210377", "reasoning_effort": "48210377"},
    "stop": {"stop": ["4821-", "0377", "mrn 48210377"]},
    "metadata": {"metadata": {"mrn 48210377": "48210377"}, "user": "48210377", "safety_identifier": "48210377"},
    "a model": {"model": "mrn-48210377"},
    "an unknown field": {"mrn 48210377": 48210377},
}


@pytest.mark.parametrize("name", FIELDS)
async def test_no_field_carries_a_number_out(bundle: Bundle, name: str) -> None:
    sent = await outside(bundle, {"messages": [{"role": "user", "content": "What is sepsis?"}], **FIELDS[name]})
    assert [word for word in ("48210377", "4821-", "8210377") if word in sent] == []
