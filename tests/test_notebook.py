"""The notebook for a free T4, cell by cell, on a CPU: a tiny model is trained, and a fake server gives its answers."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Lidr, write_prompts
from tests.conftest import prompts as prompts_of
from tests.support.server import FakeServer, running
from tests.support.trained import QUICK

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples/notebook/t4.ipynb"


def cells() -> list[str]:
    found = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


class Session:
    """What a notebook's kernel does, as far as this one needs it: Python, `!lidr …`, and `%pip`, which is left out."""

    def __init__(self, lidr: Lidr) -> None:
        self.names: dict[str, Any] = {}
        self.said: list[str] = []
        self._lidr = lidr

    def run(self, cell: str) -> None:
        """Runs one cell. An assertion fails where a command does."""
        python: list[str] = []
        for line in cell.splitlines():
            if line.startswith("!"):
                self._python(python)
                python = []
                self._shell(line[1:].format(**self.names))
            elif not line.startswith("%pip "):
                python.append(line)
        self._python(python)

    def _python(self, lines: list[str]) -> None:
        exec(compile("\n".join(lines), "cell", "exec"), self.names)

    def _shell(self, command: str) -> None:
        program, *words = shlex.split(command)
        assert program == "lidr", command
        done = self._lidr(*words, env=QUICK)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        self.said.append(done.stdout)


def test_the_notebook_is_one_and_carries_no_results() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["metadata"]["accelerator"]) == (4, "GPU")
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    assert sum(cell.count("!lidr ") for cell in cells()) >= 7


@pytest.mark.train
def test_every_cell_runs_on_a_tiny_model(
    tmp_path: Path, tiny: Path, train_python: Path, lidr: Lidr, capsys: Any
) -> None:
    write_prompts(tmp_path, prompts_of(24, ["en"]))
    session = Session(lidr)
    with running(FakeServer()) as url:
        for cell in cells():
            session.run(cell)
            if "MODEL =" in cell:  # what a reader would set otherwise, too
                session.names |= {
                    "MODEL": shlex.quote(str(tiny)),
                    "LANGUAGES": "de",
                    "PROMPTS": "prompts/en.jsonl",
                    "ENGINE": f"engine.base_url={url} engine.model=fake filters.fidelity=false",
                    "TRAIN": "train.method=lora train.bf16=false train.cutoff_len=512 train.max_steps=2 "
                    "train.preprocessing_num_workers=1 train.default_system='\"\"'",
                }
    assert len(session.names["pairs"]) > 10
    assert session.names["training"]
    assert (tmp_path / "runs/first/model/config.json").is_file()
    assert "pairs" in capsys.readouterr().out
