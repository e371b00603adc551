"""A small run with one of everything that lidr reads, made once and copied for each attack."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from lidr_plugin.files import write_json
from tests.conftest import prompts, settings, write_prompts
from tests.support.inside import in_process

LANGUAGES = ("en", "de")
SHAPE = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "head_dim": 16,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 1000,
    "tie_word_embeddings": True,
    "quantization_config": None,
}
PARITY = {
    "template": "qwen",
    "checked": 4,
    "at_the_ends": 0,
    "mismatch": None,
    "fixes": [{"template": "qwen", "default_system": None}],
    "lengths": {"rows": 4, "longest": 90, "p99": 90, "cutoff_len": 2048, "over": []},
}
PROOF = {
    "modules": 2,
    "zero": [],
    "unchanged": [],
    "shift": 0.03,
    "error": 0.0001,
    "lost": 0.003,
    "kl_base_to_trained": 0.0004,
    "kl_saved_to_trained": 0.0,
    "weights_changed": 0.9,
    "update_kept": 1.0,
    "broken": "",
}
_PYTHON = """\
#!/bin/sh
# Answers as lidr's scripts in the train environment do, without a model.
job=$(cat)
target=$(printf %s "$job" | sed -n 's/.*"target": "\\([^"]*\\)".*/\\1/p')
[ -z "$target" ] || { mkdir -p "$target"; echo '{}' > "$target/config.json"; }
answer="$(dirname "$0")/../$(basename "$1" .py).json"
[ ! -f "$answer" ] || { printf 'LIDR '; tr -d '\\n' < "$answer"; echo; }
"""
_LLAMAFACTORY = """\
#!/bin/sh
# Leaves what a training leaves.
mkdir -p checkpoint && cp -r "$(dirname "$0")/../made/." checkpoint/
"""


def _log() -> list[dict[str, Any]]:
    return [{"step": n, "loss": 2 - n / 4, "rewards/accuracies": n / 4, "rewards/margins": n / 8} for n in (1, 2, 3)]


def _environment(home: Path) -> None:
    """An environment of training whose programs do nothing but leave their files."""
    env = home / "envs/train"
    (env / "bin").mkdir(parents=True)
    for name, text in (("python", _PYTHON), ("llamafactory-cli", _LLAMAFACTORY)):
        (env / "bin" / name).write_text(text)
        (env / "bin" / name).chmod(0o755)
    (env / ".lidr-pins").write_text("of another version")
    write_json(env / "check.json", PARITY)
    write_json(env / "merge.json", PROOF)
    made = env / "made"
    write_json(made / "checkpoint-2/trainer_state.json", {"log_history": _log()})
    write_json(made / "trainer_state.json", {"log_history": _log()})
    write_json(made / "all_results.json", {"train_loss": 1.5, "train_runtime": 2.0, "epoch": 1.0})
    lines = [{"current_steps": n, "total_steps": 3, "loss": 2 - n / 4, "elapsed_time": "0:00:01"} for n in (1, 2, 3)]
    (made / "trainer_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def configuration(url: str) -> dict[str, Any]:
    """Everything that a configuration can name."""
    wanted = settings(Path(), template="qwen", model_name_or_path="model", output_dir="run", languages=["de"], rounds=1)
    judge = {"base_url": url, "model": "judge", "max_retries": 0, "timeout": 60}
    return {
        **wanted,
        "engine": {"backend": "openai", "base_url": url, "concurrency": 16, "timeout": 60, "max_retries": 0},
        "translation_prompt_ids": "ids.txt",
        "columns": {"id": "id", "instruction": "instruction"},
        "generation": {"temperature": 0.0, "max_tokens": 256, "system": "Be brief."},
        "translation": {"retries": 1, "max_tokens": 512},
        "filters": {"length_ratio": [0.2, 5.0]},
        "train": {"method": "lora", "learning_rate": 5.0e-6, "cutoff_len": 2048, "env": {"OMP_NUM_THREADS": 1}},
        "eval": {
            "models": {"M0": "model", "M1": "model1"},
            "mgsm": "mgsm/{language}.jsonl",
            "prompts": "held/{language}.csv",
            "outputs": {"theirs": "theirs/{language}.json"},
            "judge": judge,
        },
    }


def _inputs(folder: Path, url: str) -> None:
    rows = prompts(4, LANGUAGES)
    write_prompts(folder, rows)
    (folder / "ids.txt").write_text("2\n")
    (folder / "lidr.yaml").write_text(yaml.safe_dump(configuration(url), allow_unicode=True))
    for code in LANGUAGES:
        texts = [{"instruction": f"[{code}] Tell me about boat number {n}.", "output": "A boat."} for n in range(2)]
        write_json(folder / f"theirs/{code}.json", texts)
        write_json(
            folder / f"listed/{code}.json", [{"id": n, "instruction": x["instruction"]} for n, x in enumerate(texts)]
        )
        (folder / "held").mkdir(exist_ok=True)
        lines = [f'{n},"{x["instruction"]}"\n' for n, x in enumerate(texts)]
        (folder / f"held/{code}.csv").write_text("id,instruction\n" + "".join(lines))
        (folder / "mgsm").mkdir(exist_ok=True)
        sums = [{"query": f"[{code}] How many boats are {n} and {n}?", "response": str(2 * n)} for n in range(2)]
        (folder / f"mgsm/{code}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in sums))
    for name in ("model", "model1"):
        write_json(folder / name / "config.json", SHAPE)
        write_json(folder / name / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
        (folder / name / "model.safetensors").write_bytes(b"\0" * 64)


def make(folder: Path, url: str) -> None:
    """The world, by lidr's own commands; what a training and a round leave is made up."""
    _environment(folder / "home")
    _inputs(folder, url)
    write_json(folder / "home/fingerprints.json", {str(folder / "model"): {"files": {}, "fingerprint": "sha256:0"}})
    for command in ("build-pairs", "probe", "eval", "train"):
        done = in_process(command, "lidr.yaml")
        assert done.returncode == 0, done.stderr
    run = folder / "run"
    in_process("store", "export", "run", "export.jsonl")
    round_ = run / "iter1"
    for name in ("data", "eval", "checkpoint"):
        shutil.copytree(run / name, round_ / name)
    for name in ("report.json", "probe.json", "train.json", "config.json"):
        shutil.copy(run / name, round_ / name)
    iterated = in_process("iterate", "lidr.yaml", "--round", "1")
    assert iterated.returncode == 0, iterated.stderr
