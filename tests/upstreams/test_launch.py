from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from phigate.errors import SettingsError
from phigate.upstreams.catalog import CATALOGUE, Precision, find
from phigate.upstreams.launch import Launch
from phigate.upstreams.plan import Fit


def launch(model_id: str = "medgemma-4b", precision: Precision = Precision.BF16, **changes: object) -> Launch:
    model = find(model_id)
    assert model is not None
    return Launch(model, Fit(precision, 2, 3, 30, 1, 1), 8192, **changes)  # type: ignore[arg-type]


def value_of(arguments: tuple[str, ...], name: str) -> str:
    return arguments[arguments.index(name) + 1]


@pytest.mark.parametrize("model_id", [m.id for m in CATALOGUE])
def test_server_fetches_nothing_whatever_the_model(model_id: str) -> None:
    arguments = launch(model_id).arguments()
    assert value_of(arguments, "--allowed-media-domains") == "none.invalid"
    assert "--trust-remote-code" not in arguments
    assert value_of(arguments, "--host") == "127.0.0.1"
    assert launch(model_id).environment()["VLLM_NO_USAGE_STATS"] == "1"


def test_arguments_follow_the_plan() -> None:
    arguments = launch(port=9000).arguments()
    assert value_of(arguments, "--model") == "google/medgemma-4b-it"
    assert value_of(arguments, "--served-model-name") == "medgemma-4b-it"
    assert value_of(arguments, "--tensor-parallel-size") == "2"
    assert value_of(arguments, "--max-num-seqs") == "10"
    assert value_of(arguments, "--max-model-len") == "8192"
    assert value_of(arguments, "--port") == "9000"
    assert "--quantization" not in arguments
    assert value_of(launch(precision=Precision.FP8).arguments(), "--quantization") == "fp8"
    assert "--max-model-len" not in launch("medsiglip").arguments()
    assert value_of(launch("medsiglip").arguments(), "--runner") == "pooling"


def test_four_bits_need_weights_that_somebody_quantised(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no 4-bit weights; quantise it"):
        launch(precision=Precision.INT4).arguments()
    local = launch(precision=Precision.INT4, weights=tmp_path)
    assert value_of(local.arguments(), "--model") == str(tmp_path)
    assert local.environment()["HF_HUB_OFFLINE"] == "1"


def test_service_quotes_as_systemd_reads(tmp_path: Path) -> None:
    folder = tmp_path / "a b%c$d"
    unit = launch(weights=folder).service(python="/opt/venv/bin/python", user="vllm")
    [command] = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert "a b%%c$$d" in command
    assert r'"{\"image\": 4}"' in command
    assert "IPAddressDeny=any" in unit
    assert "IPAddressDeny" not in launch().service(python="python", user="vllm")
    assert "NoNewPrivileges=yes" in unit


def test_shell_line_splits_into_the_same_arguments() -> None:
    words = shlex.split(launch().shell())
    assert tuple(words[words.index("--model") :]) == launch().arguments()
