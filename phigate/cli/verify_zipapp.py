"""Pack ``phigate-verify`` into one file: ``python -m phigate.cli.verify_zipapp OUT.pyz``.

The file holds `phigate/tlog` and the command, nothing else of phigate. The same sources give the same bytes, so that
an auditor can build it and compare. It runs with any Python from 3.11 that has `cryptography`.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_FILES: Final = (
    "__init__.py",
    "cli/__init__.py",
    "cli/verify.py",
    "cli/verify_sources.py",
    "store/__init__.py",
    "store/verifying.py",
)
_MAIN: Final = """\
import sys

def need(what):
    sys.stderr.write("phigate-verify needs " + what + "\\n")
    sys.exit(2)  # not 1, which means: tampered


if sys.version_info < (3, 11):
    need("Python 3.11 or newer")
try:
    import cryptography
except ImportError:
    need("the package cryptography: pip install cryptography")

if __name__ == "__main__":
    from phigate.cli.verify import main

    sys.exit(main())
"""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file knows


def build(out: Path) -> str:
    """Write the file, executable, and return the SHA-256 of its bytes in hex."""
    with out.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, data in _members():
                member = zipfile.ZipInfo(name, _EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o644 << 16
                member.create_system = 3  # the same on every system that builds it
                archive.writestr(member, data)
    out.chmod(0o755)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def _members() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", _MAIN.encode()
    modules = sorted(path.relative_to(_PACKAGE).as_posix() for path in (_PACKAGE / "tlog").glob("*.py"))
    for name in sorted([*_FILES, *modules]):
        yield f"phigate/{name}", (_PACKAGE / name).read_bytes()


def main() -> None:
    """Build at the path that the command line names."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m phigate.cli.verify_zipapp OUT.pyz\n")
        sys.exit(64)
    out = Path(sys.argv[1])
    sys.stdout.write(f"{build(out)}  {out}\n")


if __name__ == "__main__":
    main()
