"""``python -m tests.e2e.threadless serve …``: phigate on a machine that starts no detector thread once told so.

A file called ``no-threads`` beside phigate.yaml tells it. Nothing of phigate is changed, only what Python gives it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from phigate.cli.main import main

_FLAG = Path(sys.argv[sys.argv.index("--config") + 1]).parent / "no-threads"
_submit = ThreadPoolExecutor.submit


def _refuse(self: ThreadPoolExecutor, *given: Any, **more: Any) -> Any:
    if self._thread_name_prefix == "phigate-detector" and _FLAG.exists():
        raise RuntimeError("can't start new thread")
    return _submit(self, *given, **more)


ThreadPoolExecutor.submit = _refuse  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    main()
