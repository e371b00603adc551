"""The list of commands. It takes a tenth of a second to load: `main` heeds signals before."""

from importlib import import_module
from typing import Annotated

import typer

from lidr_plugin import __version__

app = typer.Typer(
    name="lidr",
    help="Make a language model good in every language with nothing but the model itself: preference pairs from its own "
    "language imbalance (arXiv 2410.08964), for LLaMA-Factory.",
    epilog="Begin: lidr init, then lidr build-pairs lidr.yaml --dry-run. "
    "Exit status: 0 done; 1 the run failed, what was finished is kept; 2 wrong input, nothing was written; 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes as long to import as all the rest of `lidr --help`
)
env_app = typer.Typer(help="Make the pinned environments of the stages.", no_args_is_help=True)
store_app = typer.Typer(help="Verify, export and import a run's completions.", no_args_is_help=True)

methods_app = typer.Typer(help="List the methods, and print a configuration with one.")
recipes_app = typer.Typer(help="Find and copy the shipped LLaMA-Factory recipes.", no_args_is_help=True)

_GROUPS = {"methods": methods_app, "recipes": recipes_app, "env": env_app, "store": store_app}
for _command in (
    "init",
    "make_prompts",
    "build_pairs",
    "merge",
    "train",
    "iterate",
    "eval",
    "judge_check",
    "probe",
    "report",
    "view",
    "push",
    "chat",
    "export",
    "plan",
    "doctor",
    "schema",
    *_GROUPS,
):
    import_module(f"lidr_cli.{_command}").register(_GROUPS.get(_command, app))
app.add_typer(methods_app, name="methods")
app.add_typer(recipes_app, name="recipes")
app.add_typer(env_app, name="env")
app.add_typer(store_app, name="store")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lidr {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...
