"""All layers over all texts of one exchange, in order: language, local findings, memory, decision.

Plain functions and one object, no event loop: `presidio` runs it on a thread, ``phigate detect`` on processes. What a
part says alone is cached under a keyed hash; what the exchange says together is worked out each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from presidio_analyzer import AnalyzerEngine

from phigate.analysis import PartAnalysis, Unread
from phigate.analyzers import pipeline
from phigate.analyzers.addresses import join_addresses
from phigate.analyzers.cache import FindingCache, Local
from phigate.analyzers.decision import settle
from phigate.analyzers.encoded import find_encoded
from phigate.analyzers.engine import PhigateArtifacts, PhigateNlpEngine, findings_of
from phigate.analyzers.escapes import find_escaped
from phigate.analyzers.language import language_of, settle_languages
from phigate.analyzers.layers import Hint, Options, View
from phigate.analyzers.memory import Memory, common_words
from phigate.analyzers.second import LANGUAGE as SECOND_LANGUAGE
from phigate.analyzers.second import presidio_patterns
from phigate.analyzers.shadow import fold, has_lone_surrogate, view_of
from phigate.analyzers.shapes import hints_of
from phigate.analyzers.spelled import find_spelled
from phigate.finding import EntityType, Finding

# Presidio's patterns score bare shapes from 0.01 on; below this they would redact every run of digits.
_PRESIDIO_FLOOR: Final = 0.3
_NLP: Final = PhigateNlpEngine()


@dataclass(frozen=True, slots=True)
class Text:
    """One text to examine. ``kind`` is what its key or field says of the whole, "" for nothing."""

    text: str
    kind: str = ""
    lang: str = ""  # known from outside, "" to find out


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one text may take: a clock in seconds, and its limit. Checked between layers."""

    clock: Callable[[], float] = time.monotonic
    seconds: float = 60.0


class PartTimeoutError(Exception):
    """One text took longer than its budget."""


@dataclass(slots=True)
class _Seen:
    """One text on its way: what is known, and the view where somebody needed one."""

    text: Text
    view: View | None = None
    local: Local | None = None
    lang: str = ""
    found: tuple[Finding, ...] = ()
    unread: frozenset[Unread] = frozenset()


