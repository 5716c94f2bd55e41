"""What the demo prints: plain panels that a compliance officer can read beside a developer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

if TYPE_CHECKING:
    from phigate.cli.demo import Answer, Check, Example

_SHOWN = ("mode", "purpose", "found", "operators", "residual", "status", "tokens")
_OUT = Console(highlight=False, soft_wrap=False)


def opening(site: Path, *, port: int) -> None:
    """Say what runs, and on what paper."""
    _OUT.print(
        Panel.fit(
            f"gateway      http://127.0.0.1:{port}/v1\nsite         {escape(str(site.parent))}\n"
            "upstreams    two stand-ins on loopback: medgemma-27b-it in the house, gpt-5 outside\n"
            "[yellow]policies     signed with the DEVELOPMENT key: for this demo, never for patients[/yellow]",
            title="phigate demo",
        )
    )


def example(number: int, shown: Example, answer: Answer, got: Mapping[str, Sequence[str]], site: Path) -> None:
    """Show one exchange: sent, received by each upstream, answered, decided, recorded."""
    _OUT.rule(f"[bold]{number}. {escape(shown.title)}")
    _OUT.print(f"[dim]{escape(shown.why)}[/dim]\n")
    table = Table(show_header=False, box=None, padding=(0, 2, 1, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("the app sent", escape(_messages(json.dumps(shown.body, ensure_ascii=False))))
    for name, label in (("onprem", "on-prem received"), ("external", "external received")):
        bodies = "\n".join(_messages(body) for body in got[name])
        table.add_row(label, escape(bodies) if bodies else "[dim]nothing[/dim]")
    table.add_row("the app got", escape(answer.text))
    table.add_row("decision", _decision(answer))
    entries = _entries(site, answer.headers.get("x-request-id", ""))
    rules = [rule for entry in entries for rule in entry.get("rules", [])]
    if rules:
        table.add_row("reasons", _reasons(site, rules))
    table.add_row("ledger", "\n".join(_facts(entry) for entry in entries) or "[red]no record[/red]")
    _OUT.print(table)


def verification(site: Path, check: Check) -> None:
    """Verify the whole ledger as an auditor would, in a process of its own."""
    _OUT.rule("[bold]the ledger, verified from its file alone")
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "phigate", "ledger", "verify", "--config", str(site)],
        check=False,
        capture_output=True,
        text=True,
    )
    _OUT.print(escape(done.stdout.strip() or done.stderr.strip()))
    check.that(holds=done.returncode == 0, otherwise=f"the ledger does not verify (status {done.returncode})")


def invitation(port: int, key: str, upstreams: Mapping[str, str]) -> None:
    """Print the lines to try."""
    body = '{"model": "gpt-5", "messages": [{"role": "user", "content": "Is Ana Souza, MRN 5512907, due a booster?"}]}'
    _OUT.rule("[bold]try it")
    lines = (
        (
            f"curl -s http://127.0.0.1:{port}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n"
            f"  -H 'Content-Type: application/json' -d '{body}'\n"
        ),
        "from openai import OpenAI",
        f'client = OpenAI(base_url="http://127.0.0.1:{port}/v1", api_key="{key}")',
        'print(client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}]))\n',
        f"what each model received:  curl -s {upstreams['onprem']}/received   curl -s {upstreams['external']}/received",
        f"state:  curl -s http://127.0.0.1:{port}/readyz      end with Ctrl-C",
    )
    for line in lines:
        _OUT.print(escape(line), soft_wrap=True)


def verdict(check: Check) -> None:
    """Say in one line whether all came out as decided."""
    if not check.wrong:
        _OUT.print("[green]what left and what was recorded is what the decisions said[/green]")
    for wrong in check.wrong:
        _OUT.print(f"[red]{escape(wrong)}[/red]")


def _messages(body: str) -> str:
    """Return the texts of a request as a reader wants them: role, then content; data URIs cut short."""
    lines = []
    for message in json.loads(body).get("messages", []):
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for part in parts:
            text = part.get("text") or f"({part.get('type')}: {len(json.dumps(part))} bytes)"
            lines.append(f"{message.get('role')}: {text}")
    return "\n".join(lines)


def _decision(answer: Answer) -> str:
    h = answer.headers
    return (
        f"[cyan]{h.get('x-phigate-mode', '?')}[/cyan] to {h.get('x-phigate-destination', '?')}"
        f"   policy {h.get('x-phigate-policy', '?')[:19]}…"
    )


def _reasons(site: Path, rules: Sequence[str]) -> str:
    """Return each rule that spoke: what it demands, and on which citation."""
    from phigate.store.bundles import FolderBundles

    bundle = FolderBundles(site.parent / "policies", dev=True).current()
    known = {rule.id: rule for regime in bundle.regimes.values() for rule in regime.rules}
    return escape("\n".join(f"{k.id}: {k.effect} {k.mode} ({k.cite})" for rule in rules if (k := known.get(rule))))


def _entries(site: Path, rid: str) -> list[dict[str, Any]]:
    """Return the entries of one exchange, read back by the command an auditor uses."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "phigate", "ledger", "show", "--rid", rid, "--json", "--config", str(site)],
        check=False,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []


def _facts(entry: Mapping[str, Any]) -> str:
    facts = {name: entry[name] for name in _SHOWN if name in entry}
    return escape(
        f"#{entry['idx']} {entry['kind']}: {yaml.safe_dump(facts, default_flow_style=True, width=4000).strip()}"
    )
