from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import SettingsError
from phigate.upstreams.catalog import CATALOGUE, CatalogueModel, Precision, find
from phigate.upstreams.plan import GPUs, parse_context, parse_gpus, plan


def model(model_id: str) -> CatalogueModel:
    found = find(model_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("1xA100-80GB", GPUs(1, "A100", 80)),
        ("A100-80GB", GPUs(1, "A100", 80)),
        (" 4 x h200-141gb ", GPUs(4, "H200", 141)),
        ("2xRTX 4090-24GB", GPUs(2, "RTX4090", 24)),
    ],
)
def test_cards_are_read_from_words(text: str, gpus: GPUs) -> None:
    assert parse_gpus(text) == gpus


@pytest.mark.parametrize("text", ["", "A100", "0xA100-80GB", "1xA100-0GB", "1xA100-80", "-80GB", "1xA100-80GB;rm"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^expected "):
        parse_gpus(text)


def test_context_is_read_in_tokens_or_thousands() -> None:
    assert (parse_context("8k"), parse_context("6000"), parse_context(" 128K ")) == (8192, 6000, 131_072)
    for text in ("", "0", "8m", "-1", "99999999"):
        with pytest.raises(SettingsError, match="expected a context in tokens as in 8k"):
            parse_context(text)


def test_seventy_billion_on_one_a100_is_true_at_four_bits_only() -> None:
    [verdict] = plan([model("openbiollm-70b")], GPUs(1, "A100", 80), users=8, context=8192)
    assert [fit.precision for fit in verdict.fits] == [Precision.INT4]
    assert verdict.tight == ()
    [bigger] = plan([model("openbiollm-70b")], GPUs(4, "A100", 80), users=8, context=8192)
    assert [(fit.precision, fit.split, fit.copies) for fit in bigger.fits] == [
        (Precision.BF16, 4, 1),
        (Precision.FP8, 2, 2),
        (Precision.INT4, 1, 4),
    ]


def test_what_does_not_fit_says_why() -> None:
    verdicts = plan(CATALOGUE, GPUs(1, "L4", 24), users=1, context=32_768)
    why = {v.model.id: v.why_not for v in verdicts}
    assert why["openbiollm-8b"] == "reads at most 8192 tokens, 32768 are asked for"
    assert why["meditron3-70b"] == (
        "needs 50.5 GB even at 4 bit for one sequence; 1xL4-24GB leave 19.1 GB for one copy"
    )
    assert why["medgemma-4b"] == ""
    assert {v.why_not for v in plan(CATALOGUE, GPUs(1, "T4", 16), users=1, context=1024)} == {
        "T4 has no bf16; the model needs it or 16-bit floats it was not made for"
    }
    [small] = plan([model("medsiglip")], GPUs(1, "A2", 4), users=1, context=64)
    assert small.why_not == "needs 1.8 GB for its weights"


def test_cards_that_do_not_divide_the_heads_are_left_over() -> None:
    [verdict] = plan([model("medgemma-27b-text")], GPUs(3, "L40S", 48), users=4, context=8192)
    assert verdict.fits[0].split == 2
    assert verdict.fits[0].copies == 1


@given(
    st.sampled_from(CATALOGUE),
    st.integers(1, 8),
    st.sampled_from([16, 24, 40, 48, 80, 141]),
    st.integers(1, 300),
    st.integers(64, 131_072),
)
def test_every_fit_keeps_within_the_memory_of_its_cards(
    candidate: CatalogueModel, count: int, memory: int, users: int, context: int
) -> None:
    [verdict] = plan([candidate], GPUs(count, "A100", memory), users=users, context=context)
    assert bool(verdict.why_not) == (not verdict.fits and not verdict.tight)
    for fit in (*verdict.fits, *verdict.tight):
        each_copy = fit.weight_bytes + fit.kv_bytes_each * (fit.at_once // fit.copies)
        assert each_copy <= fit.split * memory * 1e9 * 0.9
        assert fit.split * fit.copies <= count
    assert all(fit.at_once >= users for fit in verdict.fits)
    assert all(fit.at_once < users for fit in verdict.tight)
