"""Identifiers of every country: e-mail, URL, addresses of machines, UUID, IBAN, card, crypto wallet.

An at-sign between two names is an e-mail on any domain: nothing is looked up, and no public suffix is asked for. Each
pattern starts at a rare character and runs one way with bounded repeats, so a megabyte of at-signs costs no more
than prose.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers import checks
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.spec import Spec, spec
from phigate.finding import EntityType as T
from phigate.finding import Finding

_LOCAL: Final = re.compile(r"[^\s@<>\"'()\[\]{},;:|=]{1,64}\Z")
_DOMAIN: Final = re.compile(
    r"(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.){0,8}[^\W_](?:[\w-]{0,62}[^\W_])?|\[[0-9A-Fa-f.:]{3,45}\]"
)
# "john at gmail dot com", "john [at] gmail [dot] com": the name is looked for to the left of a hit.
_AT_WORD: Final = re.compile(
    r" (?:at|arroba|chiocciola|arobase) [a-z0-9-]{2,63}(?:(?: (?:dot|ponto|punto|punkt) [a-z0-9-]{2,63}){1,4}|\.(?:com|org|net|edu|gov|br|pt|es|fr|de|it|nl|uk)(?![a-z0-9]))"
    r"|[ ]?[\[({<][ ]?(?:at|arroba|chiocciola|arobase)[ ]?[\])}>][ ]?[a-z0-9-]{1,63}(?:(?:\.|[ ]?[\[({<][ ]?(?:dot|ponto|punto|point|punkt)[ ]?[\])}>][ ]?)[a-z0-9-]{1,63}){1,5}"
)
_AT_WORDS: Final = frozenset({"at", "arroba", "chiocciola", "arobase"})
_DOT_WORDS: Final = frozenset(
    {"dot", "ponto", "punto", "point", "punkt", "com", "org", "net", "edu", "gov", "br", "pt", "es", "fr", "de", "it", "nl", "uk"}
)  # fmt: skip
_NAME_BEFORE: Final = re.compile(
    r"(?:(?<![a-z0-9])[a-z0-9_.+-]{1,30} (?:dot|ponto|punto|point|punkt|underscore|underline) ){0,3}(?<![a-z0-9_.+-])[a-z0-9_.+-]{1,64}\Z"
)
_URL: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}+://|www\.)[^\s<>\"'`{}|\\^\[\]]{2,2048}+", re.IGNORECASE)
_TLD: Final = (
    r"(?:com|org|net|edu|gov|mil|info|biz|app|dev|online|site|health|care|clinic|io"
    r"|br|pt|es|fr|de|it|nl|uk|us|eu|ch|at|be|mx|ar|co|cl|pe)(?![\w-])"
)
_BARE_DOMAIN: Final = re.compile(
    rf"(?<![\w@.-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,40}}[A-Za-z0-9])?\.){{1,5}}{_TLD}(?:/[^\s<>\"']{{0,500}})?"
)
# In prose a blank follows a full stop; looking for one without costs a fraction of looking for domains.
_DOT_HINT: Final = re.compile(rf"\.{_TLD}")
_VERSIONS: Final = frozenset(
    {"version", "versao", "versie", "v", "ver", "release", "build", "firmware", "ec", "sw", "driver"}
)
_IPV4_HINT: Final = re.compile(r"\.\d{1,3}\.\d")
_IPV4: Final = re.compile(
    r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d|\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d|\d)(?:/\d{1,2})?(?![\w]|\.\d)"
)
_IPV6: Final = re.compile(
    r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{1,4}){0,6}(?![\w:])|(?<![\w:])::(?:[0-9A-Fa-f]{1,4}:){0,6}[0-9A-Fa-f]{1,4}(?![\w:])|(?<![\w:])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5}::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?(?![\w:])"
)
_MAC: Final = re.compile(
    r"(?<![\w:-])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?:(?:\1[0-9A-Fa-f]{2}){2})?(?![\w:-])|(?<![\w.])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.])"
)
_MAC_HINT: Final = re.compile(
    r"[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"
)
_IPV6_HINT: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_UUID_HINT: Final = re.compile(r"-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-")
_IBAN_HINT: Final = re.compile(r"\d\d(?<=[A-Za-z]{2}\d\d)(?<![A-Za-z]{3}\d\d)")
_UUID: Final = re.compile(r"(?<!\w)[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?!\w)")
_IBAN: Final = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,4})?(?!\w)")
_CRYPTO: Final = re.compile(
    r"(?<!\w)(?:bc1[02-9ac-hj-np-z]{25,62}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9A-Fa-f]{40})(?!\w)"
)
_SHORTEST_WALLET: Final = 26
_HANDLE: Final = re.compile(r"(?<![\w@.])@[A-Za-z_][\w.]{2,30}")
_TIME_LIKE: Final = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
# Namespaces of health standards: they name a system, never a person, and stand in every FHIR resource.
_NAMESPACE: Final = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:hl7\.org|loinc\.org|snomed\.info|w3\.org|nlm\.nih\.gov|unitsofmeasure\.org|dicom\.nema\.org|"
    r"who\.int|ama-assn\.org|cms\.gov|ihe\.net|healthit\.gov|example\.org/fhir|saude\.gov\.br/fhir|doi\.org)(?:[/:?#]|$)"
)
_TRAILING: Final = ".,;:!?)'\"*_~"

SPECS: Final[tuple[Spec, ...]] = (
    spec("card", T.CARD, "card account", r"\d{12,19}", r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{5}",
         lengths=(12, 13, 14, 15, 16, 17, 18, 19), check=checks.card, formatted=0.95, plain=0.8, wrong=0.65),
)  # fmt: skip


def _emails(view: View) -> list[Finding]:
    text = view.shadow
    found: list[Finding] = []
    at = text.find("@")
    done = 0
    while at >= 0:
        local = _LOCAL.search(text, max(done, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            start, end = local.start(), domain.end()
            while start < at and text[start] in "./-":
                start += 1
            if start < at:
                found.append(Finding(start, end, T.EMAIL, 0.95 if "." in domain.group() else 0.7, "generic:email"))
                done = end
        at = text.find("@", at + 1)
    spoken = not (_AT_WORDS.isdisjoint(view.words) or _DOT_WORDS.isdisjoint(view.words))
    for match in _AT_WORD.finditer(view.folded) if spoken else ():
        start = match.start()
        name = _NAME_BEFORE.search(view.folded, max(0, start - 64), start)
        if name is not None:
            found.append(Finding(name.start(), match.end(), T.EMAIL, 0.8, "generic:email_spoken"))
    return found


def _urls(view: View) -> list[Finding]:
    text = view.shadow
    found: list[Finding] = []
    if "://" in text or "www." in view.folded:
        for match in _URL.finditer(text):
            end = match.end()
            while text[end - 1] in _TRAILING:
                end -= 1
            host = match.group().split("://", 1)[-1].lower()
            score = 0.2 if _NAMESPACE.match(host) else 0.9
            found.append(Finding(match.start(), end, T.URL, score, "generic:url"))
    if _DOT_HINT.search(text):
        found += [
            Finding(m.start(), m.end(), T.URL, 0.2 if _NAMESPACE.match(m.group().lower()) else 0.55, "generic:domain")
            for m in _BARE_DOMAIN.finditer(text)
        ]
    return found


def _is_version(view: View, start: int) -> bool:
    """Whether the word before says that numbers with full stops are a version or a class: "version 3.4.21.5", EC."""
    at = view.word_before(start)
    return at >= 0 and start - view.ends[at] <= 2 and view.words[at] in _VERSIONS


def _machines(view: View) -> list[Finding]:
    text = view.shadow
    found: list[Finding] = []
    if _IPV4_HINT.search(text):
        found += [
            Finding(match.start(), match.end(), T.IP_ADDRESS, 0.2 if _is_version(view, start) else 0.85, "generic:ipv4")
            for start in view.digit_starts()
            if (match := _IPV4.match(text, start))
        ]
    if _IPV6_HINT.search(text):
        for match in _IPV6.finditer(text):
            value = match.group()
            if not _TIME_LIKE.fullmatch(value) and ("::" in value or value.count(":") == 7) and len(value) > 4:
                found.append(Finding(match.start(), match.end(), T.IP_ADDRESS, 0.85, "generic:ipv6"))
    if _MAC_HINT.search(text):
        found += [Finding(m.start(), m.end(), T.MAC, 0.9, "generic:mac") for m in _MAC.finditer(text)]
    if _UUID_HINT.search(text):
        found += [Finding(m.start(), m.end(), T.UUID, 0.95, "generic:uuid") for m in _UUID.finditer(text)]
    return found


def _money(view: View) -> list[Finding]:
    found: list[Finding] = []
    for match in _IBAN.finditer(view.shadow) if _IBAN_HINT.search(view.shadow) else ():
        compact = re.sub(r"[ -]", "", match.group()).upper()
        if 15 <= len(compact) <= 34 and sum(c.isdigit() for c in compact) >= 8:
            right = checks.iban(compact)
            found.append(Finding(match.start(), match.end(), T.IBAN, 0.98 if right else 0.4, "generic:iban"))
    if max(map(len, view.words), default=0) < _SHORTEST_WALLET:
        return found
    for match in _CRYPTO.finditer(view.shadow):
        value = match.group()
        if any(c.isdigit() for c in value) and (value[:2] in {"0x", "bc"} or not value.isdigit()):
            found.append(Finding(match.start(), match.end(), T.ACCOUNT, 0.6, "generic:wallet"))
    return found


def find_anchored(view: View) -> list[Finding]:
    """Return what a rare character gives away: e-mail, URL, machine addresses, IBAN, wallets, handles."""
    found = [*_emails(view), *_urls(view), *_machines(view), *_money(view)]
    if "@" in view.shadow:
        found += [Finding(m.start(), m.end(), T.USERNAME, 0.6, "generic:handle") for m in _HANDLE.finditer(view.shadow)]
    return found
