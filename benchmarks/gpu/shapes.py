"""Models of real shapes with random weights, made on the spot, with a tokenizer of bytes.

python -m benchmarks.gpu.shapes 4B FOLDER
"""

import sys
from pathlib import Path

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.in_train.make_model import save_tokenizer

KINDS = {
    Qwen2Config: Qwen2ForCausalLM,
    Qwen3Config: Qwen3ForCausalLM,
    LlamaConfig: LlamaForCausalLM,
}
SHAPES: dict[str, PretrainedConfig] = {
    "tiny": Qwen2Config(
        vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048,
    ),
    # Qwen2.5-0.5B, Qwen3-4B, Llama-3-8B, by their config.json.
    "0.5B": Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, max_position_embeddings=32768, rope_theta=1e6, tie_word_embeddings=True,
    ),
    "4B": Qwen3Config(
        vocab_size=151936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=40960, rope_theta=1e6, tie_word_embeddings=True,
    ),
    "8B": LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, max_position_embeddings=8192, rope_theta=5e5,
    ),
}  # fmt: skip


def make(name: str, folder: str) -> None:
    """Writes a model of this shape, in bfloat16; the tiny one, for CPUs, in float32."""
    tokenizer, config = save_tokenizer(folder), SHAPES[name]
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32 if name == "tiny" else torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = KINDS[type(config)](config)
    model.save_pretrained(folder)
    assert (Path(folder) / "config.json").exists()


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
