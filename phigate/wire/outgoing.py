"""The copy that leaves: edits applied at their sites, fields held to the allow-list, schemas given room for surrogates.

What findings become `deid` decides. What is not in OpenAI's schema is dropped and named by a pointer that holds no free
key. Ids that only join two places of the body are made anew, and a number of the API's own keeps no more digits than it
needs: neither carries anything out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from phigate.errors import InvalidRequestError
from phigate.phi import PHIText
from phigate.wire.chat_schema import ALWAYS, FIELDS, PASSABLE, SHOWN
from phigate.wire.json_schema import make_room
from phigate.wire.parts import Part
from phigate.wire.request import Box, ChatRequest, Nested, Site
from phigate.wire.strict import JSON, Number, dump, thaw
from phigate.wire.walk import shown

_NAMED_ONE_BY_ONE: Final = 16  # places; the list of what was dropped has to fit into a header
_TELLING_DIGITS: Final = 7  # significant digits from which a number may identify somebody
_KEPT_DIGITS: Final = 4  # of a fraction that has so many; no sampler can tell the difference


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A body for one external model: as Python values, as the bytes that these serialise to, and what was left out."""

    fields: dict[str, Any] = field(repr=False)  # Any: JSON ends here, litellm takes keywords
    body: bytes = field(repr=False)
    dropped: tuple[str, ...]


class _Copy:
    """A copy of a tree that remembers which copy each container has."""

    def __init__(self) -> None:
        self._twins: dict[int, Any] = {}

    def of(self, value: JSON) -> JSON:
        if isinstance(value, dict):
            members = {key: self.of(item) for key, item in value.items()}
            self._twins[id(value)] = members
            return members
        if isinstance(value, list):
            items = [self.of(item) for item in value]
            self._twins[id(value)] = items
            return items
        return value

    def twin(self, box: Box) -> Any:
        return self._twins[id(box)]


def leaves(site: Site, allow: frozenset[str]) -> bool:
    """Whether what stands at a site is in the copy that leaves: its field is allowed and the schema knows it."""
    return _passes(site.top, allow) and (not site.foreign or site.top not in FIELDS)


def _passes(name: str, allow: frozenset[str]) -> bool:
    return name in ALWAYS or (name in allow and name in PASSABLE)


def fitting(literal: str) -> str | None:
    """Return a number of the API's own as it may leave, None where it may not.

    With fewer than seven significant digits it leaves as it is. A fraction is rounded. An integer stays unless it is
    a bound of machine words, such as 2147483647.
    """
    digits = literal.lstrip("-").lower().partition("e")[0].replace(".", "").strip("0")
    if len(digits) < _TELLING_DIGITS:
        return literal
    if not Number(literal).integral:
        return f"{float(literal):.{_KEPT_DIGITS}g}"
    size = abs(int(literal)) if len(literal) <= _LONGEST_BOUND else 0
    return literal if size and (size & (size - 1) == 0 or size & (size + 1) == 0) else None


_LONGEST_BOUND: Final = 20  # characters of the largest integer of 64 bits


def scrubbed(
    request: ChatRequest,
    edits: Mapping[int, str],
    *,
    model: str,
    allow: frozenset[str],
    covers: frozenset[str],
    exact: bool = False,
) -> Outgoing:
    """Make the copy that leaves: ``edits`` gives parts their new text, ``allow`` names the fields that may pass.

    ``exact``: ids and numbers stay as they are, for a copy that a rule releases raw. Raises `InvalidRequestError` with
    code ``not_covered`` when the request asks for something that ``covers`` does not name, ``number_out_of_range`` when
    it holds a number that no double can hold.
    """
    missing = uncovered(request, covers)
    if missing:
        raise InvalidRequestError(
            f"expected only what the contract with the outside provider covers, found {', '.join(missing)}; leave it "
            "out, or have the operator name it under covers: in destinations.yaml once the contract does",
            code="not_covered",
            param="/tools" if missing[0] in _TOOLS else f"/{missing[0]}",
        )
    copy = _Copy()
    root = copy.of(request.origin.tree)
    assert isinstance(root, dict)
    live = {index: text for index, text in edits.items() if leaves(request.origin.sites[index], allow)}
    dropped = _set_values(request, live, copy)
    if not exact:
        dropped += _settle_numbers(request, live, copy, allow)
        _replace_ids(request, copy)
    renames = _renames(request, live)
    _close_documents(request, live, copy, renames)
    dropped += _drop_strays(request, copy, allow)
    for box, names in renames.get(None, []):
        _rename(copy.twin(box), names)
    out = {name: item for name, item in root.items() if _passes(name, allow)}
    dropped += [f"/{name}" if name in SHOWN else "/*" for name in root if not _passes(name, allow)]
    out["model"] = model
    if live:
        _make_room(out)
    return Outgoing(thaw(out), dump(out).encode(), _named(dropped))


