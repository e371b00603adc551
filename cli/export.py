"""`lidr export`: the trained model for Ollama, llama.cpp or vLLM."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, say, say_json


def export(
    run_dir: Annotated[Path, typer.Argument(help="The output_dir of a trained run, or a round of one.")],
    ollama: Annotated[bool, typer.Option("--ollama", help="Write Modelfile, by LLaMA-Factory's template.")] = False,
    gguf: Annotated[bool, typer.Option("--gguf", help="Convert by llama.cpp, found in PATH or LLAMA_CPP.")] = False,
    vllm: Annotated[bool, typer.Option("--vllm", help="Show the command that serves it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand the trained model to Ollama, llama.cpp or vLLM.

    The commands that come next are printed; where a tool is not here, those that get it too.
    """
    from lidr_plugin.errors import InputError
    from lidr_plugin.run_directory import RunDirectory
    from lidr_plugin.training import export as library

    run = RunDirectory(run_dir)
    wanted = {library.ollama: ollama, library.gguf: gguf, library.vllm: vllm}
    if not any(wanted.values()):
        raise InputError("nothing is asked for", "lidr export RUN_DIR --ollama, --gguf or --vllm")
    made = [make(run) for make, is_wanted in wanted.items() if is_wanted]
    if as_json:
        return say_json(made)
    for each in made:
        if each.path:
            say(f"wrote {each.path}")
        for line in each.commands:
            say(f"  {line}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("export")(export)
