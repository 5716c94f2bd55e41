"""Values in HL7 v2 segments, in tables with a header row (CSV, TSV, Markdown), and in headers of mails and chats."""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.labels import kinds_of_key
from phigate.analyzers.layers import Hint
from phigate.analyzers.shapes.markup import PREFERENCE

_SEGMENT: Final = re.compile(r"^(?:\x0b)?([A-Z][A-Z0-9]{2})\|", re.MULTILINE)
_LINE: Final = re.compile(r"[^\r\n]+")
_ADDRESS: Final = ("street", "street", "city", "location", "zip", "location", "", "", "county")
_PROVIDER: Final = ("license", "clinician", "clinician", "clinician")
_PERSON: Final = ("person", "person", "person")
_RELATIVE: Final = ("relative", "relative", "relative")
# Segment -> field number -> kinds of its components. HL7 v2.5.1 chapters 2, 3, 4, 6, 7.
_HL7: Final[dict[str, dict[int, tuple[str, ...]]]] = {
    "MSH": {7: ("date",), 10: ("case",)},
    "EVN": {2: ("date",), 5: _PROVIDER, 6: ("date",)},
    "PID": {
        2: ("mrn",), 3: ("mrn",), 4: ("mrn",), 5: _PERSON, 6: _RELATIVE, 7: ("dob",), 9: _PERSON, 11: _ADDRESS,
        12: ("county",), 13: ("phone", "", "", "email"), 14: ("phone",), 18: ("account",), 19: ("ssn",), 20: ("license",),
        21: ("id",), 23: ("city",), 29: ("date",),
    },
    "PD1": {3: ("org",), 4: _PROVIDER},
    "NK1": {2: _RELATIVE, 4: _ADDRESS, 5: ("phone",), 6: ("phone",), 13: ("org",), 16: ("dob",), 30: _RELATIVE, 31: ("phone",), 33: ("id",), 37: ("ssn",)},
    "MRG": {1: ("mrn",), 2: ("mrn",), 3: ("account",), 4: ("mrn",), 7: _PERSON},
    "PV1": {7: _PROVIDER, 8: _PROVIDER, 9: _PROVIDER, 17: _PROVIDER, 19: ("case",), 44: ("date",), 45: ("date",), 50: ("case",), 52: _PROVIDER},
    "PV2": {8: ("date",), 9: ("date",)},
    "GT1": {2: ("id",), 3: _PERSON, 4: _PERSON, 5: _ADDRESS, 6: ("phone",), 7: ("phone",), 8: ("dob",), 12: ("ssn",), 16: ("org",), 19: ("id",)},
    "IN1": {2: ("plan",), 3: ("plan",), 4: ("org",), 8: ("plan",), 16: _PERSON, 18: ("dob",), 19: _ADDRESS, 36: ("plan",), 49: ("id",)},
    "IN2": {1: ("id",), 2: ("ssn",), 6: ("plan",), 8: ("plan",), 61: ("plan",)},
    "ORC": {2: ("case",), 3: ("case",), 4: ("case",), 9: ("date",), 10: _PROVIDER, 11: _PROVIDER, 12: _PROVIDER, 14: ("phone",)},
    "OBR": {2: ("case",), 3: ("case",), 6: ("date",), 7: ("date",), 8: ("date",), 10: _PROVIDER, 14: ("date",), 16: _PROVIDER, 17: ("phone",), 18: ("case",), 22: ("date",), 28: _PROVIDER, 32: ("clinician", "clinician"), 36: ("date",)},
    "OBX": {14: ("date",), 16: _PROVIDER, 18: ("device",), 19: ("date",), 23: ("org",), 24: _ADDRESS, 25: _PROVIDER},
    "TXA": {4: ("date",), 5: _PROVIDER, 9: _PROVIDER, 10: _PROVIDER, 12: ("case",)},
    "SCH": {1: ("case",), 2: ("case",), 11: ("date",), 12: _PROVIDER, 16: _PROVIDER},
    "AIP": {3: _PROVIDER}, "ROL": {4: _PROVIDER, 11: _ADDRESS, 12: ("phone",)}, "PRD": {2: ("clinician",) * 3, 3: _ADDRESS, 5: ("phone",)},
    "ACC": {1: ("date",)}, "DG1": {5: ("date",), 16: _PROVIDER}, "PR1": {5: ("date",), 8: _PROVIDER, 11: _PROVIDER},
    "RXA": {3: ("date",), 4: ("date",), 10: _PROVIDER, 15: ("device",)}, "SPM": {2: ("case",), 17: ("date",), 18: ("date",)},
}  # fmt: skip
_REPEATS: Final = re.compile(r"[^~]+")


def hl7_hints(text: str) -> list[Hint]:
    """Return hints for the fields of known segments; empty for a text that is not HL7 v2."""
    first = _SEGMENT.search(text)
    if first is None:
        return []
    names = {m.group(1) for m in _SEGMENT.finditer(text)}
    if not names & {"MSH", "PID", "PV1", "NK1", "OBR", "IN1", "GT1", "MRG"}:
        return []
    hints: list[Hint] = []
    for line in _LINE.finditer(text):
        at = line.start() + (1 if text[line.start()] == "\x0b" else 0)
        name = text[at : at + 3]
        table = _HL7.get(name)
        if table is None or text[at + 3 : at + 4] != "|":
            continue
        number = 1 if name == "MSH" else 0  # MSH-1 is the separator itself
        start = at
        while start <= line.end():
            stop = text.find("|", start, line.end())
            stop = line.end() if stop < 0 else stop
            if number in table:
                for repeat in _REPEATS.finditer(text, start, stop):
                    hints += _components(text, repeat.start(), repeat.end(), table[number])
            start, number = stop + 1, number + 1
    return hints


