"""The epoch that is written is the best on the held-out families."""

import pytest

pytest.importorskip("torch", reason="the packages of training/requirements.txt are not installed here")

import torch

from training.train import Best, quality


def result(person: float, false: float) -> dict[str, float]:
    labels = {"LOCATION": 0.9, "ORG": 0.9, "DATE": 1.0, "AGE": 1.0, "ID": 1.0, "PHONE": 1.0}
    return {**labels, "PERSON": person, "false": false, "noise": 2 * false, "loss": 0.1}


def test_more_people_are_better_and_more_false_names_worse() -> None:
    assert quality(result(0.95, 10)) > quality(result(0.90, 10))
    assert quality(result(0.95, 10)) > quality(result(0.95, 20))


def test_a_model_that_takes_everything_for_something_is_the_worst() -> None:
    everything = {**dict.fromkeys(result(1.0, 0), 1.0), "false": 0.5, "noise": 990.0}
    assert quality(everything) < quality(result(0.5, 30))


def test_the_best_epoch_is_kept_though_worse_ones_follow() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    best = Best()
    for epoch, person in enumerate((0.8, 0.95, 0.9), 1):
        torch.nn.init.constant_(model.weight, person)
        best.see(epoch, result(person, 10), model)
    assert (best.epoch, best.result["PERSON"]) == (2, 0.95)
    assert best.state["weight"].item() == pytest.approx(0.95)
