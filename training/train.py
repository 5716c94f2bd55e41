"""Train the tagger and write its weights: `make train`. At most 20 minutes on two cores.

Every epoch sees new documents. After each the model is measured on held-out families and held-out names, and the best
epoch by that figure is the one that is written; evaluation corpora are never read here.
Weights go to phigate/analyzers/data/tagger.npz in half precision, with seed, versions and a checksum.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from phigate.analyzers.names.features import LABELS
from training import natural
from training.documents import Document, Maker
from training.encode import Encoded, Encoder
from training.lexicon import DATA, HERE
from training.model import DILATIONS, Tagger

_LONGEST = 220  # tokens; longer documents are cut
_BATCH = 6000  # tokens


def batches(documents: list[Encoded], rng: random.Random) -> Iterator[list[Encoded]]:
    """Yield batches of documents of like length."""
    order = sorted(documents, key=lambda item: (len(item.words), rng.random()))
    groups: list[list[Encoded]] = []
    current: list[Encoded] = []
    for document in order:
        if current and (len(current) + 1) * len(document.words) > _BATCH:
            groups.append(current)
            current = []
        current.append(document)
    groups.append(current)
    rng.shuffle(groups)
    yield from groups


def cut(document: Encoded, rng: random.Random) -> Encoded:
    """Cut a long document at a random place."""
    if len(document.words) <= _LONGEST:
        return document
    start = rng.randrange(len(document.words) - _LONGEST)
    part = slice(start, start + _LONGEST)
    return Encoded(document.words[part], document.gaps[part], document.labels[part])


class Feeder:
    """Turns batches into tensors, with the tables of the encoder that made them."""

    def __init__(self, encoder: Encoder) -> None:
        rows, groups = encoder.tables()
        self._rows, self._groups = torch.from_numpy(rows), torch.from_numpy(groups)

    def tensors(self, batch: list[Encoded]) -> tuple[torch.Tensor, ...]:
        longest = max(len(item.words) for item in batch)
        words = np.zeros((len(batch), longest), dtype=np.int64)
        gaps = np.zeros((len(batch), longest), dtype=np.int64)
        labels = np.full((len(batch), longest), -100, dtype=np.int64)
        for row, item in enumerate(batch):
            size = len(item.words)
            words[row, :size], gaps[row, :size], labels[row, :size] = item.words, item.gaps, item.labels
        target = torch.from_numpy(labels)
        mask = (target != -100).float()
        index = torch.from_numpy(words)
        width = int((self._groups[index] >= 0).sum(-1).max())
        return (
            self._rows[index][..., :width].long(),
            self._groups[index][..., :width],
            torch.from_numpy(gaps),
            mask,
            target,
        )


def evaluate(model: Tagger, documents: list[Encoded], feeder: Feeder) -> dict[str, float]:
    """Return token recall by label, and tokens per 1,000 of nothing that are taken for a person, and for anything."""
    model.eval()
    right = np.zeros(len(LABELS))
    total = np.zeros(len(LABELS))
    false = noise = harmless = 0
    loss = count = 0.0
    with torch.no_grad():
        for batch in batches(documents, random.Random(0)):
            *inputs, target = feeder.tensors(batch)
            scores = model(*inputs)
            loss += float(torch.nn.functional.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="sum"))
            kept = target != -100
            count += int(kept.sum())
            found = scores.argmax(-1)
            for index in range(len(LABELS)):
                gold = (target + 1) // 2 == index + 1
                total[index] += int(gold.sum())
                right[index] += int((gold & (found > 0)).sum())
            false += int(((target == 0) & ((found + 1) // 2 == 1)).sum())
            noise += int(((target == 0) & (found > 0)).sum())
            harmless += int((target == 0).sum())
    result = {label: right[k] / max(total[k], 1) for k, label in enumerate(LABELS)}
    false, noise = 1000 * false / max(harmless, 1), 1000 * noise / max(harmless, 1)
    return {**result, "false": false, "noise": noise, "loss": loss / max(count, 1)}


def quality(result: dict[str, float]) -> float:
    """Return the one figure that chooses the epoch: what is found of names, less what is falsely found.

    People count twice, places and bodies once each, the other labels once together. Of 1,000 harmless tokens each that
    is taken for anything costs two parts in a thousand, for a person four: a model that finds everything is no good.
    """
    others = [result[label] for label in LABELS if label not in {"PERSON", "LOCATION", "ORG"}]
    found = 2 * result["PERSON"] + result["LOCATION"] + result["ORG"] + sum(others) / len(others)
    return found / 5 - 0.002 * (result["noise"] + result["false"])


@dataclass(slots=True)
class Best:
    """The best epoch so far, by `quality` on the held-out families, and its weights."""

    epoch: int = 0
    figure: float = -math.inf
    result: dict[str, float] = field(default_factory=dict)
    state: dict[str, torch.Tensor] = field(default_factory=dict)

    def see(self, epoch: int, result: dict[str, float], model: torch.nn.Module) -> None:
        """Keep a copy of the weights where this epoch is the best; of equals the later one."""
        if quality(result) >= self.figure:
            self.epoch, self.figure, self.result = epoch, quality(result), result
            self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}


def usable(document: Document) -> bool:
    return bool(document.text.strip())


def train(*, epochs: int, size: int, seed: int, text: Path, use_natural: bool) -> tuple[Tagger, dict[str, object]]:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - numpy's global state is used by nobody else
    maker = Maker(random.Random(seed), text, dev=False, use_natural=use_natural)
    held = Maker(random.Random(seed + 1), text, dev=True, use_natural=False)
    print("patterns and free lines, training:", maker.counts())
    print("patterns and free lines, held out:", held.counts())
    encoder = Encoder()
    dev = [encoder.encode(document) for document in (held.draw() for _ in range(3000)) if usable(document)]
    model = Tagger()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    rng = random.Random(seed + 2)
    step, began = 0, time.monotonic()
    steps = 0
    best = Best()
    for epoch in range(epochs):
        documents = [cut(encoder.encode(d), rng) for d in (maker.draw() for _ in range(size)) if usable(d)]
        documents = [document for document in documents if len(document.words)]
        feeder = Feeder(encoder)
        plan = list(batches(documents, rng))
        steps = steps or len(plan) * epochs
        model.train()
        for batch in plan:
            step += 1
            rate = 3e-3 * min(1.0, step / 200) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))
            for group in optimizer.param_groups:
                group["lr"] = max(rate, 1e-5)
            *inputs, target = feeder.tensors(batch)
            scores = model(*inputs)
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), target.flatten(), label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        result = evaluate(model, dev, feeder)
        best.see(epoch + 1, result, model)
        shown = " ".join(f"{key} {value:.3f}" for key, value in result.items())
        print(
            f"epoch {epoch + 1}: {shown} quality {quality(result):.4f} ({time.monotonic() - began:.0f} s)", flush=True
        )
    print(f"epoch {best.epoch} is the best on the held-out families: {best.figure:.4f}")
    model.load_state_dict(best.state)
    facts: dict[str, object] = {
        "seed": seed,
        "epochs": epochs,
        "chosen_epoch": best.epoch,
        "documents": size,
        "held_out": best.result,
    }
    return model, facts


def save(model: Tagger, facts: dict[str, object], path: Path) -> None:
    """Write half-precision arrays, and beside them what made them."""
    state = {name: value.detach().numpy().astype(np.float16) for name, value in model.state_dict().items()}
    arrays = {name.replace(".", "_"): value for name, value in state.items()}
    np.savez_compressed(path, **arrays)
    facts |= {
        "dilations": DILATIONS,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "natural_text": natural.present(),
    }
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{path}: {path.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=36_000, help="documents an epoch")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--text", type=Path, default=HERE / "text")
    parser.add_argument("--out", type=Path, default=DATA / "tagger.npz")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-natural", action="store_true", help="train without the natural prose of this machine")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("natural text on this machine (sentences, words):", natural.present())
    model, facts = train(
        epochs=options.epochs,
        size=options.size,
        seed=options.seed,
        text=options.text,
        use_natural=not options.no_natural,
    )
    save(model, facts, options.out)


if __name__ == "__main__":
    main()
