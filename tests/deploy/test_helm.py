"""The chart: rendered by helm where there is one, else by Go's text/template, which is helm's engine; then judged."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from phigate.upstreams.catalog import Precision, find
from phigate.upstreams.launch import Launch
from phigate.upstreams.plan import Fit
from tests.deploy.test_files import _pairs

CHART = Path(__file__).parents[2] / "deploy/helm/phigate"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def rendered(**changes: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects of the chart by kind and name. Skips where neither helm nor go is installed."""
    values = copy.deepcopy(VALUES) | changes
    jsonschema.validate(values, SCHEMA)
    if shutil.which("helm"):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            command = ["helm", "template", "phigate", str(CHART), "--namespace", "phigate", "--values", file.name]
            ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    elif shutil.which("go"):
        command = [
            "go",
            "run",
            str(Path(__file__).with_name("render.go")),
            *sorted(map(str, CHART.glob("templates/*"))),
        ]
        given = json.dumps({"Values": values, "Release": {"Namespace": "phigate"}})
        alone = {**os.environ, "GOTOOLCHAIN": "local", "GOPROXY": "off", "GO111MODULE": "off"}
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, input=given, env=alone)
    else:
        pytest.skip("neither helm nor go is on this machine: the chart is not rendered")
    assert ran.returncode == 0, ran.stderr
    objects = [each for each in yaml.safe_load_all(ran.stdout) if each]
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


@pytest.fixture(scope="module")
def chart() -> dict[tuple[str, str], dict[str, Any]]:
    return rendered()