class Examiner:
    """Examines exchanges under one set of options.

    Several threads may use one: the cache does one dictionary operation at a time, and all else is local to a call.
    """

    def __init__(
        self,
        options: Options,
        *,
        cache: FindingCache | None = None,
        engine: AnalyzerEngine | None = None,
        context: str = "",
    ) -> None:
        self._options = options
        self._cache = cache
        self._engine = engine  # None: the hot path, which the registry's holding our recognizers alone permits
        self._context = context

    def examine(
        self,
        texts: Sequence[Text],
        *,
        budget: Budget | None = None,
        recall: bool = False,
        on_part: Callable[[int], None] | None = None,
        failed: Callable[[int, Exception], None] | None = None,
    ) -> list[PartAnalysis]:
        """Return one analysis per text, same order, findings of any score, offsets into the texts as given.

        A text that raises or takes too long is unread for that reason; the others are not affected. ``failed`` hears of
        every exception, which must not be logged with its message: it may hold text.
        """
        budget = budget or Budget()
        seen = [_Seen(text) for text in texts]
        for n, item in enumerate(seen):
            if on_part is not None:
                on_part(n)
            self._guard(n, item, lambda item=item: self._languages(item), failed)  # type: ignore[misc]
        views = [s.view or _EMPTY for s in seen]
        for item, lang in zip(seen, settle_languages(views, [s.lang for s in seen]), strict=True):
            item.lang = lang
        for n, item in enumerate(seen):
            if on_part is not None:
                on_part(n)
            if not item.unread & {Unread.FAILED, Unread.TIMEOUT}:
                self._guard(n, item, lambda item=item: self._local(item, budget, recall=recall), failed)  # type: ignore[misc]
        self._together(seen, failed)
        return [self._analysis(item) for item in seen]

    def is_little(self, texts: Sequence[Text], *, new: int, whole: int) -> bool:
        """Return whether these texts are few characters, and fewer still that no call has seen.

        Never where others' recognizers run: what they take nobody knows.
        """
        if self._engine is not None or sum(len(text.text) for text in texts) > whole:
            return False
        known = self._cache
        unseen = (t for t in texts if known is None or known.get(known.digest(t.text, "language")) is None)
        return sum(len(text.text) for text in unseen) <= new

    def _guard(
        self, n: int, item: _Seen, step: Callable[[], None], failed: Callable[[int, Exception], None] | None
    ) -> None:
        try:
            step()
        except PartTimeoutError:
            item.unread |= {Unread.TIMEOUT}
        except Exception as error:  # noqa: BLE001 - the border to foreign code, see below
            # Plug-ins and site recognizers may raise anything. Narrower, one of them would end the exchange with a
            # traceback that may hold text; here its part is unread, which keeps the request at home.
            item.unread |= {Unread.FAILED}
            if failed is not None:
                failed(n, error)

    def _languages(self, item: _Seen) -> None:
        text = item.text.text
        item.view = view_of(text)
        item.lang, foreign, lone = self._language(text, item.view)
        if item.text.lang:
            item.lang = item.text.lang
        if foreign:
            item.unread |= {Unread.LANGUAGE}
        if lone:
            item.unread |= {Unread.DECODE}

    def _language(self, text: str, view: View) -> tuple[str, bool, bool]:
        """Return language, whether it is surely foreign, and whether lone surrogates stand in it; texts come back."""
        if self._cache is None:
            return (*language_of(view), has_lone_surrogate(text))
        digest = self._cache.digest(text, "language")
        known = self._cache.get(digest)
        if known is None:
            lang, foreign = language_of(view)
            known = Local((), lang, foreign=foreign, undecodable=has_lone_surrogate(text))
            self._cache.put(digest, known)
        return known.lang, known.foreign, known.undecodable

    def _local(self, item: _Seen, budget: Budget, *, recall: bool) -> None:
        assert item.view is not None
        view = item.view
        view.lang = item.lang
        view.recall = recall
        digest = b""
        if self._cache is not None:
            context = f"{self._context}|{item.lang}|{item.text.kind}|{recall:d}"
            digest = self._cache.digest(item.text.text, context)
            item.local = self._cache.get(digest)
            if item.local is not None:
                item.found = item.local.findings
                return
        end = budget.clock() + budget.seconds
        found: list[Finding] = []
        for step in self._steps(view, item.text.kind, recall=recall):
            found += step()
            if budget.clock() > end:
                raise PartTimeoutError
        found += join_addresses(view, found)
        item.found = settle(f for f in found if f.score >= pipeline.FLOOR)
        if self._cache is not None:
            self._cache.put(digest, Local(item.found, item.lang, foreign=False, undecodable=False))

    def _steps(self, view: View, kind: str, *, recall: bool) -> list[Callable[[], list[Finding]]]:
        def shape() -> list[Finding]:
            whole = (Hint(0, len(view.shadow), kind),) if kind and len(view.shadow) <= 200 else ()
            view.hints = whole or hints_of(view)
            return []

        steps: list[Callable[[], list[Finding]]] = [shape]
        if self._engine is None:
            steps += [lambda: pipeline.find_patterns(view), lambda: pipeline.find_names(view)]
        else:
            steps.append(lambda: self._by_engine(view))
        steps += [lambda: find_encoded(view), lambda: find_escaped(view), lambda: find_spelled(view)]
        if recall:
            steps.append(lambda: _by_presidio(view))
        return steps

    def _by_engine(self, view: View) -> list[Finding]:
        """Let Presidio run our recognizers and the others over the shadow copy."""
        assert self._engine is not None
        plain = replace(view, raw=view.shadow, offsets=None)
        language = view.lang or SECOND_LANGUAGE
        artifacts = PhigateArtifacts(plain, _NLP, language)
        results = self._engine.analyze(
            view.shadow, language, nlp_artifacts=artifacts, return_decision_process=True, score_threshold=0.0
        )
        return findings_of(results, len(view.shadow))

    def _together(self, seen: Sequence[_Seen], failed: Callable[[int, Exception], None] | None) -> None:
        memory = Memory()
        for item in seen:
            if item.view is not None and item.found:
                memory.learn(item.view, item.found)
        for n, item in enumerate(seen):
            if item.view is not None:
                self._guard(n, item, lambda item=item: self._recalled(item, memory), failed)  # type: ignore[misc]

    def _recalled(self, item: _Seen, memory: Memory) -> None:
        assert item.view is not None
        found = [*item.found, *memory.recall(item.view, item.found, common_words())]
        found += _denied(item.view, self._options.deny)
        item.found = settle(f for f in found if not self._allowed(item.view, f))

    def _allowed(self, view: View, finding: Finding) -> bool:
        if not self._options.allow:
            return False
        return view.folded[finding.start : finding.end].strip(" .,;:()") in self._options.allow

    def _analysis(self, item: _Seen) -> PartAnalysis:
        if item.view is None:
            return PartAnalysis((), "", item.unread)
        found = []
        for finding in item.found:
            start, end = item.view.original(finding.start, finding.end)
            found.append(replace(finding, start=start, end=end) if item.view.offsets is not None else finding)
        return PartAnalysis(tuple(found), item.lang, item.unread)


_EMPTY: Final = view_of("")


def _by_presidio(view: View) -> list[Finding]:
    if not any(c.isdigit() for c in view.shadow):
        return []
    plain = replace(view, raw=view.shadow, offsets=None)
    artifacts = PhigateArtifacts(plain, _NLP, SECOND_LANGUAGE)
    results = presidio_patterns().analyze(
        view.shadow, SECOND_LANGUAGE, nlp_artifacts=artifacts, return_decision_process=True
    )
    return [f for f in findings_of(results, len(view.shadow)) if f.score >= _PRESIDIO_FLOOR]


def _denied(view: View, deny: Sequence[tuple[str, EntityType]]) -> list[Finding]:
    """Find the site's own words wherever they stand as words."""
    found: list[Finding] = []
    for phrase, entity_type in deny:
        at = view.folded.find(phrase)
        while at >= 0:
            end = at + len(phrase)
            before, after = view.folded[at - 1 : at], view.folded[end : end + 1]
            if not before.isalnum() and not after.isalnum():
                found.append(Finding(at, end, entity_type, 1.0, "site:deny"))
            at = view.folded.find(phrase, end)
    return found


def options_of(*, knob: str, allow: Sequence[str], deny: Mapping[str, EntityType]) -> Options:
    """Fold the lists of a site once."""
    return Options(
        knob=knob,
        allow=frozenset(fold(word.strip()) for word in allow),
        deny=tuple((fold(word.strip()), entity_type) for word, entity_type in deny.items() if word.strip()),
    )