def _components(text: str, start: int, stop: int, kinds: tuple[str, ...]) -> list[Hint]:
    hints: list[Hint] = []
    for kind in kinds:
        end = text.find("^", start, stop)
        end = stop if end < 0 else end
        if kind and any(c.isalnum() for c in text[start:end]):
            hints.append(Hint(start, end, kind))
        start = end + 1
        if start > stop:
            break
    return hints


_LONGEST_HEADER: Final = 2000
_DELIMITERS: Final = "|\t;,"
_RULE_ROW: Final = re.compile(r"[\s|:+=-]+\Z")


def _cells(text: str, start: int, end: int, delimiter: str) -> list[tuple[int, int]]:
    """Cut a line at the delimiter, quotes respected; each cell without its quotes and outer white space."""
    cells: list[tuple[int, int]] = []
    at = begin = start
    quoted = False
    if '"' not in text[start:end] or delimiter != ",":
        while at <= end:
            stop = text.find(delimiter, at, end)
            stop = end if stop < 0 else stop
            cells.append((at, stop))
            at = stop + 1
    else:
        for at in range(start, end + 1):
            if at == end or (text[at] == delimiter and not quoted):
                cells.append((begin, at))
                begin = at + 1
            elif text[at] == '"':
                quoted = not quoted
    return [_trimmed(text, s, e) for s, e in cells]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in " \t\"'*`":
        start += 1
    while end > start and text[end - 1] in " \t\"'*`\r":
        end -= 1
    return start, end


def _kind_of_column(name: str) -> str:
    if not 0 < len(name) <= 40 or name.replace(".", "").isdigit():
        return ""
    kinds = kinds_of_key(name)
    if not kinds and _NUMBER_COLUMN.search(name):
        return "id"
    return next((kind for kind in PREFERENCE if kind in kinds), "")


def table_hints(text: str) -> list[Hint]:
    """Return hints for the columns of tables whose header row names at least one kind of value."""
    hints: list[Hint] = []
    header: list[str] = []
    delimiter = ""
    for line in _LINE.finditer(text):
        start, end = line.span()
        if header:
            if _RULE_ROW.match(text, start, end):
                continue
            cells = _cells(text, start, end, delimiter)
            if len(cells) == len(header):
                hints += _row(text, cells, header)
                continue
        header, delimiter = _header(text, start, end)
    return hints


def _row(text: str, cells: list[tuple[int, int]], header: list[str]) -> list[Hint]:
    return [
        Hint(start, end, kind)
        for (start, end), kind in zip(cells, header, strict=True)
        if kind and any(c.isalnum() for c in text[start:end])
    ]


def _header(text: str, start: int, end: int) -> tuple[list[str], str]:
    """Return the kinds of a header row's columns and its delimiter; nothing where the line is no header."""
    if end - start > _LONGEST_HEADER:
        return [], ""
    for delimiter in _DELIMITERS:
        if text.count(delimiter, start, end) >= (2 if delimiter == "," and " " in text[start:end] else 1):
            names = [text[s:e] for s, e in _cells(text, start, end, delimiter)]
            kinds = [_kind_of_column(name) for name in names]
            return (kinds, delimiter) if _is_header(names, kinds) else ([], "")
    return [], ""


def _is_header(names: list[str], kinds: list[str]) -> bool:
    """Return whether a row has short cells without runs of digits, and at least one name that labels know."""
    filled = [n for n in names if n]
    return (
        len(filled) >= 2
        and any(kinds)
        and all(len(n) <= 40 and len(n.split()) <= 5 and not any(c in n for c in ":@.?!") for n in filled)
        and not any(sum(c.isdigit() for c in n) > 2 for n in filled)
    )


# "Hosp #", "Dossiernr.", "N° venue": a column of numbers, whatever they number.
_NUMBER_COLUMN: Final = re.compile(r"#\Z|(?:nr|nummer|number)\.?\Z|\A(?:n[º°o]|nr|num)\b", re.IGNORECASE)
_HEADER: Final = re.compile(
    r"^[ \t>]{0,8}+(?:from|to|cc|bcc|sender|reply-to|von|an|de|para|da|a|van|aan|À|expediteur|destinatario|destinataire|remetente|absender|empfänger|mittente)"
    r"[ \t]?:[ \t]{1,4}([^\r\n]{2,200})$",
    re.MULTILINE | re.IGNORECASE,
)
_MAIL_NAME: Final = re.compile(r"\"?([^\W\d_][^<>\",;\n@]{1,60}?)\"?\s{0,2}(?=<[^<>\s]{3,80}>)")
_CHAT: Final = re.compile(
    r"^\[?\d{1,4}[./-]\d{1,2}[./-]\d{1,4},?[ \t]\d{1,2}:\d{2}(?::\d{2})?(?:[ \t]?[AaPp]\.?[Mm]\.?)?\]?[ \t]?-?[ \t]?([^\W\d_][^:\n]{1,40}):[ \t]",
    re.MULTILINE,
)


def header_hints(text: str) -> list[Hint]:
    """Return hints for names in mail headers and for the speakers of exported chats."""
    hints: list[Hint] = []
    for match in _HEADER.finditer(text):
        names = _MAIL_NAME.finditer(text, match.start(1), match.end(1))
        hints += [Hint(name.start(1), name.end(1), "person") for name in names]
    hints += [Hint(match.start(1), match.end(1), "person") for match in _CHAT.finditer(text)]
    return hints
