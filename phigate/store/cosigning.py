"""Have the log's newest checkpoint cosigned by witnesses, in a thread of its own and never in the way of a request.

Each round reads the newest checkpoint from the database, proves to each witness that it extends the head that the
witness cosigned last, and hands the checkpoint with the new lines to the ledger's thread, which keeps it. A witness
that holds a head which this log does not continue makes the ledger suspect a fork. How old the newest cosignature may
become, and whether the gateway then refuses intents or only says so, is the site's choice.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from logging import ERROR, WARNING
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from phigate.errors import LedgerStateError, SettingsError, UnavailableError
from phigate.logs import Event, emit
from phigate.store.source import DatabaseSource, Roots
from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.cosign import cosignatures
from phigate.tlog.errors import CheckError, TlogError
from phigate.tlog.keyring import Keyring, Role
from phigate.tlog.merkle import TreeSize
from phigate.tlog.note import VerifierKey
from phigate.tlog.submit import (
    MAX_ANSWER_BYTES,
    Contradicts,
    Cosigned,
    Failed,
    KnowsSize,
    Said,
    ask,
    merged,
    read_answer,
)
from phigate.tlog.tile import node_reader

FIRST_S: Final = 6.0  # a start waits so long for the first round
_TRIES: Final = 3  # another replica may move the witness between two tries


@dataclass(frozen=True, slots=True)
class WitnessAt:
    """Where a witness answers. Its key stands in the keyring, under its name; nothing here is believed."""

    name: str
    url: str
    ca: Path | None = None  # PEM; None is what the system trusts


@dataclass(frozen=True, slots=True)
class WitnessRules:
    """How often a cosignature is asked for, how old the newest may become, and what then. Seconds."""

    at: tuple[WitnessAt, ...] = ()
    every_s: float = 10.0
    stale_s: float = 300.0
    refuse: bool = False  # stale: True refuses intents, False says so and goes on
    timeout_s: float = 5.0


Post = Callable[[WitnessAt, bytes, float], tuple[int, bytes]]  # raises UnavailableError with a code


def post(place: WitnessAt, data: bytes, timeout_s: float) -> tuple[int, bytes]:
    """Post a request to a witness and return status and body. Follows no redirect, uses no proxy, keeps nothing."""
    url = urlsplit(place.url)
    host, port = url.hostname or "", url.port
    connection: http.client.HTTPConnection
    try:
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=place.ca)
            connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            connection.request("POST", f"{url.path.rstrip('/')}/add-checkpoint", body=data)
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()
    except ssl.SSLError as error:
        raise UnavailableError(f"witness {place.name}: TLS fails", code="tls") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"witness {place.name} cannot be reached", code="unreachable") from error


@dataclass(slots=True)
class _Known:
    """One witness: its key, and the size that it cosigned last as far as we know."""

    place: WitnessAt
    key: VerifierKey
    size: int = 0


@dataclass(slots=True)
class Cosigning:
    """The duty. ``start`` it once the log has a checkpoint; everything else may be asked from any thread."""

    database: str
    origin: str
    rules: WitnessRules
    keyring: Keyring
    send: Post = post
    now: Callable[[], float] = time.time
    mono: Callable[[], float] = time.monotonic
    failures: int = 0
    _witnesses: list[_Known] = field(default_factory=list)
    _fresh_at: float = 0.0  # monotonic time of the newest cosignature of a quorum
    _said_stale: bool = False
    _said_failed: set[str] = field(default_factory=set)  # since the last success: each is logged once
    _roots: Roots = field(default_factory=dict)
    _kept: int = 0  # size of the newest checkpoint that was handed on
    _stop: threading.Event = field(default_factory=threading.Event)
    _first: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _keep: Callable[[int, bytes], None] = lambda _size, _note: None
    _suspect: Callable[[LedgerStateError], None] = lambda _error: None

    def __post_init__(self) -> None:
        keys = {listed.key.name: listed.key for listed in self.keyring.listed(Role.WITNESS)}
        for place in self.rules.at:
            if place.name not in keys:
                raise SettingsError(
                    f"expected the witness {place.name} in the keyring, found {', '.join(sorted(keys)) or 'none'}: "
                    "list its key with phigate witness trust VKEY"
                )
            self._witnesses.append(_Known(place, keys[place.name]))
        if self.quorum > len(self._witnesses):
            raise SettingsError(
                f"expected the addresses of {self.quorum} witnesses, as the keyring asks, found {len(self._witnesses)}"
            )

    @property
    def quorum(self) -> int:
        """Return how many witnesses make a checkpoint count: as the keyring asks, and one at least."""
        return max(1, self.keyring.quorum)

    # -- what others ask ---------------------------------------------------------------------------------------

    def age_s(self) -> float:
        """Return the age of the newest cosignature of a quorum, counted from the start where there is none."""
        return max(0.0, self.mono() - self._fresh_at)

    def stale(self) -> str | None:
        """Return what is wrong when the newest cosignature is older than the site allows."""
        age = self.age_s()
        if age <= self.rules.stale_s:
            return None
        return f"expected cosignatures of {self.quorum} witnesses within {self.rules.stale_s:g} s, found none since"

    def refuses(self) -> str | None:
        """Return why intents are refused, None while they are not."""
        return self.stale() if self.rules.refuse else None

    # -- begin and end -----------------------------------------------------------------------------------------

    def start(self, *, keep: Callable[[int, bytes], None], suspect: Callable[[LedgerStateError], None]) -> None:
        """Begin. ``keep`` takes size and cosigned note, ``suspect`` what a witness contradicts; both at once."""
        self._keep, self._suspect = keep, suspect
        self._fresh_at = self.mono()
        self._thread = threading.Thread(target=self._run, name="phigate-witness", daemon=True)
        self._thread.start()

    def wait_first(self) -> None:
        """Wait until every witness was asked once, `FIRST_S` at most."""
        self._first.wait(FIRST_S)

    def stop(self) -> None:
        """End after the round that runs, if any."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self.rules.timeout_s + 1.0)

    def _run(self) -> None:
        self._remember()
        while not self._stop.is_set():
            self.round()
            self._first.set()
            self._stop.wait(self.rules.every_s)

    def _remember(self) -> None:
        """Take up where the last process ended: the age of what it had cosigned counts."""
        try:
            with DatabaseSource(self.database, origin=self.origin) as source:
                note = source.newest_cosigned()
            if note is None:
                return
            signed = SignedCheckpoint.from_bytes(note)
            said = cosignatures(signed.note, [each.key for each in self._witnesses])
        except (TlogError, SettingsError):
            return  # the verifier says what is wrong with it; the first round asks anew
        for each in self._witnesses:
            each.size = signed.head.size
        self._kept = signed.head.size
        if len(said) >= self.quorum:
            self._fresh_at = self.mono() - max(0.0, self.now() - min(one.at_s for one in said))

    # -- a round -----------------------------------------------------------------------------------------------

    def round(self) -> None:
        """Ask every witness once for the newest checkpoint."""
        try:
            with DatabaseSource(self.database, origin=self.origin, roots=self._roots) as source:
                note = source.newest_checkpoint()
                if note is not None:
                    self._ask_all(SignedCheckpoint.from_bytes(note), source)
        except (TlogError, SettingsError):
            self._fail("database")
        self._say_age()

    def _ask_all(self, checkpoint: SignedCheckpoint, source: DatabaseSource) -> None:
        lock = threading.Lock()  # one connection to the database
        node = node_reader(checkpoint.head.size, source.any_tile)

        def reading(level: int, index: int) -> bytes:
            with lock:
                return node(level, index)

        began = self.mono()
        with ThreadPoolExecutor(len(self._witnesses)) as pool:
            asked = list(pool.map(lambda each: self._ask(each, checkpoint, reading), self._witnesses))
        vouched = []
        for each, said in zip(self._witnesses, asked, strict=True):
            match said:
                case Cosigned(signed):
                    each.size = checkpoint.head.size
                    vouched.append(signed)
                case KnowsSize(size):
                    self._check_ahead(each, size)
                case Contradicts(why):
                    self._accuse(each, why)
                case Failed(code):
                    self._fail(code)
        if len(vouched) >= self.quorum:
            self._fresh_at = began
            self._said_failed.clear()
            self._hand_on(checkpoint.head.size, vouched)

    def _ask(self, each: _Known, checkpoint: SignedCheckpoint, node: Callable[[int, int], bytes]) -> Said:
        """Ask one witness, again where it names the size from which it wants to be led."""
        old = min(each.size, checkpoint.head.size)
        said: Said = Failed("busy")
        for _ in range(_TRIES):
            try:
                sent = ask(checkpoint, old=TreeSize(old), node=node)
                status, body = self.send(each.place, sent.to_bytes(), self.rules.timeout_s)
            except UnavailableError as error:
                return Failed(error.code)
            except TlogError:
                return Failed("database")
            said = read_answer(sent, status=status, body=body, witness=each.key)
            if not isinstance(said, KnowsSize) or said.size > checkpoint.head.size:
                return said
            old = said.size
        return Failed("busy")

    def _check_ahead(self, each: _Known, size: int) -> None:
        """Tell another replica, which was quicker, from a database that was rolled back."""
        try:
            with DatabaseSource(self.database, origin=self.origin) as source:
                stands = source.size  # read after the witness answered: what it cosigned was committed before
        except (TlogError, SettingsError):
            self._fail("database")
            return
        if stands < size:
            self._accuse(each, f"a head of size {size}, the database has {stands} entries")

    def _accuse(self, each: _Known, why: str) -> None:
        self._suspect(LedgerStateError(f"the witness {each.place.name} cosigned {why}: rolled back or forked"))

    def _hand_on(self, size: int, vouched: list[SignedCheckpoint]) -> None:
        if size <= self._kept:
            return
        try:
            note = merged(vouched, [each.key for each in self._witnesses]).note.to_bytes()
        except CheckError:
            self._fail("bad_cosignature")
            return
        self._kept = size
        self._keep(size, note)

    def _fail(self, code: str) -> None:
        self.failures += 1
        if code in self._said_failed:
            return
        self._said_failed.add(code)
        emit(Event.WITNESS_FAILED, level=WARNING, code=code)

    def _say_age(self) -> None:
        stale = self.stale() is not None
        if stale != self._said_stale:
            event = Event.WITNESS_STALE if stale else Event.WITNESS_FRESH
            emit(event, level=ERROR if stale else WARNING, age_s=round(self.age_s()), refusing=self.rules.refuse)
        self._said_stale = stale


def check_places(places: Sequence[WitnessAt]) -> None:
    """Raise `SettingsError` unless each witness has an address that a stranger cannot answer at."""
    for place in places:
        url = urlsplit(place.url)
        if url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}:
            continue
        if url.scheme != "https" or not url.hostname or url.query or url.fragment or url.username:
            raise SettingsError(f"expected https://HOST[:PORT] as address of the witness {place.name}")
