"""The port: off the event loop, in order, with thresholds of the bundle, timeouts, restarts and a second set."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from presidio_analyzer import EntityRecognizer, RecognizerResult

from phigate.analysis import Unread
from phigate.analyzers.presidio import PresidioAnalyzer
from phigate.errors import SettingsError, UnavailableError
from phigate.finding import EntityClass, EntityType, Finding
from phigate.phi import PHIText
from phigate.policy.bundle import Bundle, DetectorSettings, EntityRule, Regime, Site
from phigate.policy.decision import Form, Operator, Residual, Thresholds
from phigate.wire.parts import Part, PartKind

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def bundle_of(*, bars: dict[EntityType, dict[str, float]] | None = None, **detector: Any) -> Bundle:
    rules = {
        kind: EntityRule(kind, EntityClass.DIRECT, Operator.TOKEN, (bars or {}).get(kind, {"": 0.4}), "test")
        for kind in EntityType
    }
    regime = Regime(
        id="test",
        version="1",
        method="safe_harbor",
        entities=rules,
        rules=(),
        residual=Residual(0.7, 3),
        default_form=Form.NO,
        legal_basis={},
        transfer=None,
        retention_days=1,
        file="test.yaml",
    )
    site = Site(bind=(), prefer={}, flags=frozenset(), overrides=(), max_stale_hours=24)
    settings = DetectorSettings(**detector)
    digest = f"sha256:{settings!r}{bars!r}"
    return Bundle(digest, {"test": regime}, {}, {}, site, settings, ("development",), {})


def parts_of(*texts: str) -> list[Part]:
    return [Part(n, f"/messages/{n}/content", PHIText(text), PartKind.TEXT) for n, text in enumerate(texts)]


async def test_parts_come_back_in_order_with_their_findings() -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle)
    await analyzer.start()
    assert analyzer.ready() is None
    analysis = await analyzer.analyze(parts_of("MRN 1234567", "nothing here", "CPF 529.982.247-25"), bundle=bundle)
    assert [[f.entity_type for f in p.findings] for p in analysis.parts] == [[EntityType.MRN], [], [EntityType.BR_CPF]]
    assert analysis.complete
    assert analysis.detector.endswith("+knob-recall@1")
    assert (await analyzer.analyze([], bundle=bundle)).parts == ()
    await analyzer.close()


async def test_the_loop_goes_on_while_a_long_text_is_read() -> None:
    """Relative to the analysis itself, so that busy cores slow both sides: no turn of the loop waits for a tenth of it.

    Where the analysis held the loop, one turn would wait for all of it; a full collection of the lists' garbage, which
    nothing else interrupts, once took a sixth.
    """
    bundle = bundle_of(part_timeout_s=60.0)
    analyzer = PresidioAnalyzer(bundle)
    await analyzer.start()
    shares = []
    for number in range(3):  # what else runs on these cores may take one turn away, but not each time
        long = f"Patient Zorba Quill, MRN 123456{number}, was seen on 12/05/2023. " * 2500
        began = time.perf_counter()
        task = asyncio.create_task(analyzer.analyze(parts_of(long), bundle=bundle))
        longest, turns, last = 0.0, 0, began
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, turns, last = max(longest, now - last), turns + 1, now
        assert len((await task).parts[0].findings) > 5000
        assert turns >= 20
        shares.append(longest / (time.perf_counter() - began))
    assert min(shares) < 0.1
    await analyzer.close()


async def test_the_lowest_threshold_of_the_bundle_decides_by_type_and_language() -> None:
    text = "seen on Monday and on 12/05/2023 by us"
    everything = PresidioAnalyzer(bundle_of(bars={EntityType.DATE: {"": 0.1}}))
    strict = bundle_of(bars={EntityType.DATE: {"": 0.95, "en": 0.5}})
    loose = await everything.analyze(parts_of(text), bundle=bundle_of(bars={EntityType.DATE: {"": 0.1}}))
    few = await everything.analyze(parts_of(text), bundle=strict)
    assert len(loose.parts[0].findings) > len(few.parts[0].findings) >= 1


async def test_the_balanced_knob_asks_guesses_for_more() -> None:
    text = "code 98765432 and MRN 1234567"
    recall, balanced = bundle_of(), bundle_of(knob="balanced")
    analyzer = PresidioAnalyzer(recall)
    many = (await analyzer.analyze(parts_of(text), bundle=recall)).parts[0].findings
    few = (await analyzer.analyze(parts_of(text), bundle=balanced)).parts[0].findings
    assert {f.source for f in many} - {f.source for f in few} <= {"clinical:bare"}
    assert EntityType.MRN in {f.entity_type for f in few}


async def test_the_pointer_of_a_leaf_tells_what_its_value_is() -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle)
    leaf = Part(0, "/messages/2/tool_calls/0/function/arguments#/patient/mrn", PHIText("ZX4471"), PartKind.TEXT)
    number = Part(1, "/messages/2/tool_calls/0/function/arguments#/cpf", PHIText("52998224725"), PartKind.NUMBER)
    name = Part(2, "/messages/2/tool_calls/0/function/arguments#/nome_mae", PHIText("Zorba"), PartKind.TEXT)
    found = await analyzer.analyze([leaf, number, name], bundle=bundle)
    assert [p.findings[0].entity_type for p in found.parts] == [
        EntityType.MRN,
        EntityType.BR_CPF,
        EntityType.RELATIVE_NAME,
    ]


async def test_the_second_set_reports_what_presidio_knows_too() -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle)
    thresholds = Thresholds({}, 0.3)
    again = await analyzer.rescan(parts_of("wire to DE89370400440532013000 now"), bundle=bundle, thresholds=thresholds)
    assert {f.entity_type for f in again.parts[0].findings} >= {EntityType.IBAN}
    assert again.detector.endswith("+second@1")


class Sleeper(EntityRecognizer):  # type: ignore[misc]  # Presidio is untyped
    """Hangs on a word, as a plug-in may."""

    def __init__(self, release: threading.Event, language: str) -> None:
        self.release = release
        super().__init__(["ID"], supported_language=language)

    def load(self) -> None: ...

    def analyze(self, text: str, entities: list[str], nlp_artifacts: object = None) -> list[RecognizerResult]:
        if "hang" in text:
            self.release.wait(20)
        if "raise" in text:
            raise ValueError(text)
        return []


@pytest.fixture
def plugins() -> Any:
    release = threading.Event()
    yield [Sleeper(release, lang) for lang in ("en", "pt", "es", "fr", "de", "it", "nl")]
    release.set()


async def test_a_part_that_hangs_is_reported_and_the_others_are_read(plugins: list[EntityRecognizer]) -> None:
    bundle = bundle_of(part_timeout_s=0.2)
    analyzer = PresidioAnalyzer(bundle, plugins=plugins)
    await analyzer.start()
    analysis = await analyzer.analyze(parts_of("MRN 1234567", "hang", "MRN 7654321"), bundle=bundle)
    assert [p.unread for p in analysis.parts] == [frozenset(), frozenset({Unread.TIMEOUT}), frozenset()]
    assert [len(p.findings) for p in analysis.parts] == [1, 0, 1]
    assert analyzer.ready() is None
    await analyzer.close()


async def test_too_many_hung_texts_and_the_detector_is_down(plugins: list[EntityRecognizer]) -> None:
    bundle = bundle_of(part_timeout_s=0.05)
    analyzer = PresidioAnalyzer(bundle, plugins=plugins)
    with pytest.raises(UnavailableError, match="the detector is not running") as caught:
        await analyzer.analyze(parts_of(*["hang"] * 12), bundle=bundle)
    assert caught.value.code == "detector_unavailable"
    assert "restart" in str(analyzer.ready())
    await analyzer.close()


async def test_a_part_that_raises_is_reported_and_its_text_is_not_logged(
    plugins: list[EntityRecognizer], caplog: pytest.LogCaptureFixture
) -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle, plugins=plugins)
    with caplog.at_level(logging.DEBUG):
        analysis = await analyzer.analyze(parts_of("raise Zorba Quill", "fine"), bundle=bundle)
    assert [p.unread for p in analysis.parts] == [frozenset({Unread.FAILED}), frozenset()]
    assert not analysis.complete
    assert "ValueError" in caplog.text
    assert "Zorba" not in caplog.text


class _Dead:
    """A pool that refuses work, a number of times."""

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, *args: object, **kwargs: object) -> None:
        self.asked += 1
        raise RuntimeError("cannot schedule new futures after shutdown")

    def shutdown(self, **kwargs: object) -> None: ...


async def test_a_dead_worker_is_restarted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle)
    dead = _Dead()
    analyzer._pool = dead  # type: ignore[assignment]
    analysis = await analyzer.analyze(parts_of("MRN 1234567"), bundle=bundle)
    assert analysis.parts[0].findings
    assert dead.asked == 1
    await analyzer.close()


async def test_a_worker_that_stays_dead_is_a_detector_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle)
    dead = _Dead()
    workers: Callable[[], Any] = lambda: dead  # noqa: E731
    monkeypatch.setattr(analyzer, "_workers", workers)
    with pytest.raises(UnavailableError) as caught:
        await analyzer.analyze(parts_of("MRN 1234567"), bundle=bundle)
    assert caught.value.code == "detector_unavailable"
    assert dead.asked == 2
    assert analyzer.ready() == "the detector cannot start a worker"


async def test_a_custom_recognizer_that_cannot_be_made_stops_start_up() -> None:
    with pytest.raises(SettingsError, match=r"detector\.custom cannot be used"):
        PresidioAnalyzer(bundle_of(custom="recognizers: 3"))


async def test_lists_and_custom_recognizers_of_the_bundle_are_obeyed() -> None:
    custom = 'recognizers: [{name: w, supported_entity: MRN, patterns: [{name: w, regex: "WX-[0-9]{3}", score: 0.8}]}]'
    bundle = bundle_of(custom=custom, deny={"Ala Zeta": EntityType.ORGANIZATION}, allow=("1234567",))
    analyzer = PresidioAnalyzer(bundle)
    found = (await analyzer.analyze(parts_of("WX-123 at ala zeta, MRN 1234567"), bundle=bundle)).parts[0].findings
    assert {(f.start, f.entity_type) for f in found} >= {(0, EntityType.MRN), (10, EntityType.ORGANIZATION)}
    assert all(f.end <= 18 for f in found)


async def test_equal_texts_are_read_once_and_findings_are_those_of_each_bundle() -> None:
    one, two = bundle_of(), replace(bundle_of(), digest="other")
    analyzer = PresidioAnalyzer(one)
    first = await analyzer.analyze(parts_of("MRN 1234567", "MRN 1234567"), bundle=one)
    assert first.parts[0] == first.parts[1]
    assert len(analyzer._cache) == 2  # findings, and the language, which is that of each bundle
    await analyzer.analyze(parts_of("MRN 1234567"), bundle=two)
    assert len(analyzer._cache) == 3
    assert isinstance(first.parts[0].findings[0], Finding)


@pytest.mark.parametrize("kind", [PartKind.KEY, PartKind.NAME, PartKind.TEXT])
async def test_names_of_fields_made_of_label_words_name_nobody(kind: PartKind) -> None:
    bundle = bundle_of()
    analyzer = PresidioAnalyzer(bundle)
    names = ("city", "MRN", "patientCity", "Maria Souza", "mrn_48210377")
    parts = [Part(n, f"/x/{n}", PHIText(text), kind) for n, text in enumerate(names)]
    least = Thresholds({}, 0.4)
    for found in (
        await analyzer.analyze(parts, bundle=bundle),
        await analyzer.rescan(parts, bundle=bundle, thresholds=least),
    ):
        findings = [result.findings for result in found.parts]
        assert kind is PartKind.TEXT or findings[:3] == [(), (), ()]
        assert findings[3]
        assert findings[4]
    await analyzer.close()
