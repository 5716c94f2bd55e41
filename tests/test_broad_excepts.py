"""Nothing below the shell catches everything, but for what docs/adr/0007-broad-excepts.md names."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
# file -> whether its one broad except raises again
NAMED = {
    "phigate/analyzers/examine.py": False,
    "phigate/cli/verify.py": False,
    "phigate/gateway.py": True,
    "phigate/upstreams/external.py": False,
    "phigate/upstreams/outside_events.py": False,
}


def _broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        each is None or (isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"}) for each in caught
    )


def test_broad_excepts_are_the_named_ones() -> None:
    found: dict[str, bool] = {}
    for file in sorted((ROOT / "phigate").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and _broad(node) and not name.startswith("phigate/app/"):
                assert name not in found, f"{name}: expected one broad except at most"
                found[name] = any(isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(node))
    assert found == NAMED


def test_each_is_explained() -> None:
    told = (ROOT / "docs/adr/0007-broad-excepts.md").read_text(encoding="utf-8")
    for name in NAMED:
        assert name.removeprefix("phigate/") in told
