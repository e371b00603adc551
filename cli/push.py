"""`lidr push`: a run's dataset or model to the Hub."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, say, say_json


def push(
    run_dir: Annotated[Path, typer.Argument(help="The output_dir of a run, or a round of one.")],
    repository: Annotated[str, typer.Argument(metavar="USER/REPO", help="Where to; made if absent.")],
    model: Annotated[bool, typer.Option("--model", help="Push the trained model in place of the dataset.")] = False,
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it. Default: private.")] = False,
    license: Annotated[str, typer.Option("--license", help="The Hub's name of a licence, for the card.")] = "other",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be pushed, and push nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Push a run's dataset, or its trained model, to the Hugging Face Hub.

    The dataset as Parquet with a card and an entry for LLaMA-Factory (dataset_dir=REMOTE:USER/REPO); the model with a card.
    Private unless --public; an existing public repository is refused without it.
    """
    import tempfile

    from lidr_plugin.machine import hub
    from lidr_plugin.rounds.push import dataset_of, model_of
    from lidr_plugin.run_directory import RunDirectory

    run = RunDirectory(run_dir)
    with tempfile.TemporaryDirectory(prefix="lidr-push-") as folder:
        make = model_of if model else partial(dataset_of, folder=Path(folder))
        upload = make(run, repository, license=license)
        seen = "public" if public else "private"
        told = {"repository": repository, "kind": upload.kind, "visibility": seen, "files": upload.sizes}
        if not as_json:
            say(f"{upload.kind} {repository} ({seen}):")
            for name, size in upload.sizes.items():
                say(f"  {size:>14,}  {name}")
        if not dry_run:
            url = hub.upload(repository, upload.kind, upload.files, public=public)
        if as_json:
            say_json(told if dry_run else {**told, "url": url})
        else:
            say("nothing was pushed" if dry_run else f"pushed: {url}")
    if upload.dataset and not (dry_run or as_json):
        say(f"train on it: llamafactory-cli train recipe.yaml dataset_dir=REMOTE:{repository} dataset={upload.dataset}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("push")(push)
