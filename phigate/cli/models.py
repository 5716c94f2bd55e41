"""``phigate models``: which medical models there are, which fit on the hospital's cards, how to serve and check one."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phigate.errors import OperatorError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.upstreams.catalog import CatalogueModel
    from phigate.upstreams.identify import Finding
    from phigate.upstreams.launch import Launch
    from phigate.upstreams.place import Place
    from phigate.upstreams.plan import Fit, Verdict


@click.group()
def models() -> None:
    """Choose, serve and check the medical models that run inside the house."""


@models.command("list")
def list_() -> None:
    """List the catalogue."""
    from rich.console import Console
    from rich.table import Table

    from phigate.upstreams.catalog import CATALOGUE

    table = Table(box=None, pad_edge=False)
    for title in ("id", "parameters", "reads", "context", "weights", "good for"):
        table.add_column(title, overflow="fold")
    for m in CATALOGUE:
        gate = "gated" if m.gate.startswith("gated") else "open"
        table.add_row(m.id, f"{m.parameters / 1e9:.1f} B", ", ".join(m.modalities), f"{m.context:,}", gate, m.good_for)
    Console().print(table)


@models.command()
@click.argument("model_id")
def show(model_id: str) -> None:
    """Say all that is known of one model, with sources, and what it needs."""
    from phigate.upstreams.catalog import Precision
    from phigate.upstreams.plan import gigabytes

    m = _found(model_id)
    rows = [
        ("id", m.id),
        ("repository", m.repository),
        ("family", m.family),
        ("parameters", f"{m.parameters:,}"),
        ("reads", ", ".join(m.modalities)),
        ("context", f"{m.context:,} tokens"),
        ("licence", m.licence),
        ("terms", m.terms),
        ("weights", m.gate),
        ("good for", m.good_for),
        *((f"{s.benchmark}", f"{s.percent} %{f' ({s.how})' if s.how else ''}") for s in m.scores),
        ("source", m.source),
    ]
    if m.architecture is not None:
        sizes = ", ".join(f"{p.value} {gigabytes(m.architecture.weight_bytes(p))} GB" for p in Precision)
        rows.append(("weights take", sizes))
        cache = ", ".join(f"{k}k {gigabytes(m.architecture.kv_bytes(k * 1024))} GB" for k in (4, 8, 32, 128))
        rows.append(("cache of one", f"{cache} (bf16 keys and values of one sequence)"))
    else:
        rows.append(("weights take", f"bf16 {gigabytes(m.parameters * 2)} GB"))
    for name, value in rows:
        click.echo(f"{name:14} {value}")


@models.command()
@click.option("--gpu", required=True, help='The cards of one machine, as in "1xA100-80GB".')
@click.option("--users", default=16, show_default=True, help="Requests that must run at the same time.")
@click.option("--context", default="8k", show_default=True, help="Tokens of the longest request with its answer.")
@click.option("--model", "model_id", help="Judge one model alone.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def plan(gpu: str, *, users: int, context: str, model_id: str | None, as_json: bool) -> None:
    """Say which models fit, at which precision and split, for how many at once, and which do not and why."""
    from phigate.upstreams.catalog import CATALOGUE
    from phigate.upstreams.plan import parse_context, parse_gpus
    from phigate.upstreams.plan import plan as judge

    if users < 1:
        raise click.ClickException("expected at least one user")
    try:
        gpus, tokens = parse_gpus(gpu), parse_context(context)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    verdicts = judge([_found(model_id)] if model_id else CATALOGUE, gpus, users=users, context=tokens)
    if as_json:
        click.echo(json.dumps([_as_json(v) for v in verdicts], indent=1))
        return
    for v in verdicts:
        click.echo(f"{v.model.id}")
        for fit in v.fits:
            click.echo(f"  fits     {_fit_line(fit)}")
        for fit in v.tight:
            click.echo(f"  too few  {_fit_line(fit)}, not {users}")
        if v.why_not:
            click.echo(f"  no       {v.why_not}")
    if not gpus.computes_fp8:
        click.echo(f"{gpus.name} holds fp8 weights and computes in 16 bits: it saves memory, not time.")
    click.echo(
        "Assumed for each card: 90 % of its memory (a GB is 10^9 bytes), 2.5 GB of overhead, 3.5 GB where a model is "
        "split, keys and values in bf16, every request at its full context. 4 bit needs weights quantised beforehand."
    )


@models.command()
@click.argument("model_id")
@click.option("--gpu", required=True, help='The cards of this machine, as in "1xA100-80GB".')
@click.option("--users", default=16, show_default=True, help="Requests that must run at the same time.")
@click.option("--context", default="8k", show_default=True, help="Tokens of the longest request with its answer.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8001, show_default=True)
@click.option("--weights", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Local folder.")
@click.option("--load-format", default="auto", show_default=True, help="As vLLM has it; dummy loads no weights.")
@click.option("--print", "only_print", is_flag=True, help="Print the command and do not run it.")
@click.option("--systemd", type=click.Path(dir_okay=False, path_type=Path), help="Write a service file instead.")
@click.option("--user", default="vllm", show_default=True, help="User of the service.")
def serve(
    model_id: str,
    *,
    gpu: str,
    users: int,
    context: str,
    host: str,
    port: int,
    weights: Path | None,
    load_format: str,
    only_print: bool,
    systemd: Path | None,
    user: str,
) -> None:
    """Start vLLM with the arguments that the plan asks for, or write its service file."""
    from phigate.upstreams.launch import Launch

    try:
        fit, tokens = _chosen(model_id, gpu, users, context, has_weights=weights is not None)
        launch = Launch(_found(model_id), fit, tokens, host, port, weights, load_format)
        arguments = launch.arguments()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if only_print:
        click.echo(launch.shell())
    elif systemd is not None:
        systemd.write_text(launch.service(python=sys.executable, user=user), encoding="utf-8")
        click.echo(f"wrote {systemd}; copy it to /etc/systemd/system and run systemctl enable --now {systemd.name}")
    else:
        _start(launch, arguments)


def _start(launch: Launch, arguments: tuple[str, ...]) -> None:
    if importlib.util.find_spec("vllm") is None:
        raise click.ClickException("vLLM is not installed here; run `pip install vllm` on the model server, then again")
    gated = launch.model.gate.startswith("gated") and launch.weights is None and launch.load_format != "dummy"
    if gated and not (os.environ.get("HF_TOKEN") or Path("~/.cache/huggingface/token").expanduser().exists()):
        raise click.ClickException(
            f"the weights of {launch.model.repository} are {launch.model.gate}; then run `hf auth login`, or name a "
            "local folder with --weights"
        )
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *arguments]
    os.execve(sys.executable, command, {**os.environ, **launch.environment()})  # noqa: S606 - our own arguments


@models.command()
@click.argument("url", required=False)
@click.option("--model", "expected", help="The model that must be served, by catalogue id or served name.")
@click.option("--policies", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of policies.")
@click.option("--destination", help="Check the server of this destination against what the policy says of it.")
def check(url: str | None, *, expected: str | None, policies: Path | None, destination: str | None) -> None:
    """Ask a running server who it is, and whether that is what the policy says. Exit status 1 when it is not."""
    from phigate.upstreams.catalog import find
    from phigate.upstreams.identify import identify
    from phigate.upstreams.place import Place

    if policies is not None and destination is not None:
        place, names, context = _declared(policies, destination)
    elif url is not None:
        known = find(expected) if expected else None
        names = [known.repository.rpartition("/")[2] if known else expected] if expected else []
        place, context = Place(url, url), 0
    else:
        raise click.UsageError("name a URL, or --policies FOLDER and --destination NAME")
    try:
        findings = asyncio.run(identify(place, names=[n for n in names if n], context=context))
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
    _report(findings)


def _declared(policies: Path, destination: str) -> tuple[Place, list[str], int]:
    from phigate.policy.load import read
    from phigate.store.bundles import load_folder
    from phigate.upstreams.place import Place

    bundle = read(load_folder(policies)).bundle
    there = bundle.destinations.get(destination) if bundle else None
    if there is None:
        raise click.ClickException(f"the policies in {policies} have no destination `{destination}`")
    context = max((model.context for model in there.models), default=0)
    place = Place(there.id, there.endpoint, pinned_ca=there.pinned_ca, pinned_ca_digest=there.pinned_ca_digest)
    return place, [model.name for model in there.models], context


def _report(findings: Iterable[Finding]) -> None:
    good = True
    for finding in findings:
        good = good and finding.good
        click.echo(f"{'ok ' if finding.good else 'BAD'} {finding.says}")
    if not good:
        raise SystemExit(1)


def _chosen(model_id: str, gpu: str, users: int, context: str, *, has_weights: bool) -> tuple[Fit, int]:
    """Return the best fit: for all users, else the one that serves most. Raises `SettingsError` saying what would."""
    from phigate.upstreams.catalog import CATALOGUE, Precision
    from phigate.upstreams.plan import parse_context, parse_gpus
    from phigate.upstreams.plan import plan as judge

    gpus, tokens = parse_gpus(gpu), parse_context(context)
    [verdict] = judge([_found(model_id)], gpus, users=users, context=tokens)
    usable = [f for f in (*verdict.fits, *verdict.tight) if has_weights or f.precision is not Precision.INT4]
    if usable:
        return usable[0] if verdict.fits else max(usable, key=lambda fit: fit.at_once), tokens
    others = [v.model.id for v in judge(CATALOGUE, gpus, users=users, context=tokens) if v.fits]
    why = verdict.why_not or "fits at 4 bit alone, for which --weights must name a folder of quantised weights"
    raise SettingsError(f"{model_id}: {why}; what would fit: {', '.join(others) or 'nothing of the catalogue'}")


def _found(model_id: str) -> CatalogueModel:
    from phigate.upstreams.catalog import CATALOGUE, find

    m = find(model_id)
    if m is None:
        raise click.ClickException(f"expected one of {', '.join(c.id for c in CATALOGUE)}, found `{model_id[:60]}`")
    return m


def _fit_line(fit: Fit) -> str:
    from phigate.upstreams.plan import gigabytes

    copies = f", {fit.copies} copies" if fit.copies > 1 else ""
    return (
        f"{fit.precision.value:5} on {fit.split} card{'s' if fit.split > 1 else ''}{copies}: weights "
        f"{gigabytes(fit.weight_bytes)} GB, {fit.at_once} at once at {gigabytes(fit.kv_bytes_each)} GB each"
    )


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "model": verdict.model.id,
        "why_not": verdict.why_not,
        **{
            name: [
                {"precision": f.precision.value, "split": f.split, "copies": f.copies, "at_once": f.at_once}
                for f in fits
            ]
            for name, fits in (("fits", verdict.fits), ("too_few", verdict.tight))
        },
    }
