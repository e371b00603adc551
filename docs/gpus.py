"""docs/gpus.md: what fits on which GPU, as `lidr plan` works it out."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.config.schema import Config
from lidr_plugin.machine.gpus import Gpu
from lidr_plugin.training.plan import Row, plan

_QWEN3 = {"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128}
_SMALL: Mapping[str, Mapping[str, int | bool]] = {
    "Qwen/Qwen3-0.6B": {**_QWEN3, "hidden_size": 1024, "intermediate_size": 3072},
    "Qwen/Qwen3-1.7B": {**_QWEN3, "hidden_size": 2048, "intermediate_size": 6144},
}
"""Shapes of models that have no recipe, as in their `config.json`."""
MODELS = (
    *_SMALL,
    "Qwen/Qwen3-4B-Instruct-2507",
    "Qwen/Qwen2-7B-Instruct",
    "meta-llama/Meta-Llama-3-8B-Instruct",
)
LENGTHS = (512, 1024, 2048, 4096)
METHODS = ("full", "lora", "qlora")


class Card(NamedTuple):
    """A machine, its heading's last word, the memory of one GPU in GiB as the driver shows it, and what else is to be known."""

    title: str
    count: int
    memory: float
    note: str


CARDS = (
    Card(
        "T4, 16 GB (free Colab)",
        1,
        15.0,
        "15 of its 16 GB are there. It has no bfloat16: `train: {bf16: false, fp16: true}`, and `engine: {args: {dtype: half}}` "
        "for vLLM. There is [a notebook](../examples/notebook/README.md) for it.",
    ),
    Card(
        "RTX 4060, 8 GB",
        1,
        8.0,
        "The desktop wants some of it, too: close the browser, or take rows that are one step shorter. Answers of a model that "
        "does not fit can come from a server elsewhere (`engine.base_url`); only training needs the card.",
    ),
    Card("RTX 4090, 24 GB", 1, 24.0, "LoRA on an 8B model just fits; a 3090 and an A10 have the same memory."),
    Card("A100, 80 GB", 1, 80.0, "LoRA on anything up to 8B with rows of full length."),
    Card(
        "H100, 80 GB", 1, 79.6, "As an A100; by the makers' data sheets it does three times the arithmetic in a second."
    ),
    Card(
        "Eight A100s of 80 GB",
        8,
        80.0,
        "The paper's setting: full training under ZeRO-3, which is the default of `train.method: full` on several GPUs. "
        "[Tutorial](tutorials/eight-gpus.md).",
    ),
)


class Fit(NamedTuple):
    """The longest rows with which a way of training fits, and its peak on each GPU in GiB."""

    length: int
    peak: float

    def __str__(self) -> str:
        return f"{self.length} ({self.peak:.1f} GB)"


def _row(model: str, method: str, length: int, card: Card) -> Row:
    """The way of training that needs no offloading, with one row at a time on each GPU."""
    config = Config(
        model_name_or_path=model,
        languages=["de"],
        prompts="{language}.jsonl",
        output_dir="/nowhere",
        train={"method": method, "cutoff_len": length, "per_device_train_batch_size": 1},
    )
    sharding = "zero3" if method == "full" and card.count > 1 else ""
    rows = plan(config, [Gpu("", int(card.memory * (1 << 30)))] * card.count).rows
    (row,) = [row for row in rows if (row.method, row.sharding) == (method, sharding)]
    return row


def fit(model: str, method: str, card: Card) -> Fit | None:
    """None where not even the shortest rows fit."""
    found = None
    for length in LENGTHS:
        row = _row(model, method, length, card)
        if row.fits:
            found = Fit(length, row.memory.total / (1 << 30))
    return found


def advice(fits: Mapping[str, Fit | None], card: Card) -> str:
    """The first of full (several GPUs alone), LoRA and QLoRA that has room for rows of 1024 tokens; else whatever fits."""
    ways = METHODS if card.count > 1 else METHODS[1:]
    roomy = [way for way in ways if (fits[way] or Fit(0, 0)).length >= 1024]
    tight = [way for way in ways if fits[way]]
    return f"`{(roomy or tight)[0]}`" if tight else "a smaller model"


def _tables(shapes: Path) -> Iterator[str]:
    for card in CARDS:
        yield f"## {card.title}\n\n{card.note}\n\n| model | full | LoRA | QLoRA | take |\n|---|---|---|---|---|\n"
        for model in MODELS:
            place = str(shapes / model) if model in _SMALL else model
            fits = {method: fit(place, method, card) for method in METHODS}
            cells = " | ".join(str(found) if found else "–" for found in fits.values())
            yield f"| {model.partition('/')[2]} | {cells} | {advice(fits, card)} |\n"
        yield f"\n```sh\nlidr plan lidr.yaml --gpus {card.count}x{card.memory:g}\n```\n\n"


HEAD = """# What fits on your GPU

Made by `python -m docs.generate` from `lidr plan`'s own arithmetic: an estimate, not measured on these cards, for the worst case in
which every row is as long as `cutoff_len`. The number is the longest `train.cutoff_len` of 512, 1024, 2048 and 4096 tokens that
fits with one pair at a time on each GPU, in parentheses the peak; – is less than 512. Most pairs of instructions have fewer than
1024 tokens; `lidr train` counts yours before it starts.

```yaml
train: {method: qlora, cutoff_len: 1024, per_device_train_batch_size: 1}   # what a table says goes here
```

Plain LLaMA-Factory recipes with the same settings: [recipes](../recipes/README.md), or `lidr recipes ls`. What is not in the table:

- **Full training with offloading** (`train: {method: full, deepspeed: zero3_offload}`) keeps weights and optimizer in the machine's
  own memory. It fits nearly everywhere, wants 16 bytes of that memory a parameter, and is slow.
- **No reference model**: `train: {pref_loss: simpo}` saves full training a copy of the weights. `lidr plan` prints that peak too.
- **Generation** needs the weights in 16 bits (2 GB a billion parameters) and some cache: an 8B model wants 24 GB, or
  `engine: {args: {quantization: fp8}}` where the card has it, or a server elsewhere.

"""


def page() -> str:
    """docs/gpus.md."""
    with tempfile.TemporaryDirectory() as folder:
        for model, shape in _SMALL.items():
            (Path(folder) / model).mkdir(parents=True)
            text = json.dumps({**shape, "vocab_size": 151936, "tie_word_embeddings": True})
            (Path(folder) / model / "config.json").write_text(text)
        return HEAD + "".join(_tables(Path(folder))).rstrip("\n") + "\n"
