"""MGSM's questions from the Hugging Face Hub, kept where the environments are."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import httpx

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.machine.environments import home

PREFIX = "hub:"


def fetch(repository: str, codes: Sequence[str]) -> str:
    """The path, with `{language}` in it, of JSON lines of `query` and `response`; what is there is not loaded again.

    Args:
        repository: a dataset with `mgsm_<language>.tsv` files of question and number, as `juletxara/mgsm`.

    Raises:
        InputError: a file could not be loaded, or is no table of questions and numbers.
    """
    folder = home() / "data" / repository.replace("/", "--")
    for code in codes:
        path = folder / f"{code}.jsonl"
        if not path.exists():
            rows = list(csv.reader(_load(repository, code).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
            if not rows or any(len(row) != 2 for row in rows):
                raise InputError(f"eval.mgsm: {repository}: mgsm_{code}.tsv is no table of questions and numbers")
            lines = (files.dump_line({"query": query, "response": response}) for query, response in rows)
            files.write_text(path, b"".join(lines).decode())
    return str(Path(folder) / "{language}.jsonl")


def _load(repository: str, code: str) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    headers = {"Authorization": f"Bearer {token}"} if (token := os.environ.get("HF_TOKEN")) else {}
    url = f"{endpoint}/datasets/{repository}/resolve/main/mgsm_{code}.tsv"
    try:
        answer = httpx.get(url, headers=headers, timeout=30, follow_redirects=True)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise InputError(
            f"eval.mgsm: {url} could not be loaded ({error})",
            "put the questions into files, lines of query and response: eval.mgsm=mgsm/{language}.jsonl",
        ) from None
    return answer.text