def _named(dropped: list[str]) -> tuple[str, ...]:
    """Name each place once; where there are many, those that differ only by an index become one."""
    once = dict.fromkeys(dropped)
    if len(once) > _NAMED_ONE_BY_ONE:
        once = dict.fromkeys("/".join(["*" if s.isdigit() else s for s in place.split("/")]) for place in once)
    return tuple(once)


def _set_values(request: ChatRequest, edits: Mapping[int, str], copy: _Copy) -> list[str]:
    """Put new values in place. An edited number of a field that takes only numbers is left out and named."""
    dropped = []
    for nested in _documents(request, edits):
        copy.of(nested.tree)
    for index, text in edits.items():
        part, site = request.parts[index], request.origin.sites[index]
        if site.is_key:
            continue
        twin = copy.twin(site.box)
        if site.typed and isinstance(twin, dict):
            del twin[site.key]
            dropped.append(shown(part.pointer, SHOWN))
        else:
            twin[site.key] = text
    return dropped


def _settle_numbers(request: ChatRequest, edits: Mapping[int, str], copy: _Copy, allow: frozenset[str]) -> list[str]:
    """Hold the numbers of the API's own to what may leave of them. One that may not is left out and named."""
    dropped = []
    for part, site in zip(request.parts, request.origin.sites, strict=True):
        if not site.typed or part.index in edits or not leaves(site, allow):
            continue
        literal = part.text.reveal()
        fit = fitting(literal)
        if fit is None:
            del copy.twin(site.box)[site.key]
            dropped.append(shown(part.pointer, SHOWN))
        elif fit != literal:
            copy.twin(site.box)[site.key] = Number(fit)
    return dropped


def _replace_ids(request: ChatRequest, copy: _Copy) -> None:
    """Give every id that no model server made another one, the same wherever it stands."""
    fresh: dict[JSON, str] = {}
    for site in request.origin.sites:
        if site.replaced and isinstance(site.box, dict):
            copy.twin(site.box)[site.key] = fresh.setdefault(site.box[str(site.key)], _fresh_id(len(fresh)))


def _fresh_id(number: int) -> str:
    """Return the n-th id in the shape that servers give theirs, without a digit: it says nothing."""
    letters = ""
    while number or not letters:
        number, rest = divmod(number, 6)
        letters = "abcdef"[rest] + letters
    return f"call_{letters:a>32}"


def _documents(request: ChatRequest, edits: Mapping[int, str]) -> list[Nested]:
    """Return every string of JSON that an edit is in, innermost first."""
    found: dict[int, tuple[int, Nested]] = {}
    for index in edits:
        chain = []
        nested = request.origin.sites[index].nested
        while nested is not None:
            chain.append(nested)
            nested = nested.outer
        found.update({id(n): (len(chain) - up, n) for up, n in enumerate(chain)})
    return [nested for _, nested in sorted(found.values(), key=lambda pair: -pair[0])]


_Renames = dict[int | None, list[tuple[Box, dict[str, str]]]]  # by id of the string of JSON; None: the body itself


def _renames(request: ChatRequest, edits: Mapping[int, str]) -> _Renames:
    by_box: dict[int, dict[str, str]] = {}
    renames: _Renames = {}
    for index, text in edits.items():
        site = request.origin.sites[index]
        if not site.is_key:
            continue
        if id(site.box) not in by_box:
            names = by_box[id(site.box)] = {}
            renames.setdefault(None if site.nested is None else id(site.nested), []).append((site.box, names))
        by_box[id(site.box)][str(site.key)] = text
    return renames


