"""What can be known of the deployment files without a cluster: they parse, agree with the code, and close doors."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from phigate.cli.main import main
from phigate.metrics import COUNTERS, GAUGES, TIMINGS
from phigate.upstreams.catalog import Precision, find
from phigate.upstreams.launch import Launch
from phigate.upstreams.plan import Fit

DEPLOY = Path(__file__).parents[2] / "deploy"


def loaded(name: str) -> list[dict[str, Any]]:
    return [doc for doc in yaml.safe_load_all((DEPLOY / name).read_text()) if doc]


def compose() -> dict[str, Any]:
    return loaded("compose.yaml")[0]


def manifests(kind: str) -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m for m in loaded("kubernetes/phigate.yaml") if m["kind"] == kind}


def test_every_yaml_and_json_file_parses() -> None:
    files = [f for f in (*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")) if "templates" not in f.parts]
    assert len(files) >= 5
    for file in files:
        assert list(yaml.safe_load_all(file.read_text()))
    json.loads((DEPLOY / "grafana/dashboards/phigate.json").read_text())


@pytest.mark.parametrize("service", ["gateway", "ledger", "medgemma", "witness", "prometheus", "grafana"])
def test_containers_write_nothing_gain_nothing_and_have_no_image_by_default(service: str) -> None:
    row = compose()["services"][service]
    assert row["read_only"] is True
    assert row["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in row["security_opt"]
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:\?.+\}", row["image"])
    for port in row.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_model_server_and_ledger_have_no_route_out() -> None:
    made = compose()
    internal = {name for name, network in made["networks"].items() if network.get("internal")}
    assert internal == {"models", "house", "vouching"}
    for service in ("medgemma", "ledger", "prometheus", "witness"):
        assert set(made["services"][service]["networks"]) <= internal
    assert "out" in made["services"]["gateway"]["networks"]


def test_witness_is_started_with_options_that_exist_and_shares_nothing_with_the_gateway_but_a_network() -> None:
    made = compose()["services"]
    group, name, *arguments = made["witness"]["command"]
    found: Any = main.get_command(click.Context(main), group)
    command = found.get_command(click.Context(found), name)
    assert {argument.partition("=")[0] for argument in arguments} <= {o for p in command.params for o in p.opts}
    assert set(made["witness"]["networks"]) == {"vouching"}
    assert not set(made["witness"]["secrets"]) & set(made["gateway"]["secrets"])
    assert made["witness"]["user"] != made["gateway"]["user"]


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield options with their values; a switch has none."""
    for name, value in itertools.zip_longest(arguments, arguments[1:], fillvalue="--"):
        if name.startswith("--"):
            yield name, "" if value.startswith("--") else value


def _model_arguments() -> list[list[str]]:
    [vllm] = manifests("Deployment")["medgemma"]["spec"]["template"]["spec"]["containers"]
    return [compose()["services"]["medgemma"]["command"], vllm["args"]]


def test_model_servers_are_started_as_the_command_says() -> None:
    model = find("medgemma-27b-text")
    assert model is not None
    fit = Fit(Precision.FP8, 1, 1, 37, 0, 0)
    said = Launch(model, fit, 8192, weights=Path("/weights")).arguments()
    pairs = dict(_pairs(said))
    for arguments in _model_arguments():
        given = {name: value for name, _, value in (argument.partition("=") for argument in arguments)}
        assert given.pop("--host")
        for name, value in given.items():
            assert pairs[name] == value
        assert "--enable-auto-tool-choice" in given
        assert given["--allowed-media-domains"] == "none.invalid"


