"""The files of a project for a model and languages that the user names: what can be told of them is filled in."""

import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import files, languages
from lidr_plugin.config.file import config_of
from lidr_plugin.config.json_schema import FILE, LINE, json_schema
from lidr_plugin.errors import InputError, LidrError
from lidr_plugin.machine import hub
from lidr_plugin.machine.inputs import is_there, read, read_json
from lidr_plugin.training.plan import Plan, architecture, plan
from lidr_plugin.training.recipe import propose_template

_SIGNS = {
    "<|start_header_id|>": "llama3",
    "<start_of_turn>": "gemma",
    "<think>": "qwen3",
    "<|im_start|>": "qwen",
    "<|user|>": "phi",
    "[INST]": "mistral",
}
"""What a chat template writes, and LLaMA-Factory's template that writes it; the first one that is there."""
_CONTEXT = 8192
"""Tokens that a model is taken to read whose config.json says nothing, or is not here."""
_SUFFIXES = (".json", ".jsonl", ".csv", ".parquet")


class Choice(NamedTuple):
    """What the user wants. `prompts`: a file in the dominant language, or a path with `{language}` in it; empty: samples."""

    model: str
    languages: Sequence[str]
    dominant: str = "en"
    prompts: str = ""
    task: str = "instruction"


class Known(NamedTuple):
    """What is known of the model, and what is not, for the user to see to."""

    template: str | None
    context: int | None
    plan: Plan | None
    problems: list[str]


def starter() -> dict[str, bytes]:
    """The shipped project, by its files."""
    folder = resources.files("lidr_plugin.starter")
    prompts = {f"prompts/{path.name}": path.read_bytes() for path in sorted((folder / "prompts").iterdir(), key=str)}
    return {
        "lidr.yaml": LINE.encode() + (folder / "lidr.yaml").read_bytes(),
        **prompts,
        FILE: files.dump_json(json_schema()),
    }


def chosen(choice: Choice) -> tuple[dict[str, bytes], list[str]]:
    """The files of a project, and what is still to be seen to.

    Raises:
        InputError: a language or a path is wrong; or there is no prompt file at its place.
    """
    values = _values(choice)
    config_of(values)  # says what is wrong with the languages and the model's name
    prompts, own = _prompts(choice)
    known = _known(choice.model, values)
    text = _yaml(choice, known, own or str(values["prompts"]))
    return {"lidr.yaml": text.encode(), **prompts, FILE: files.dump_json(json_schema())}, known.problems


def _values(choice: Choice) -> dict[str, Any]:
    return {
        "model_name_or_path": choice.model,
        "languages": list(choice.languages),
        "dominant_language": choice.dominant,
        "prompts": "prompts/{language}.jsonl",
        "task": choice.task,
    }


def _prompts(choice: Choice) -> tuple[dict[str, bytes], str]:
    """The prompt files to write, and the path to them where it is not the usual one."""
    dominant = f"prompts/{choice.dominant}"
    if "{language}" in choice.prompts:
        return {}, os.path.abspath(choice.prompts)
    if choice.prompts:
        path = Path(choice.prompts)
        if path.suffix not in _SUFFIXES:
            raise InputError(f"--prompts: {path}: expected a file of {', '.join(_SUFFIXES)}")
        return {f"{dominant}{path.suffix}": read(path)}, f"prompts/{{language}}{path.suffix}"
    if choice.dominant != "en":
        hint = "name a file of your own: --prompts FILE"
        raise InputError(f"--dominant {choice.dominant}: the sample prompts are in English", hint)
    folder = resources.files("lidr_plugin.starter") / ("math" if choice.task == "math" else "prompts")
    wanted = {"en", *choice.languages}
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name.partition(".")[0] in wanted}
    return {f"prompts/{name}": content for name, content in sorted(found.items())}, ""


