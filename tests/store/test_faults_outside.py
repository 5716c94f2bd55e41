"""Faults 16, 17, 20, 22, 23, 34: other databases, other heads, other clocks, and what a hostile app sends.

Those of a witness that is silent, stale or contradicts (16, 20, 21) are in test_cosigning.py as well, and end to end
in tests/e2e/test_auditor.py; the crash and power faults in test_faults.py and test_faults_power.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phigate.audit.record import JSON, Draft, Kind
from phigate.audit.schema import OPTIONAL, REQUIRED, check
from phigate.errors import LedgerStateError, SettingsError, UnavailableError
from phigate.store.key_folder import ledger_keys
from phigate.store.ledger import LedgerLimits
from phigate.store.open import open_ledger
from phigate.store.source import DatabaseSource
from phigate.tlog.export import policy
from phigate.tlog.keyring import open_keyring
from phigate.tlog.report import Verdict
from phigate.tlog.witness import MAX_REQUEST_BYTES
from tests.store.drafts import FIELDS, ORIGIN, an_intent
from tests.store.test_faults import ROUNDS, acknowledged, assert_all_stand, records, report_of

pytestmark = pytest.mark.anyio


def newest(url: str) -> bytes:
    with DatabaseSource(url) as source:
        note = source.newest_checkpoint()
    assert note is not None
    return note


def phigate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phigate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


# -- 16, 17: a database that is behind ------------------------------------------------------------------------------


def administrate(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.fixture
def standby(postgres: str) -> Iterator[str]:
    """The URL of a database that is to be an asynchronous standby which missed the last commits."""
    name = f"standby_{uuid.uuid4().hex}"
    yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
    administrate(postgres, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def test_a_standby_that_missed_commits_is_refused_by_replica_anchor_and_verifier(
    postgres: str, standby: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"keys_folder": tmp_path, "origin": ORIGIN, "replica": "gw"}
    async with open_ledger(postgres, **options) as ledger:
        await ledger.append(an_intent())
    names = [urlsplit(url).path.strip("/") for url in (standby, postgres)]
    elsewhere = urlunsplit(urlsplit(postgres)._replace(path="/postgres"))
    administrate(elsewhere, f"CREATE DATABASE {names[0]} TEMPLATE {names[1]}")
    async with open_ledger(postgres, **options, limits=LedgerLimits(deadline_s=1.0)) as ledger:
        acknowledged_later = [await ledger.append(an_intent()) for _ in range(3)]
        ledger.writer.storage._url, ledger.writer.storage._engine = standby, None  # type: ignore[attr-defined]
        ledger.writer._connected = False  # the fail-over: the old server is gone, the standby answers
        with pytest.raises(UnavailableError, match="it was rolled back"):
            await ledger.append(an_intent())
        assert "fork suspected" in str(ledger.ready())
        with pytest.raises(UnavailableError, match="it was rolled back"):
            await ledger.append(an_intent())
    with pytest.raises(LedgerStateError, match="to extend its anchor of"):
        await open_ledger(standby, **options).start()
    report = report_of(standby, earlier=[newest(postgres)])
    assert report.verdict is Verdict.FORK, report.to_text()
    with DatabaseSource(standby) as source:
        missing = [receipt.index for receipt in acknowledged_later if receipt.index >= source.size]
    assert len(missing) == 3, "these acknowledged entries are what recover declares as lost"


# -- 20: split view ---------------------------------------------------------------------------------------------------


async def test_two_signed_heads_of_one_size_are_proof_that_anyone_can_check(tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    places[0].mkdir()
    ledger_keys(places[0] / "keys", origin=ORIGIN, now=time.time())
    shutil.copytree(places[0], places[1])
    for place in places:
        url = f"sqlite:///{place}/ledger.db"
        async with open_ledger(
            url, keys_folder=place / "keys", origin=ORIGIN, replica="gw", min_free_bytes=0
        ) as ledger:
            await ledger.append(an_intent())
    heads = [newest(f"sqlite:///{place}/ledger.db") for place in places]
    assert heads[0].split(b"\n")[:2] == heads[1].split(b"\n")[:2]
    assert heads[0] != heads[1]
    kept = tmp_path / "kept"
    kept.write_bytes(heads[1])
    done = phigate("ledger", "verify", str(places[0] / "ledger.db"), "--checkpoint", str(kept))
    assert done.returncode == 3, done.stdout + done.stderr
    for head in heads:
        assert head.decode().split("\n\n")[0] in done.stdout.replace("    ", ""), done.stdout


# -- 22: two requests to a witness at once -----------------------------------------------------------------------------


def test_a_witness_process_under_a_race_cosigns_one_history(tmp_path: Path) -> None:
    from tests.e2e.house import free_port
    from tests.e2e.test_auditor import _OPEN, NAME, a_witness, heads
    from tests.tlog.logs import ORIGIN as LOG
    from tests.tlog.logs import keyring
    from tests.tlog.test_witness import ENTRIES, request

    assert phigate("witness", "key", str(tmp_path / "witness.key"), "--name", NAME).returncode == 0
    (tmp_path / "policy").write_bytes(policy(keyring(), LOG))
    port = free_port()
    fork = [b"another", *ENTRIES[1:]]

    def post(body: bytes) -> int:
        sent = urllib.request.Request(f"http://127.0.0.1:{port}/add-checkpoint", data=body, method="POST")
        try:
            with _OPEN(sent, timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    sizes = []
    with a_witness(tmp_path, port), ThreadPoolExecutor(8) as pool:
        assert post(request(0, 10).to_bytes()) == 200
        for old in range(10, 50, 10):
            honest, forked = request(old, old + 10), request(old, old + 10, entries=fork)
            bodies = [each.to_bytes() for each in (honest, forked) for _ in range(6)]
            answers = list(pool.map(post, bodies))
            assert answers[:6].count(200) == 1, answers
            assert set(answers[:6]) == {200, 409}
            assert 200 not in answers[6:]
            sizes.append(heads(port)[0]["size"])
        assert post(b"x" * (MAX_REQUEST_BYTES + 1)) == 400
        assert heads(port)[0]["contradicted_by"]
    assert sizes == [20, 30, 40, 50]


# -- 23: the clock of the machine ------------------------------------------------------------------------------------


def faketime() -> str | None:
    return next((str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def has_clocks(url: str, count: int) -> bool:
    return len([record for record in records(url) if record.kind == "clock"]) >= count


def waiting(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition, a minute at most, while the process lives."""
    end = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.05)


