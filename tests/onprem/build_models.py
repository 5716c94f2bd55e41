"""Writes tiny models with random weights: Gemma 3 text (as MedGemma 27B text) and Llama 3 (as OpenBioLLM, Meditron3).

Runs in the environment of vLLM, which has torch and transformers; nothing is downloaded. They say nothing sensible,
but they are served by the real server through its real code.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<turn>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for p in m['content'] or [] %}{{ p.get('text', '') }}{% endfor %}{% endif %}\n{% endfor %}"
    "{% if tools %}tools: {{ tools | tojson }}\n{% endif %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", "<turn>", "<|python_tag|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(["the patient was seen in the ward and sent home with the medication"] * 50, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    fast.chat_template = _TEMPLATE
    return fast


def main(folder: Path) -> None:
    """Write both models below ``folder``."""
    torch.manual_seed(0)
    common = {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 4096,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    gemma = Gemma3ForCausalLM(Gemma3TextConfig(num_hidden_layers=6, sliding_window=64, **common))
    llama = LlamaForCausalLM(LlamaConfig(num_hidden_layers=2, **common))
    for name, model in (("gemma3", gemma), ("llama3", llama)):
        model.to(torch.bfloat16).save_pretrained(folder / name)
        _tokenizer().save_pretrained(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