def _known(model: str, values: Mapping[str, Any]) -> Known:
    """From the model's config.json and chat template alone: no weights are loaded."""
    problems: list[str] = []
    template = propose_template(model) or _template_of(model)
    if template is None:
        problems.append("template: which of LLaMA-Factory's is this model's? lidr doctor compares the tokens")
    try:
        read_here = architecture(model, "main").get("max_position_embeddings")
    except LidrError as error:
        return Known(template, None, None, [*problems, f"{error.message}: {error.hint}"])
    context = read_here if isinstance(read_here, int) and 256 <= read_here < 10**9 else None
    try:
        return Known(template, context, plan(config_of({**values, "template": template}), None), problems)
    except LidrError as error:
        return Known(template, context, None, [*problems, error.message])


def _template_of(model: str) -> str | None:
    """By what the model's own chat template writes."""
    folder = Path(os.path.expanduser(model))
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        path = folder / name if hub.is_path(model) else hub.cached(model, name)
        if path and is_there(path):
            said = (
                str(read_json(path).get("chat_template"))
                if name.endswith("json")
                else read(path).decode(errors="replace")
            )
            if found := next((template for sign, template in _SIGNS.items() if sign in said), None):
                return found
    return None


def _method(found: Plan | None) -> tuple[str, str]:
    """The way of training that learns most of those that fit, and a word about it."""
    fitting = [row for row in found.rows if row.fits] if found else []
    if not found or not found.gpus:
        return "lora", "full | lora | qlora; there is no GPU here to measure by: lidr plan --gpus 1x24"
    if not fitting:
        return "qlora", "by lidr plan nothing fits on the GPU that is here"
    row = next((row for name in ("full", "lora", "qlora") for row in fitting if row.method == name), fitting[0])
    batch = row.settings["per_device_train_batch_size"], row.settings["gradient_accumulation_steps"], row.processes
    peak = (row.memory.total) / 2**30
    card = found.gpus[0]
    return row.method, "{:.0f} of {:.0f} GB on {}; batch {} x {} x {}".format(
        peak, card.memory / 2**30, card.name or "each GPU", *batch
    )


def _yaml(choice: Choice, known: Known, prompts: str) -> str:
    """The configuration, with a comment on whatever was found out."""
    method, about = _method(known.plan)
    names = ", ".join(languages.name_of(code) for code in choice.languages)
    context = known.context or _CONTEXT
    answer = min(2048, context // 4)
    told = f"the model reads {context:,} tokens" if known.context else f"for a model that reads {context:,} tokens"
    lines = [
        LINE.rstrip("\n"),
        "# Every key, with its default, is in docs/configuration.md. What comes next:",
        "#   lidr doctor lidr.yaml                     is all there, and does the template fit?",
        "#   lidr build-pairs lidr.yaml --dry-run      one request of each kind, and nothing is sent",
        "#   lidr probe lidr.yaml                      is there anything to learn?",
        "",
        f"model_name_or_path: {_scalar(choice.model)}",
        f"template: {known.template}" if known.template else "# template: qwen   # LLaMA-Factory's name for this model",
        f"dominant_language: {_scalar(choice.dominant)}",
        f"languages: [{', '.join(map(_scalar, choice.languages))}]   # {names}",
        f"task: {choice.task}",
        "",
        f"prompts: {_scalar(prompts)}",
    ]
    if "{language}" not in choice.prompts:
        lines.append(
            "translate_prompts: true   # languages without a file of their own: the model translates the prompts first"
        )
    if choice.task == "math":
        lines.append("answer_filter: chosen_correct   # final_answer beside each prompt says what is right")
    lines += [
        "",
        "engine:",
        "  # base_url: http://127.0.0.1:8000/v1   # a server that runs already; without one, lidr starts vLLM itself",
        "  concurrency: 64",
        f"generation: {{max_tokens: {answer}}}   # {told}",
        f"translation: {{max_tokens: {min(4096, 2 * answer)}}}",
        "",
        "output_dir: runs/first",
        "dataset_name: first",
        f"train: {{method: {method}, cutoff_len: {min(2048, context)}}}   # {about}",
    ]
    return "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    return files.yaml_of({"x": text}).removeprefix("x: ").rstrip("\n")
