"""Writes the recipes from layers.yaml: `python -m recipes.generate`. A test compares what lies here with what it makes."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.config.methods import FAMILIES, Stage
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.files import yaml_of
from lidr_plugin.training.memory import estimate, shape_of
from lidr_plugin.training.processes import split
from lidr_plugin.training.recipe import Settings, compose, layers

ROOT = Path(__file__).parent
PAIRS = 1500
"""What the paper's 1,000 prompts in five languages leave, roughly, of 5,000 candidates; for the heads' times only."""


class Hardware(NamedTuple):
    """What a method is meant for. `speed` in TFLOP/s of bf16, from the maker's data sheet."""

    name: str
    gpus: int
    speed: float


HARDWARE = {
    "full": Hardware("8 x A100 80 GB", 8, 312),
    "lora": Hardware("one GPU with 24 GB (RTX 3090, 4090, A10, L4)", 1, 71),
    "qlora": Hardware("one GPU with 12 to 16 GB (RTX 4070, 4080, T4 with bf16: false and fp16: true)", 1, 71),
    "sft_baseline": Hardware("8 x A100 80 GB", 8, 312),
}
WORDS = {
    "full": "all parameters, DeepSpeed ZeRO-3",
    "lora": "LoRA",
    "qlora": "QLoRA: nf4, double quantisation",
    "sft_baseline": 'the baseline "multilingual alignment": SFT on self-translations, all parameters, ZeRO-3',
}


def recipe(family: str, task: str, method: str, number: int) -> tuple[str, str]:
    """Path and text of one recipe."""
    model = {key: value for key, value in layers()["models"][family].items() if key.islower()}
    shape = shape_of(layers()["models"][family]["ARCHITECTURE"], family)
    stage: Stage = "sft" if method == "sft_baseline" else "dpo"
    composed, hardware = compose(stage, "full" if stage == "sft" else method, task), HARDWARE[method]
    run = f"runs/{family}/iter{number}"
    if number > 1:
        model["model_name_or_path"] = f"runs/{family}/iter{number - 1}/model"
    settings: Settings = {
        **model,
        "dataset_dir": f"{run}/data",
        "dataset": "lidr",
        "output_dir": f"{run}/checkpoint",
        "enable_thinking": False,
        **composed.settings,
    }
    preferred = settings.pop("per_device_train_batch_size")
    ways = split(composed.global_batch, hardware.gpus, preferred=preferred)
    settings |= {"per_device_train_batch_size": ways.per_device, "gradient_accumulation_steps": ways.accumulation}
    zero = settings.get("deepspeed", "")
    if zero:
        settings["deepspeed"] = f"recipes/deepspeed/{zero}.json"
    memory = estimate(shape, settings, world=hardware.gpus, zero=zero).total / 2**30
    passes = 5 if settings["stage"] == "dpo" else 4
    tokens = PAIRS * 1200 * settings["num_train_epochs"]
    minutes = 2 * shape.parameters * tokens * passes / (hardware.speed * 0.3e12 * hardware.gpus) / 60
    path = f"{family}/{'' if method == 'sft_baseline' else task + '-'}{method.replace('_', '-')}-round{number}.yaml"
    lines = [
        f"# {layers()['models'][family]['model_name_or_path'].partition('/')[2]}, round {number}: {WORDS[method]}"
        + ("." if method == "sft_baseline" else f"; {task} data."),
        "#",
        f"# Hardware  {hardware.name}",
        f"# Memory    about {memory:.0f} GB on each GPU, by `lidr plan`, with rows of cutoff_len tokens",
        f"# Time      about {max(minutes, 1):.0f} min for {PAIRS:,} pairs of 1,200 tokens, "
        f"at 30 % of {hardware.speed:.0f} TFLOP/s",
        f"# Command   llamafactory-cli train recipes/{path}",
    ]
    if method in ("lora", "qlora"):
        lines += [
            "# Then      the adapter must be merged into the unquantised base before the next round (`lidr train` does both):",
            f"#           llamafactory-cli export --model_name_or_path {settings['model_name_or_path']} \\",
            f"#             --adapter_name_or_path {settings['output_dir']} --template {settings['template']} \\",
            f"#             --finetuning_type lora --export_dir {run}/model",
        ]
    if number > 1:
        lines += [
            "#",
            f"# It starts from round {number - 1}'s merged model, policy and reference at once; its pairs are of new prompts.",
        ]
    lines += [
        "#",
        f"# Dataset: `lidr build-pairs` with output_dir: {run}{' and method: alignment' if stage == 'sft' else ''}."
        " Where the numbers come from: recipes/layers.yaml.",
        "",
    ]
    return path, "\n".join(lines) + yaml_of(settings)


EXAMPLES = ("answer", "scpo", "qalign", "alignment", "best_of_n", "icr", "mapo")
"""The methods that are most use to most, each with an example recipe."""
EXAMPLE = "qwen3-4b"


def example(method: str, number: int) -> tuple[str, str]:
    """Path and text of the LoRA recipe for a method; `number` counts its stages from 1."""
    preset, stages = PRESETS[method], max(len(PRESETS[method].stages), 1)
    stage = FAMILIES[preset.family]
    task = "math" if preset.example.get("task") == "math" else "instruction"
    composed = compose(stage, "lora", task, method)
    model = {key: value for key, value in layers()["models"][EXAMPLE].items() if key.islower()}
    if number > 1:
        model["model_name_or_path"] = f"runs/{method}-{number - 1}/model"
    run = f"runs/{method}-{number}" if stages > 1 else f"runs/{method}"
    places = {"dataset_dir": f"{run}/data", "dataset": "lidr", "output_dir": f"{run}/checkpoint"}
    settings: Settings = {**model, **places, "enable_thinking": False, **composed.settings}
    ways = split(composed.global_batch, 1, preferred=settings.pop("per_device_train_batch_size"))
    settings |= {"per_device_train_batch_size": ways.per_device, "gradient_accumulation_steps": ways.accumulation}
    shape = shape_of(layers()["models"][EXAMPLE]["ARCHITECTURE"], EXAMPLE)
    memory = estimate(shape, settings, world=1).total / 2**30
    path = f"methods/{method}{f'-{number}' if stages > 1 else ''}-lora.yaml"
    more = f" mix.stage={number}" if number > 1 else ""
    lines = [
        f"# {method}: {preset.about}; LoRA{f', stage {number} of {stages}' if stages > 1 else ''}.",
        "#",
        f"# Paper     {preset.paper}",
        f"# Needs     {preset.needs}",
        f"# Hardware  {HARDWARE['lora'].name}",
        f"# Memory    about {memory:.0f} GB, by `lidr plan`, with rows of cutoff_len tokens",
        f"# Dataset   lidr build-pairs lidr.yaml method={method}{more} output_dir={run}",
        f"# Command   llamafactory-cli train recipes/{path}",
        "#",
        "# Where the numbers come from: recipes/layers.yaml.",
        "",
    ]
    return path, "\n".join(lines) + yaml_of(settings)


def recipes() -> Iterator[tuple[str, str]]:
    """Every recipe's path and text."""
    for family in layers()["models"]:
        for task in layers()["tasks"]:
            for method in ("full", "lora", "qlora"):
                for number in (1, 2):
                    yield recipe(family, task, method, number)
        yield recipe(family, "instruction", "sft_baseline", 1)
    for method in EXAMPLES:
        for number in range(1, max(len(PRESETS[method].stages), 1) + 1):
            yield example(method, number)


def main() -> None:
    """Writes them all."""
    for path, text in recipes():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text)


if __name__ == "__main__":
    main()
