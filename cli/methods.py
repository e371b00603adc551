"""`lidr methods`: the ways to make rows, what each needs and asks, and its configuration to copy."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .terminal import say

if TYPE_CHECKING:
    from lidr_plugin.config.presets import Preset

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_NEEDED = {"model_name_or_path": "Qwen/Qwen2.5-7B-Instruct", "languages": ["de", "es", "fr"]}
_PLACES = {"prompts": "prompts/{language}.jsonl"}


def ls(context: typer.Context, as_json: AsJson = False) -> None:
    """List the methods: what each makes, what it needs, and what it asks for each prompt.

    N is the number of languages beside the dominant one. docs/methods.md says which is for whom.
    """
    if context.invoked_subcommand:
        return
    from lidr_plugin.config.presets import PRESETS

    if as_json:
        _print_json([_facts(name) for name in PRESETS])
        return
    for name, preset in PRESETS.items():
        say(f"{name:15} {preset.about}; needs {preset.needs}; {_asks(preset)}")
    say("\nN: languages beside the dominant one; lidr methods show NAME prints a configuration to copy")


def show(
    name: Annotated[str, typer.Argument(help="A name from `lidr methods`.")],
    as_json: AsJson = False,
) -> None:
    """Print a configuration with a method, to copy."""
    import difflib

    from lidr_plugin.config.presets import PRESETS
    from lidr_plugin.errors import InputError

    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`lidr methods` lists them all"
        raise InputError(f"unknown method {name[:40]!r}", hint)
    if as_json:
        _print_json({**_facts(name), "configuration": _configuration(name), "training": _training(name)})
        return
    typer.echo(_yaml(name), nl=False)


def _asks(preset: "Preset") -> str:
    """What a method asks for, in words."""
    scores = f", {preset.scores} scores" if str(preset.scores) != "0" else ""
    return f"{preset.cost} requests a prompt{scores}"


def _print_json(value: object) -> None:
    from lidr_plugin import files

    typer.echo(files.dump_json(value).decode(), nl=False)


def _facts(name: str) -> dict[str, Any]:
    """What `lidr methods` says of one, as JSON."""
    from lidr_plugin.config.methods import FAMILIES
    from lidr_plugin.config.presets import PRESETS

    preset = PRESETS[name]
    return {
        "name": name,
        "family": preset.family,
        "stage": FAMILIES[preset.family],
        "about": preset.about,
        "needs": preset.needs,
        "requests": preset.cost._asdict(),
        "scores": preset.scores._asdict(),
        "paper": preset.paper,
    }


def _configuration(name: str) -> dict[str, Any]:
    """The keys of a configuration with the method, its defaults written out."""
    from lidr_plugin.config.methods import expanded
    from lidr_plugin.config.presets import PRESETS

    example = expanded({"method": name, **PRESETS[name].example})
    return {**_NEEDED, **_PLACES, **example, "output_dir": f"runs/{name}"}


def _training(name: str) -> dict[str, Any]:
    """What training with LoRA has otherwise than the paper of imbalance."""
    from lidr_plugin.config.methods import FAMILIES
    from lidr_plugin.config.presets import PRESETS
    from lidr_plugin.training.recipe import compose

    stage, task = FAMILIES[PRESETS[name].family], PRESETS[name].example.get("task", "instruction")
    plain, own = compose(stage, "lora", task), compose(stage, "lora", task, name)
    changed = {key: x for key, x in own.settings.items() if plain.settings.get(key) != x}
    return {"global_batch_size": own.global_batch, **changed} if own != plain else {}


def _yaml(name: str) -> str:
    from lidr_plugin.config.presets import PRESETS
    from lidr_plugin.files import yaml_of

    preset = PRESETS[name]
    lines = [
        f"# {name}: {preset.about}",
        f"# paper: {preset.paper}",
        f"# needs: {preset.needs}",
        f"# asks:  {_asks(preset)} (N: languages beside the dominant one)",
    ]
    text = "\n".join(lines) + "\n" + yaml_of(_configuration(name))
    for number in range(2, len(preset.stages) + 1):
        text += (
            f"# stage {number}, with the model of the one before: lidr build-pairs lidr.yaml mix.stage={number} "
            f"model_name_or_path=runs/{name}/model output_dir=runs/{name}-{number}\n"
        )
    if training := _training(name):
        commented = "".join(f"#   {line}\n" for line in yaml_of(training).splitlines())
        text += "# trained, with LoRA, with these settings; to change one, write it under train:\n" + commented
    return text


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.callback(invoke_without_command=True)(ls)
    app.command("show")(show)
