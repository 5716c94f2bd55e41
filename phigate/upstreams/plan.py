"""Which model fits on which GPUs, held how, for how many at once: arithmetic over the catalogue, no hardware asked.

What is assumed stands in `Assumptions` and is printed with every plan. A GB is 10^9 bytes, as vendors count: a card
of 80 GB has a little more, so a plan errs on the safe side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phigate.errors import SettingsError
from phigate.upstreams.catalog import Architecture, CatalogueModel, Precision

_GPU: Final = re.compile(r"(?:(\d{1,3})\s*x\s*)?([A-Za-z][A-Za-z0-9_ ]{0,30})-(\d{1,4})\s*GB", re.IGNORECASE)
_CONTEXT: Final = re.compile(r"(\d{1,7})\s*(k?)", re.IGNORECASE)
# Cards that compute in fp8; others read fp8 weights and compute in 16 bits, which saves memory and no time.
_FP8: Final = ("H100", "H200", "H20", "B200", "B100", "GB200", "L4", "L40", "L40S", "RTX4090", "RTX5090", "RTX6000ADA")
_NO_BF16: Final = ("T4", "V100", "P100")
_SPLITS: Final = (1, 2, 4, 8, 16)
_MOST_SEQUENCES: Final = 256


@dataclass(frozen=True, slots=True)
class GPUs:
    """The cards of one machine."""

    count: int
    name: str
    memory_gb: int

    @property
    def computes_fp8(self) -> bool:
        """Whether fp8 weights are multiplied as they are."""
        return self.name in _FP8

    @property
    def has_bf16(self) -> bool:
        """Whether bf16 is more than emulated."""
        return self.name not in _NO_BF16


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a plan takes for granted, for each card."""

    share: float = 0.90  # of the memory that vLLM may use (its --gpu-memory-utilization)
    overhead_bytes: int = 2_500_000_000  # CUDA context, activations of one step, graphs
    split_overhead_bytes: int = 1_000_000_000  # more where a model is split over cards


@dataclass(frozen=True, slots=True)
class Fit:
    """How one model can be served on the cards."""

    precision: Precision
    split: int  # tensor parallelism: cards for one copy
    copies: int
    at_once: int  # sequences of full context, all copies together
    weight_bytes: int
    kv_bytes_each: int  # of one sequence of full context


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a plan says of one model: how it fits, or why it does not."""

    model: CatalogueModel
    fits: tuple[Fit, ...]  # enough for all users, best precision first
    tight: tuple[Fit, ...]  # fits, but not for so many at once
    why_not: str = ""


def parse_gpus(text: str) -> GPUs:
    """Read ``2xA100-80GB``. Raises `SettingsError`."""
    match = _GPU.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"expected GPUs as in 1xA100-80GB, found `{text[:40]}`")
    count, memory = int(match[1] or 1), int(match[3])
    if not (count and memory):
        raise SettingsError("expected at least one GPU with some memory")
    return GPUs(count, match[2].replace(" ", "").replace("_", "").upper(), memory)


def parse_context(text: str) -> int:
    """Read tokens as in 8k (8 192) or 6000. Raises `SettingsError`."""
    match = _CONTEXT.fullmatch(text.strip())
    tokens = int(match[1]) * (1024 if match[2] else 1) if match else 0
    if not 0 < tokens <= 10_000_000:
        raise SettingsError(f"expected a context in tokens as in 8k, found `{text[:40]}`")
    return tokens


def plan(
    models: Sequence[CatalogueModel],
    gpus: GPUs,
    *,
    users: int,
    context: int,
    assumptions: Assumptions | None = None,
) -> tuple[Verdict, ...]:
    """Judge each model for ``users`` sequences of ``context`` tokens at once."""
    given = assumptions or Assumptions()
    return tuple(_judge(model, gpus, users, context, given) for model in models)


def _judge(model: CatalogueModel, gpus: GPUs, users: int, context: int, given: Assumptions) -> Verdict:
    if context > model.context and model.architecture is not None:
        return Verdict(model, (), (), f"reads at most {model.context} tokens, {context} are asked for")
    if not gpus.has_bf16:
        return Verdict(
            model, (), (), f"{gpus.name} has no bf16; the model needs it or 16-bit floats it was not made for"
        )
    if model.architecture is None:
        return _judge_encoder(model, gpus, users, given)
    found = [fit for p in Precision if (fit := _best(model.architecture, p, gpus, users, context, given)) is not None]
    if not found:
        return Verdict(model, (), (), _too_big(model.architecture, gpus, context, given))
    return Verdict(model, tuple(f for f in found if f.at_once >= users), tuple(f for f in found if f.at_once < users))


def _best(
    architecture: Architecture, precision: Precision, gpus: GPUs, users: int, context: int, given: Assumptions
) -> Fit | None:
    """Return the way with the fewest cards a copy that serves all users, else the one that serves most."""
    options = [
        fit
        for split in _SPLITS
        if split <= gpus.count and architecture.heads % split == 0
        if (fit := _fit(architecture, precision, gpus, split, context, given)) is not None
    ]
    enough = [fit for fit in options if fit.at_once >= users]
    return enough[0] if enough else max(options, key=lambda fit: fit.at_once, default=None)


def _fit(
    architecture: Architecture, precision: Precision, gpus: GPUs, split: int, context: int, given: Assumptions
) -> Fit | None:
    weights, each = architecture.weight_bytes(precision), architecture.kv_bytes(context)
    # With more cards than KV heads, each head is held more than once.
    held_each = each * max(1, split / architecture.kv_heads)
    free = split * _usable(gpus, split, given) - weights
    at_once = min(int(free // held_each), _MOST_SEQUENCES)
    if at_once < 1:
        return None
    copies = gpus.count // split
    return Fit(precision, split, copies, at_once * copies, weights, each)


def _usable(gpus: GPUs, split: int, given: Assumptions) -> float:
    return gpus.memory_gb * 1e9 * given.share - given.overhead_bytes - (given.split_overhead_bytes if split > 1 else 0)


def _judge_encoder(model: CatalogueModel, gpus: GPUs, users: int, given: Assumptions) -> Verdict:
    weights = model.parameters * 2
    if weights > _usable(gpus, 1, given):
        return Verdict(model, (), (), f"needs {gigabytes(weights)} GB for its weights")
    return Verdict(model, (Fit(Precision.BF16, 1, gpus.count, max(users, _MOST_SEQUENCES), weights, 0),), ())


def _too_big(architecture: Architecture, gpus: GPUs, context: int, given: Assumptions) -> str:
    least = architecture.weight_bytes(Precision.INT4) + architecture.kv_bytes(context)
    have = max(split * _usable(gpus, split, given) for split in _SPLITS if split <= gpus.count)
    return (
        f"needs {gigabytes(least)} GB even at 4 bit for one sequence; "
        f"{gpus.count}x{gpus.name}-{gpus.memory_gb}GB leave {gigabytes(max(have, 0))} GB for one copy"
    )


def gigabytes(size: float) -> str:
    """Return a size in GB with one digit behind the point."""
    return f"{size / 1e9:.1f}"
