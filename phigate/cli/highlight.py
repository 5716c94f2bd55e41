"""Shows a text with its findings: colours in a terminal, or a page of HTML that loads nothing."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import click

_COLOURS = {
    "PERSON": "red",
    "NAME": "red",
    "DATE": "cyan",
    "DOB": "cyan",
    "AGE": "blue",
    "STREET": "green",
    "CITY": "green",
}
_STYLE = """body{font:15px/1.6 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}
pre{white-space:pre-wrap;font:inherit;border-bottom:1px solid #ccc;padding-bottom:1em}
mark{padding:.1em .2em;border-radius:.2em;background:#fde2a7}
mark[data-family=person]{background:#f7b7b2}mark[data-family=date]{background:#bfe3f2}mark[data-family=geo]{background:#c9e8c4}
mark small{font-size:.65em;opacity:.75;margin-left:.3em}"""


def _pieces(text: str, findings: Sequence[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any] | None]]:
    """Cut a text at its findings; where they overlap the first and longest shows."""
    at = 0
    for finding in sorted(findings, key=lambda f: (f["start"], -f["end"])):
        if finding["start"] < at:
            continue
        yield text[at : finding["start"]], None
        yield text[finding["start"] : finding["end"]], finding
        at = finding["end"]
    yield text[at:], None


def as_terminal(text: str, findings: Sequence[dict[str, Any]]) -> str:
    """Return the text with coloured findings and their types."""
    shown = []
    for piece, finding in _pieces(text, findings):
        if finding is None:
            shown.append(piece)
        else:
            kind = finding["entity_type"]
            colour = next((c for name, c in _COLOURS.items() if name in kind), "yellow")
            shown.append(click.style(piece, fg=colour, bold=True) + click.style(f"[{kind}]", dim=True))
    return "".join(shown)


def _family(kind: str) -> str:
    if "PERSON" in kind or "NAME" in kind:
        return "person"
    if kind in {"DATE", "DOB", "AGE"}:
        return "date"
    return "geo" if kind in {"STREET", "CITY", "COUNTY", "LOCATION", "ZIP", "BR_CEP", "GEOCODE"} else "id"


def as_html(answers: Iterable[tuple[str, Sequence[dict[str, Any]]]]) -> str:
    """Return one page over all texts; everything in it is escaped."""
    bodies = []
    for text, findings in answers:
        shown = []
        for piece, finding in _pieces(text, findings):
            safe = html.escape(piece)
            if finding is None:
                shown.append(safe)
            else:
                kind = html.escape(finding["entity_type"])
                title = html.escape(f"{finding['layer']}: {finding['rule']}, score {finding['score']:.2f}")
                family = _family(finding["entity_type"])
                shown.append(f'<mark data-family="{family}" title="{title}">{safe}<small>{kind}</small></mark>')
        bodies.append(f"<pre>{''.join(shown)}</pre>")
    return f'<!doctype html><meta charset="utf-8"><title>phigate detect</title><style>{_STYLE}</style>{"".join(bodies)}'
