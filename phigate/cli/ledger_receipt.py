"""``phigate ledger receipt``: is what a caller was told still in the log? Every answer carries one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from phigate.tlog.merkle import TreeSize, leaf_hash, tree_root
from phigate.tlog.report import USAGE, Verdict
from phigate.tlog.tile import node_reader

if TYPE_CHECKING:
    from phigate.store.source import DatabaseSource

_RECEIPT: Final = re.compile(r"(?P<origin>[^#\s]+)#(?P<index>0|[1-9][0-9]{0,18})", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TREE: Final = re.compile(r"(?P<size>[1-9][0-9]{0,18}):(?P<root>[0-9a-f]{64})", re.ASCII)


@click.command()
@click.argument("record")
@click.argument("leaf")
@click.argument("tree")
@click.argument("database", required=False)
@click.option("--config", type=click.Path(path_type=Path), default=Path("phigate.yaml"), show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def receipt(
    context: click.Context, record: str, leaf: str, tree: str, database: str | None, *, config: Path, as_json: bool
) -> None:
    """Check the receipt of an answer: the headers x-phigate-record, x-phigate-leaf and x-phigate-checkpoint.

    Exit status 0 when the log still holds it, 3 when it does not: the log was rolled back or forked since.
    """
    from phigate.cli.ledger import open_source

    told, seen = _RECEIPT.fullmatch(record), _TREE.fullmatch(tree)
    if told is None or seen is None or _HASH.fullmatch(leaf) is None:
        click.echo("error: expected ORIGIN#INDEX, a leaf hash and SIZE:ROOT, as the headers have them", err=True)
        context.exit(USAGE)
    with open_source(context, database, config, told["origin"]) as source:
        why = beyond(source, int(told["index"]), bytes.fromhex(leaf), int(seen["size"]), bytes.fromhex(seen["root"]))
    said = {"record": record, "holds": why is None, **({"why": why} if why else {})}
    click.echo(json.dumps(said) if as_json else f"{record}: {why or 'stands, and the log extends the tree of then'}")
    context.exit(int(Verdict.FORK if why else Verdict.VERIFIED))


def beyond(source: DatabaseSource, index: int, leaf: bytes, size: int, root: bytes) -> str | None:
    """Return why a log does not continue what a receipt says, None where it does."""
    if index >= size:
        return f"no entry {index} can stand in a tree of {size}"
    if size > source.size:
        return f"the receipt names a tree of {size} entries, {source.size} are there: it was rolled back"
    rows = source.rows(index, index + 1)
    if not rows or leaf_hash(bytes(rows[0].entry)) != leaf:
        return f"another entry stands at {index}"
    if tree_root(TreeSize(size), node_reader(TreeSize(size), source.any_tile)) != root:
        return f"the log had another root at size {size}: it was forked"
    return None