def _rename(twin: dict[str, JSON], names: Mapping[str, str]) -> None:
    """Rename keys in place and in order. Two keys that become one get numbers, so that no value is lost."""
    taken = {key for key in twin if key not in names}
    items = list(twin.items())
    twin.clear()
    for key, item in items:
        new = fresh = names.get(key, key)
        if key in names:
            count = 1
            while fresh in taken:
                count += 1
                fresh = f"{new}~{count}"
            taken.add(fresh)
        twin[fresh] = item


def _close_documents(request: ChatRequest, edits: Mapping[int, str], copy: _Copy, renames: _Renames) -> None:
    """Write each changed document back into the string that held it, inner ones before those around them."""
    for nested in _documents(request, edits):
        for box, names in renames.get(id(nested), []):
            _rename(copy.twin(box), names)
        copy.twin(nested.box)[nested.key] = dump(copy.twin(nested.tree))


def _drop_strays(request: ChatRequest, copy: _Copy, allow: frozenset[str]) -> list[str]:
    """Take out what the schema does not know below the top, last to first so that places in lists hold."""
    dropped = []
    for stray in reversed(request.origin.strays):
        if stray.box is not request.origin.tree and _passes(stray.top, allow):
            del copy.twin(stray.box)[stray.key]
            dropped.append(stray.shown)
    return dropped[::-1]


def _make_room(out: dict[str, JSON]) -> None:
    for function in _functions(out):
        make_room(function.get("parameters"))
    make_room(_reply_format(out).get("schema"))


def _functions(tree: dict[str, JSON]) -> list[dict[str, JSON]]:
    tools, functions = tree.get("tools"), tree.get("functions")
    listed = [t.get("function") for t in tools if isinstance(t, dict)] if isinstance(tools, list) else []
    listed += functions if isinstance(functions, list) else []
    return [function for function in listed if isinstance(function, dict)]


def _reply_format(tree: dict[str, JSON]) -> dict[str, JSON]:
    asked = tree.get("response_format")
    inner = asked.get("json_schema") if isinstance(asked, dict) else None
    return inner if isinstance(inner, dict) else {}


def schemas(request: ChatRequest) -> tuple[dict[str, Any], Any]:
    """Return the original schemas that restored values must meet: by function name, and of the reply itself or None."""
    functions = _functions(request.origin.tree)
    by_name = {name: thaw(f.get("parameters")) for f in functions if isinstance(name := f.get("name"), str)}
    return by_name, thaw(_reply_format(request.origin.tree).get("schema"))


def outgoing_parts(
    request: ChatRequest, edits: Mapping[int, str], *, allow: frozenset[str] | None = None
) -> tuple[Part, ...]:
    """Return the parts with their new text, for the re-scan; with ``allow``, only those in the copy that leaves."""
    kept = []
    for part, site in zip(request.parts, request.origin.sites, strict=True):
        text = edits.get(part.index)
        if allow is not None:
            if not leaves(site, allow) or part.pointer == "/model" or site.replaced:
                continue
            if site.typed:
                text = None if text is not None else fitting(part.text.reveal())
                if text is None or sum(map(str.isdigit, text)) < _TELLING_DIGITS:
                    continue
        kept.append(part if text is None else Part(part.index, part.pointer, PHIText(text), part.kind, part.role))
    return tuple(kept)


# Asking for these makes the provider keep or pass on what it was sent, so a contract must name them (decisions 13).
_NEEDS_COVER: Final = ("store", "prompt_cache_retention", "prompt_cache_options", "web_search_options")
_TOOLS: Final = ("mcp", "hosted_tools")
COVERABLE: Final = frozenset({*_NEEDS_COVER, *_TOOLS})


def uncovered(request: ChatRequest, covers: frozenset[str]) -> tuple[str, ...]:
    """Return what the request asks for that ``covers`` does not name: fields, ``mcp`` or ``hosted_tools``."""
    tree = request.origin.tree
    asked = [name for name in _NEEDS_COVER if tree.get(name) not in (None, False)]
    tools = tree.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in ("function", "custom"):
            asked.append("mcp" if kind == "mcp" else "hosted_tools")
    return tuple(dict.fromkeys(name for name in asked if name not in covers))
