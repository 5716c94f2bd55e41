"""The ledger against a list in memory: whatever is done to it, in whatever order, its trees are those of RFC 6962.

Appends, exchanges that end in a later segment, rolls, restarts, boots that die, lost answers to COMMIT, erasures; after
each step every receipt ever given stands where it was said to stand, under a root that the naive tree has as well.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from phigate.audit.record import Draft, Kind, Receipt
from phigate.store.open import new_id
from phigate.store.places import segments
from phigate.store.rolling import RollingLedger
from phigate.store.source import DatabaseSource
from phigate.store.storage import Trouble
from phigate.store.vault import Vault
from phigate.tlog.chain import join
from phigate.tlog.merkle import (
    TreeSize,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from phigate.tlog.report import Verdict
from phigate.tlog.tile import node_reader
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import FIELDS, an_intent, an_outcome
from tests.store.faulty import FaultyStorage
from tests.store.naive import naive_root

NAME = "audit.test/phigate"
START = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
HALF_YEAR_S = 184 * 86400.0


@dataclass
class Model:
    """What must be: by origin the leaves in order, and each receipt that was given."""

    leaves: dict[str, list[bytes]] = field(default_factory=dict)
    receipts: list[tuple[str, Receipt]] = field(default_factory=list)  # id of the exchange, where it stands
    open: list[tuple[str, Receipt]] = field(default_factory=list)
    heads: list[tuple[str, int, bytes]] = field(default_factory=list)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="phigate-stateful-"))
        self.url = f"sqlite:///{self.folder}/ledger.db"
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.at_s = START
        self.erased = 0
        self.vault = Vault(self.folder / "vault.db", keys=self.folder / "keys")
        self.ledger = self.a_ledger()

    def now(self) -> float:
        self.at_s += 1e-3
        return self.at_s

    def a_ledger(self) -> RollingLedger:
        options: dict[str, Any] = {"keys_folder": self.folder / "keys", "origin": NAME, "min_free_bytes": 0}
        ledger = RollingLedger(self.url, now=self.now, look_every_s=3600.0, replica="gw", **options)
        self.loop.run_until_complete(ledger.start())
        return ledger

    def append(self, draft: Draft) -> Receipt:
        return self.loop.run_until_complete(self.ledger.append(draft))

    @initialize()
    def begin(self) -> None:
        assert self.ledger.size() >= 2

    # -- what may happen ---------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 300))
    def exchanges_begin(self, count: int) -> None:
        drafts = [an_intent() for _ in range(count)]

        async def work() -> list[Receipt]:
            return await asyncio.gather(*(self.ledger.append(draft) for draft in drafts))

        rows = [(d.rid, r) for d, r in zip(drafts, self.loop.run_until_complete(work()), strict=True)]
        self.model.receipts += rows
        self.model.open += rows[:3]

    @precondition(lambda self: self.model.open)
    @rule(data=st.data())
    def an_exchange_ends(self, data: st.DataObject) -> None:
        rid, intent = self.model.open.pop(data.draw(st.integers(0, len(self.model.open) - 1)))
        draft = an_outcome(rid, intent)
        named = cast("dict[str, Any]", draft.fields["intent"])
        named["log"] = intent.origin
        self.append(draft)

    @rule()
    def the_segment_is_closed(self) -> None:
        origin = self.ledger.origin
        self.append(Draft(Kind.SEGMENT_CLOSE, {"next": self.ledger._next()}))
        assert self.ledger.origin != origin

    @rule()
    def the_half_year_ends(self) -> None:
        self.at_s += HALF_YEAR_S
        self.loop.run_until_complete(self.ledger.look())

    @rule()
    def the_gateway_starts_again(self) -> None:
        self.loop.run_until_complete(self.ledger.close())
        self.model.open.clear()  # they end unknown, by the reconciler
        self.ledger = self.a_ledger()

    @rule(done=st.booleans())
    def the_answer_of_commit_is_lost(self, done: bool) -> None:
        writer = self.ledger.writer
        faulty = FaultyStorage(writer.storage)
        faulty.plan = [("commit", Trouble.DOWN, done)]
        writer.storage = cast("Any", faulty)
        draft = an_intent()
        self.model.receipts.append((draft.rid, self.append(draft)))
        writer.storage = faulty.real

    @rule(patient=st.sampled_from(["P-1", "P-2"]))
    def a_patient_is_tagged(self, patient: str) -> None:
        rid = new_id()
        reference = self.vault.lookups.declared("t", patient)
        tags = self.loop.run_until_complete(self.vault.tags(rid, [reference]))
        subjects: dict[str, Any] = {"subj": [list(each) for each in tags]}
        self.model.receipts.append((rid, self.append(Draft(Kind.INTENT, {**FIELDS, **subjects}, rid, 1))))

    @rule(patient=st.sampled_from(["P-1", "P-2"]))
    def a_patient_is_erased(self, patient: str) -> None:
        before = [(each.origin, each.size, each.root) for each in segments(self.url)]
        lookups = self.vault.lookups.all_of("t", patient)
        done = self.vault.erase(lookups, eid=new_id(), request="erasure-1", article="gdpr.art.17")
        self.vault.rekey()
        assert self.vault.exchanges(lookups) == {}
        assert [(each.origin, each.size, each.root) for each in segments(self.url)] == before
        fields: dict[str, Any] = {"request": done.request, "article": done.article, "count": done.count}
        self.append(Draft(Kind.ERASURE, fields))
        self.vault.written(done.eid)
        self.erased += 1

    # -- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def every_segment_is_the_naive_tree(self) -> None:
        for segment in segments(self.url):
            known = self.model.leaves.setdefault(segment.origin, [])
            with DatabaseSource(segment.url, origin=segment.origin) as source:
                entries = [bytes(row.entry) for row in source.rows(0, source.size)]
                leaves = [leaf_hash(entry) for entry in entries]
                assert leaves[: len(known)] == known, "what stood once stands for ever"
                self.model.leaves[segment.origin] = leaves
                assert source.root == naive_root(leaves)
                self.proofs_hold(source, leaves)
            self.model.heads.append((segment.origin, len(leaves), naive_root(leaves)))
            del self.model.heads[:-6]
        for _, receipt in self.model.receipts:
            assert self.model.leaves[receipt.origin][receipt.index] == receipt.leaf

    def proofs_hold(self, source: DatabaseSource, leaves: list[bytes]) -> None:
        size, root = TreeSize(len(leaves)), naive_root(leaves)
        node = node_reader(size, source.any_tile)
        for index in {0, size // 2, size - 1}:
            path = inclusion_proof(index=index, size=size, node=node)
            verify_inclusion(leaf=leaves[index], index=index, size=size, path=path, root=root)
        for origin, old, then in self.model.heads:
            if origin == source.origin and 0 < old < size:
                path = consistency_proof(old=TreeSize(old), new=size, node=node)
                verify_consistency(old=old, new=size, path=path, old_root=then, new_root=root)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.ledger.close())
        self.vault.close()
        self.loop.close()
        reports = []
        for segment in segments(self.url):
            with DatabaseSource(segment.url, origin=segment.origin) as source:
                reports.append(verify(source, Demand()))
        chain = join(reports, whole=True)
        assert chain.verdict is Verdict.VERIFIED, chain.to_text()
        assert sum(each.kinds.get("intent", 0) for each in reports) == len(self.model.receipts)
        assert sum(each.kinds.get("erasure", 0) for each in reports) == self.erased
        shutil.rmtree(self.folder)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
