from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phigate.app.standin import stand_in
from phigate.cli.main import main
from phigate.upstreams.catalog import CATALOGUE
from tests.upstreams.serving import closed_port, served


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def test_list_and_show_name_every_model() -> None:
    shown = run("list").output.replace("\n", "")
    for model in CATALOGUE:
        assert model.id[:10] in shown
        one = run("show", model.id)
        assert one.exit_code == 0
        assert model.repository in one.output
        assert model.licence in one.output
    assert "141.1 GB" in run("show", "openbiollm-70b").output


def test_unknown_model_names_those_there_are() -> None:
    ran = run("show", "gpt-5")
    assert ran.exit_code == 1
    assert "expected one of medgemma-4b," in ran.output


def test_plan_says_what_fits_and_what_does_not() -> None:
    ran = run("plan", "--gpu", "1xA100-80GB", "--users", "8", "--context", "8k")
    assert ran.exit_code == 0
    block = ran.output.split("openbiollm-70b\n")[1].split("meditron3-8b")[0]
    assert "fits     4bit" in block
    assert "bf16" not in block
    rows = json.loads(run("plan", "--gpu", "1xL4-24GB", "--model", "meditron3-70b", "--json").output)
    assert rows[0]["fits"] == []
    assert "even at 4 bit" in rows[0]["why_not"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "lots"], "expected GPUs as in 1xA100-80GB"),
        (["--gpu", "1xA100-80GB", "--users", "0"], "expected at least one user"),
        (["--gpu", "1xA100-80GB", "--context", "long"], "expected a context in tokens"),
    ],
)
def test_plan_refuses_what_it_cannot_read(arguments: list[str], message: str) -> None:
    ran = run("plan", *arguments)
    assert ran.exit_code == 1
    assert message in ran.output


def test_serve_prints_and_writes_what_it_would_run(tmp_path: Path) -> None:
    ran = run("serve", "medgemma-27b-text", "--gpu", "1xH100-80GB", "--print")
    assert "--quantization fp8" in ran.output
    assert "--allowed-media-domains none.invalid" in ran.output
    unit = tmp_path / "medgemma.service"
    ran = run("serve", "medgemma-4b", "--gpu", "1xL4-24GB", "--systemd", str(unit))
    assert ran.exit_code == 0
    assert "ExecStart=" in unit.read_text()


def test_serve_says_what_would_fit_or_what_is_missing() -> None:
    ran = run("serve", "meditron3-70b", "--gpu", "1xL4-24GB", "--users", "1")
    assert ran.exit_code == 1
    assert "what would fit: medgemma-4b" in ran.output
    ran = run("serve", "medgemma-4b", "--gpu", "1xL4-24GB")
    assert ran.exit_code == 1
    assert "pip install vllm" in ran.output


def test_check_compares_a_server_with_a_name_or_a_policy() -> None:
    with served(stand_in("ward", "medgemma-27b-it")) as url:
        good = run("check", f"{url}/v1", "--model", "medgemma-27b-multimodal")
        bad = run("check", f"{url}/v1", "--model", "medgemma-4b")
    assert good.exit_code == 0
    assert "ok  medgemma-27b-it is served as declared" in good.output
    assert bad.exit_code == 1
    assert "BAD medgemma-4b-it is not served" in bad.output
    assert run("check", f"http://127.0.0.1:{closed_port()}").exit_code == 1
    assert run("check").exit_code == 2
    policies = str(Path(__file__).parents[2] / "policies")
    ran = run("check", "--policies", policies, "--destination", "nowhere")
    assert "have no destination `nowhere`" in ran.output
    ran = run("check", "--policies", policies, "--destination", "medgemma")
    assert ran.exit_code in (0, 1)  # a server may run on this machine
    assert "http://127.0.0.1:8001/v1" in ran.output