@pytest.mark.skipif(faketime() is None, reason="libfaketime is not installed: apt-get install libfaketime")
def test_the_machines_clock_may_jump_an_hour_back_and_ten_years_on(tmp_path: Path) -> None:
    url, offset = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "offset"
    offset.write_text("+0\n")
    environment = os.environ | {
        "LD_PRELOAD": str(faketime()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    command = [sys.executable, "-m", "tests.store.replica", url, str(tmp_path / "keys"), "gw", "120", "2"]
    said = tmp_path / "said"
    with said.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, text=True, env=environment)
        waiting(lambda: len(acknowledged(said.read_text())) > 10, process)
        for number, jump in enumerate(("-3600\n", "+3650d\n"), 1):
            fresh = tmp_path / "fresh"
            fresh.write_text(jump)
            fresh.rename(offset)  # at once: a file that is half written would be another clock
            waiting(partial(has_clocks, url, number), process)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    known = acknowledged(said.read_text())
    assert len(known) > 10
    assert_all_stand(url, known)
    found = records(url)
    assert [r.fields["why"] for r in found if r.kind == "clock"] == ["backwards", "forwards"]
    stamps = [r.ts for r in found]
    assert stamps == sorted(stamps), "no entry's time runs backwards"
    assert [r.seq for r in found] == list(range(len(found)))
    print(f"SQLite: 2 clock jumps, {len(known)} acknowledged, 0 lost")


# -- 34: hostile values ----------------------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.just("m" * 65_536),
    st.text(max_size=200),
    st.text(alphabet=st.characters(categories=["Cs"]), min_size=1, max_size=5),
    st.sampled_from([float("nan"), float("inf"), 0.5, 2**53, -(2**53), 2**64, None, b"bytes", "\x00", "a\nb"]),
    st.lists(st.just("x"), min_size=2000, max_size=2000),
    st.recursive(
        st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=9
    ),
)
FIELD = st.sampled_from(
    ["más", "v", "log", *sorted({name for table in (REQUIRED, OPTIONAL) for row in table.values() for name in row})]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(kind=st.sampled_from(Kind), name=FIELD, value=HOSTILE, rid=st.text(max_size=40), attempt=st.integers(-5, 2**60))
def test_a_hostile_value_is_refused_before_it_is_sealed_in_few_words(
    kind: Kind, name: str, value: Any, rid: str, attempt: int
) -> None:
    draft = Draft(kind, {**FIELDS, name: value}, rid, attempt)
    said = refusal_of(draft)
    assert len(said) < 300
    assert not isinstance(value, str) or len(value) < 20 or value not in said


def refusal_of(draft: Draft) -> str:
    """Return the words of a refusal, "" where the draft passes; any other error is the test's failure."""
    try:
        check(draft)
    except UnavailableError as error:
        return str(error)
    return ""


async def test_an_entry_over_16_kib_is_refused_and_the_ledger_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    async with open_ledger(url, keys_folder=tmp_path / "keys", origin=ORIGIN, replica="gw", min_free_bytes=0) as ledger:
        large: dict[str, JSON] = {**FIELDS, "rules": [f"rule-{n}" + "x" * 90 for n in range(250)]}
        for _ in range(3):  # alone in its batch: there is nothing to commit then
            with pytest.raises(UnavailableError, match="an entry of at most 16384 bytes"):
                await ledger.append(Draft(Kind.INTENT, large, an_intent().rid, 1))
        drafts = [Draft(Kind.INTENT, large, an_intent().rid, 1), *(an_intent() for _ in range(20 * ROUNDS))]
        results = await asyncio.gather(*(ledger.append(draft) for draft in drafts), return_exceptions=True)
        assert isinstance(results[0], UnavailableError)
        assert results[0].code == "entry_refused"
        assert not any(isinstance(each, BaseException) for each in results[1:])
    assert_all_stand(url, {})
    numbers = [r.seq for r in records(url)]
    assert numbers == list(range(len(numbers))), "a refused entry leaves no gap in the counter"


async def test_a_keyring_that_was_swapped_stops_the_start(tmp_path: Path) -> None:
    """Fault 18: a checkpoint key that the keyring does not list."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    options: dict[str, Any] = {"keys_folder": tmp_path / "keys", "origin": ORIGIN, "replica": "gw", "min_free_bytes": 0}
    async with open_ledger(url, **options) as ledger:
        await ledger.append(an_intent())
    other = ledger_keys(tmp_path / "other", origin=ORIGIN, now=time.time())
    assert open_keyring(other.note)
    for name in ("checkpoint", "enrolment"):
        (path,) = (tmp_path / "keys").glob(f"{name}-*.key")
        (theirs,) = (tmp_path / "other").glob(f"{name}-*.key")
        shutil.copy(theirs, path)
    with pytest.raises(SettingsError, match=r"that keyring\.note lists, found another"):
        open_ledger(url, **options)