def test_cluster_denies_all_traffic_but_what_is_named() -> None:
    policies = manifests("NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "Egress" in policies["medgemma"]["spec"]["policyTypes"]
    assert "egress" not in policies["medgemma"]["spec"]
    blocks = [
        to["ipBlock"]["cidr"] for rule in policies["gateway"]["spec"]["egress"] for to in rule["to"] if "ipBlock" in to
    ]
    assert blocks
    assert all(block.endswith("/32") for block in blocks)


@pytest.mark.parametrize("name", ["gateway", "medgemma"])
def test_pods_are_restricted_and_images_pinned(name: str) -> None:
    pod = manifests("Deployment")[name]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert "@sha256:" in container["image"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    assert manifests("PodDisruptionBudget")["gateway"]["spec"]["minAvailable"] == 1


def _metrics_named(text: str) -> set[str]:
    return set(re.findall(r"phigate_[a-z_]+", text))


def test_dashboard_and_alerts_name_metrics_that_exist() -> None:
    there = (
        {f"phigate_{name}_total" for name in COUNTERS}
        | {f"phigate_{name}_bucket" for name in TIMINGS}
        | {f"phigate_{name}" for name in GAUGES}
    )
    dashboard = (DEPLOY / "grafana/dashboards/phigate.json").read_text()
    alerts = (DEPLOY / "prometheus/alerts.yml").read_text()
    assert _metrics_named(dashboard) <= there
    assert _metrics_named(alerts) <= there
    assert "phigate_proven_misses_total" in alerts
    labels = {f"phigate_{name}_total": set(row[0]) for name, row in COUNTERS.items()}
    for by, metric in re.findall(r"sum by \((\w+)\) \((?:rate|increase)\((phigate_\w+_total)", dashboard):
        assert by in labels[metric]


ROOT = DEPLOY.parent
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *DEPLOY.rglob("*.md"), ROOT / "policies/README.md"]
)


def _commands(text: str) -> Iterator[str]:
    """Yield what a page says to type: `phigate …` in code, and lines of code blocks that begin with it."""
    for match in re.finditer(r"`(phigate [^`]+)(?<! v1)`", text):  # a context line of a note ends in v1
        yield " ".join(match[1].split())
    for block in re.findall(r"^```\w*\n(.+?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("phigate "):
                yield line.partition(" #")[0]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_the_documentation_names_exists(page: str) -> None:
    commands = list(_commands((ROOT / page).read_text(encoding="utf-8")))
    if page in {"deploy/README.md", "docs/onprem.md", "docs/witness.md"}:
        assert len(commands) >= 2
    for command in commands:
        words = shlex.split(command.partition(" <")[0].replace("…", "x"))[1:]
        found: click.Command = main
        while isinstance(found, click.Group) and words:
            inner = found.get_command(click.Context(found), words[0])
            assert inner is not None, command
            found, words = inner, words[1:]
        options = {o for p in found.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "--version"}
        assert {w.split("=")[0] for w in words if w.startswith("--")} <= options, command


def test_scripts_pass_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not on this machine: scripts are not checked")
    scripts = [ROOT / ".ci/run", *(ROOT / "tests").rglob("*.sh"), *DEPLOY.rglob("*.sh")]
    assert len(scripts) >= 2
    ran = subprocess.run(["shellcheck", *map(str, scripts)], check=False, capture_output=True, text=True)
    assert ran.stdout == ""
    assert ran.returncode == 0


def test_dockerfile_ends_as_nobody_and_takes_locked_packages() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "ARG BASE\nFROM ${BASE}" in text
    assert "--require-hashes" in text
    assert text.rindex("USER 10001:10001") > text.rindex("RUN ")
    root = DEPLOY.parent
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in line.split():
            assert (root / name).exists(), name


def test_units_are_accepted_by_systemd(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    model = find("medgemma-4b")
    assert model is not None
    written = tmp_path / "medgemma.service"
    written.write_text(
        Launch(model, Fit(Precision.BF16, 1, 1, 16, 0, 0), 8192).service(python="/bin/true", user="root")
    )
    ours = tmp_path / "phigate.service"
    text = (DEPLOY / "systemd/phigate.service").read_text()
    ours.write_text(text.replace("/opt/phigate/bin/phigate", "/bin/true"))
    for unit in (written, ours):
        ran = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
        )
        complaints = [line for line in ran.stderr.splitlines() if unit.name in line]
        assert complaints == []
