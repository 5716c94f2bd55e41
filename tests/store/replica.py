"""One replica as a process: ``python -m tests.store.replica URL KEYS NAME SECONDS CLIENTS``.

Prints ``index eid`` of each acknowledged entry, a line each, so that a test can kill it and compare. SIGTERM ends it
in order before its time.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from phigate.errors import UnavailableError
from phigate.store.duties import Rhythm
from phigate.store.ledger import LedgerLimits
from phigate.store.open import open_ledger
from tests.store.drafts import ORIGIN, an_intent


async def run(url: str, keys: str, name: str, seconds: float, clients: int) -> None:
    ledger = open_ledger(
        url,
        keys_folder=Path(keys),
        origin=ORIGIN,
        replica=name,
        min_free_bytes=0,
        limits=LedgerLimits(deadline_s=5.0),
        rhythm=Rhythm(checkpoint_s=0.1),
    )
    async with ledger:
        print("ready", flush=True)
        end = time.monotonic() + seconds
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

        async def client() -> None:
            while time.monotonic() < end and not stop.is_set():
                draft = an_intent()
                try:
                    receipt = await ledger.append(draft)
                except UnavailableError as error:
                    print(f"refused {error.code}", flush=True)
                    await asyncio.sleep(0.05)
                else:
                    sys.stdout.write(f"{receipt.index} {draft.rid}\n")
                    sys.stdout.flush()

        await asyncio.gather(*(client() for _ in range(clients)))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])))
