"""How vLLM is started for one model: its arguments, its environment, and the service file that keeps it running."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phigate.errors import SettingsError
from phigate.upstreams.catalog import CatalogueModel, Precision
from phigate.upstreams.plan import Fit

# A list of allowed domains that no host is in: an empty one would mean that every domain is allowed.
_NO_DOMAIN: Final = "none.invalid"
_QUANTISED: Final = {Precision.BF16: (), Precision.FP8: ("--quantization", "fp8"), Precision.INT4: ()}
ENVIRONMENT: Final = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True, slots=True)
class Launch:
    """One server to start. ``weights`` is a local folder, or None for the hub."""

    model: CatalogueModel
    fit: Fit
    context: int
    host: str = "127.0.0.1"
    port: int = 8001
    weights: Path | None = None
    load_format: str = "auto"

    def arguments(self) -> tuple[str, ...]:
        """Return what follows ``python -m vllm.entrypoints.openai.api_server``. Raises `SettingsError`."""
        if self.fit.precision is Precision.INT4 and self.weights is None:
            raise SettingsError(
                f"{self.model.repository} has no 4-bit weights; quantise it and name the folder with --weights"
            )
        sequences = max(1, self.fit.at_once // self.fit.copies)
        lengths = ("--max-model-len", str(min(self.context, self.model.context))) if self.model.architecture else ()
        return (
            *("--model", str(self.weights) if self.weights else self.model.repository),
            *("--served-model-name", self.served_name),
            *("--host", self.host, "--port", str(self.port)),
            *("--tensor-parallel-size", str(self.fit.split)),
            *lengths,
            *("--max-num-seqs", str(sequences), "--gpu-memory-utilization", "0.90"),
            *("--load-format", self.load_format),
            *_QUANTISED[self.fit.precision],
            *("--allowed-media-domains", _NO_DOMAIN),
            *self.model.arguments,
        )

    @property
    def served_name(self) -> str:
        """Return the name that clients and policy use: the repository's, without its owner."""
        return self.model.repository.rpartition("/")[2]

    def environment(self) -> dict[str, str]:
        """Return the variables to set: no telemetry, and no network where the weights are local."""
        return {**ENVIRONMENT, **({"HF_HUB_OFFLINE": "1"} if self.weights else {})}

    def service(self, *, python: str, user: str) -> str:
        """Return a systemd unit. ExecStart quotes as systemd does: no shell, and % doubled."""
        command = " ".join(
            _for_systemd(word) for word in (python, "-m", "vllm.entrypoints.openai.api_server", *self.arguments())
        )
        variables = "".join(f"Environment={name}={value}\n" for name, value in self.environment().items())
        network = "IPAddressDeny=any\nIPAddressAllow=localhost\n" if self.weights and self.host == "127.0.0.1" else ""
        return (
            f"[Unit]\nDescription=model server {self.served_name}\nAfter=network.target\n\n"
            f"[Service]\nUser={user}\n{variables}ExecStart={command}\n"
            "Restart=on-failure\nRestartSec=10\nTimeoutStopSec=120\n"
            "NoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=read-only\nPrivateTmp=yes\n"
            f"{network}\n[Install]\nWantedBy=multi-user.target\n"
        )

    def shell(self) -> str:
        """Return the command as one line for a shell."""
        variables = " ".join(f"{name}={value}" for name, value in self.environment().items())
        return f"{variables} python -m vllm.entrypoints.openai.api_server {shlex.join(self.arguments())}"


def _for_systemd(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(char in word for char in " '\"{}\t;") else escaped