def test_a_chart_has_the_objects_that_a_cluster_needs(chart: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert chart.keys() == {
        ("Deployment", "gateway"), ("PodDisruptionBudget", "gateway"), ("Service", "gateway"),
        ("Deployment", "medgemma"), ("Service", "medgemma"),
        ("NetworkPolicy", "nothing"), ("NetworkPolicy", "gateway"), ("NetworkPolicy", "models"),
        ("NetworkPolicy", "ledger"),
    }  # fmt: skip
    assert chart["Deployment", "gateway"]["spec"]["replicas"] == 2
    assert chart["PodDisruptionBudget", "gateway"]["spec"]["maxUnavailable"] == 1
    assert {each["metadata"]["namespace"] for each in chart.values()} == {"phigate"}


def test_selectors_meet_the_pods_that_they_mean(chart: dict[tuple[str, str], dict[str, Any]]) -> None:
    for name in ("gateway", "medgemma"):
        labels = chart["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        for selector in (
            chart["Deployment", name]["spec"]["selector"]["matchLabels"],
            chart["Service", name]["spec"]["selector"],
        ):
            assert selector.items() <= labels.items()
    model = chart["Deployment", "medgemma"]["spec"]["template"]["metadata"]["labels"]
    assert chart["NetworkPolicy", "models"]["spec"]["podSelector"]["matchLabels"].items() <= model.items()
    gateway = chart["NetworkPolicy", "gateway"]["spec"]["podSelector"]["matchLabels"]
    assert gateway.items() <= chart["Deployment", "gateway"]["spec"]["template"]["metadata"]["labels"].items()
    assert not gateway.items() <= model.items()


def test_only_the_gateway_gets_out_and_only_to_declared_hosts(chart: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert chart["NetworkPolicy", "nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in ("models", "ledger"):
        spec = chart["NetworkPolicy", name]["spec"]
        assert "Egress" in spec["policyTypes"]
        assert not spec.get("egress")
    egress = chart["NetworkPolicy", "gateway"]["spec"]["egress"]
    blocks = [to["ipBlock"] for rule in egress for to in rule["to"] if "ipBlock" in to]
    assert blocks == [{"cidr": "203.0.113.10/32"}]
    assert all(rule.get("to") and rule.get("ports") for rule in egress)  # a rule without either would allow all


def test_a_closed_house_has_no_way_out_at_all() -> None:
    egress = rendered(outside=[])["NetworkPolicy", "gateway"]["spec"]["egress"]
    assert all(set(to) == {"podSelector"} for rule in egress for to in rule["to"])


def test_hosts_outside_are_the_destinations_of_the_shipped_policies() -> None:
    policies = yaml.safe_load((CHART.parents[2] / "policies/destinations.yaml").read_text())["destinations"]
    external = {name for name, row in policies.items() if row["kind"] == "external"}
    assert {row["destination"] for row in VALUES["outside"]} == external


def test_several_models_and_hosts_are_rendered_one_by_one() -> None:
    second = VALUES["models"][0] | {"name": "meditron", "clusterIP": "10.96.40.11"}
    hosts = [
        {"destination": "a", "cidrs": ["203.0.113.1/32", "2001:db8::1/128"], "port": 443},
        {"destination": "b", "cidrs": ["203.0.113.2/32"], "port": 8443},
    ]
    made = rendered(models=[*VALUES["models"], second], outside=hosts)
    egress = made["NetworkPolicy", "gateway"]["spec"]["egress"]
    reached = {(to["ipBlock"]["cidr"], r["ports"][0]["port"]) for r in egress for to in r["to"] if "ipBlock" in to}
    assert reached == {("203.0.113.1/32", 443), ("2001:db8::1/128", 443), ("203.0.113.2/32", 8443)}
    models = {to["podSelector"]["matchLabels"].get("app") for r in egress for to in r["to"] if "podSelector" in to}
    assert {"medgemma", "meditron"} <= models
    assert made["Service", "meditron"]["spec"]["clusterIP"] == "10.96.40.11"


def test_pods_are_restricted_pinned_and_hold_no_secret(chart: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert not any(kind == "Secret" for kind, _ in chart)
    for name in ("gateway", "medgemma"):
        pod = chart["Deployment", name]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"])
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
    [gateway] = chart["Deployment", "gateway"]["spec"]["template"]["spec"]["containers"]
    assert gateway["envFrom"] == [{"secretRef": {"name": "phigate-secrets"}}]
    assert "env" not in gateway


def test_models_are_started_as_the_command_says(chart: dict[tuple[str, str], dict[str, Any]]) -> None:
    model = find("medgemma-27b-text")
    assert model is not None
    said = dict(_pairs(Launch(model, Fit(Precision.FP8, 1, 1, 37, 0, 0), 8192, weights=Path("/weights")).arguments()))
    [vllm] = chart["Deployment", "medgemma"]["spec"]["template"]["spec"]["containers"]
    given = {name: value for name, _, value in (argument.partition("=") for argument in vllm["args"])}
    assert given.pop("--host") == "0.0.0.0"
    for name, value in given.items():
        assert said[name] == value


def _changed(path: str, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    node: Any = values
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        node = node[step]
    node[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gateway.image", "phigate:latest"),
        ("models.0.image", "vllm/vllm-openai:latest"),
        ("outside.0.cidrs", ["0.0.0.0/0"]),
        ("outside.0.cidrs", ["203.0.113.0/24"]),
        ("outside.0.cidrs", []),
        ("outside.0.cidrs", ["api.example"]),
        ("models.0.clusterIP", "8.8.8.8"),
        ("models.0.args", ["--model=/weights"]),
        ("models.0.args", ["--allowed-media-domains=none.invalid", "--trust-remote-code"]),
        ("models.0.args", ["--allowed-media-domains=none.invalid", "--host=0.0.0.0"]),
        ("secrets", {"secret": "s", "EU_CLOUD_KEY": "sk-live"}),
        ("secret_key", "x"),
        ("gateway.replicas", 0),
        ("ledger.podLabels", {}),
    ],
)
def test_values_that_would_open_a_door_are_refused(path: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_changed(path, value), SCHEMA)


def test_objects_fit_the_schemas_of_kubernetes(chart: dict[tuple[str, str], dict[str, Any]]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: not checked")
    plain = yaml.safe_load_all((CHART.parents[1] / "kubernetes/phigate.yaml").read_text())
    for each in [*chart.values(), *(each for each in plain if each)]:
        validate.validate(each, "1.31", strict=True)
