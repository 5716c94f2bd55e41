from __future__ import annotations

import pytest

from phigate.upstreams.catalog import CATALOGUE, Architecture, Precision, find


@pytest.mark.parametrize(
    ("model_id", "parameters"),
    [  # as the weight files on the hub count themselves
        ("medgemma-4b", 4_300_079_472),
        ("medgemma-27b-text", 27_009_346_304),
        ("medgemma-27b-multimodal", 27_432_406_640),
        ("openbiollm-8b", 8_030_261_248),
        ("openbiollm-70b", 70_553_706_496),
        ("meditron3-8b", 8_030_261_248),
        ("meditron3-70b", 70_553_706_496),
    ],
)
def test_parameters_follow_from_the_architecture(model_id: str, parameters: int) -> None:
    model = find(model_id)
    assert model is not None
    assert model.parameters == parameters
    assert model.architecture is not None
    assert model.architecture.weight_bytes(Precision.BF16) == 2 * parameters


def test_ids_are_those_that_the_documentation_names() -> None:
    assert [m.id for m in CATALOGUE] == [
        "medgemma-4b",
        "medgemma-27b-text",
        "medgemma-27b-multimodal",
        "medsiglip",
        "openbiollm-8b",
        "openbiollm-70b",
        "meditron3-8b",
        "meditron3-70b",
    ]
    assert len({m.repository for m in CATALOGUE}) == len(CATALOGUE)
    for model in CATALOGUE:
        assert model.licence
        assert model.terms
        assert model.source
        assert model.gate == "open" or model.gate.startswith("gated: ")
    assert find("google/medgemma-27b-it") is find("medgemma-27b-multimodal")
    assert find("gpt-5") is None


def test_cache_of_a_layer_that_sees_all_grows_and_of_a_local_one_stops() -> None:
    llama = find("openbiollm-8b")
    assert llama is not None
    assert llama.architecture is not None
    assert llama.architecture.kv_bytes(1) == 131_072  # 2 x 8 heads x 128 x 2 bytes x 32 layers
    assert llama.architecture.kv_bytes(1000) == 131_072_000
    gemma = Architecture(
        layers=6, hidden=8, intermediate=8, heads=1, kv_heads=1, head_dim=1, vocabulary=8, tied=True, norms=2,
        window=10, global_every=6,
    )  # fmt: skip
    assert gemma.kv_bytes(10) == 4 * 60
    assert gemma.kv_bytes(100) == 4 * (100 + 5 * 10)
    assert gemma.kv_bytes(100, element_bytes=1) == 2 * (100 + 5 * 10)


@pytest.mark.parametrize("model", [m for m in CATALOGUE if m.architecture], ids=lambda m: m.id)
def test_fewer_bits_take_less(model: object) -> None:
    architecture = model.architecture  # type: ignore[attr-defined]
    sizes = [architecture.weight_bytes(p) for p in Precision]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] > sizes[0] / 2  # embeddings stay in bf16


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda m: m.id)
def test_tools_are_parsed_where_the_tokenizer_has_the_words_for_it(model: object) -> None:
    arguments, family = model.arguments, model.family  # type: ignore[attr-defined]
    parsed = "--tool-call-parser" in arguments
    assert parsed == ("--enable-auto-tool-choice" in arguments)  # vLLM loads the parser with both alone
    assert parsed == (family.startswith(("Gemma 3", "Llama 3.1")))
