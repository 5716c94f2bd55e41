"""``python -m tests.bench.rescan``: the share of asq_phi's prompts that stay home because of the re-scan alone.

Real detector, shipped policies, upstreams in memory. Needs the public corpora in ../shared (or PHIGATE_SHARED).
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from phigate.analyzers.presidio import PresidioAnalyzer
from tests.exchange import Script, demo_bundle

SHARED = Path(os.environ.get("PHIGATE_SHARED", Path(__file__).parents[2] / ".." / "shared")).resolve()


async def run(docs: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        script = Script(demo_bundle(Path(folder)))
        script.analyzer = PresidioAnalyzer(script.bundle)  # type: ignore[assignment]
        script.answers("Noted.")
        counts: dict[str, Counter[str]] = {"PHI-free": Counter(), "PHI-bearing": Counter()}
        for doc in docs:
            script.held.held.clear()
            before = script.metrics.counts["residual_dirty", (("then", "kept_onprem"),)]
            reply = await script.say(doc["text"])
            kept = script.metrics.counts["residual_dirty", (("then", "kept_onprem"),)] > before
            kind = "PHI-bearing" if doc["spans"] else "PHI-free"
            counts[kind]["kept home by the re-scan alone" if kept else reply.headers["x-phigate-mode"]] += 1
        for kind, counter in counts.items():
            total = counter.total()
            shares = ", ".join(f"{name} {n} ({100 * n / total:.1f} %)" for name, n in counter.most_common())
            print(f"{kind}: {total} prompts: {shares}")


if __name__ == "__main__":
    lines = (SHARED / "corpora" / "asq_phi" / "data.jsonl").read_text(encoding="utf-8").splitlines()
    asyncio.run(run([json.loads(line) for line in lines]))
