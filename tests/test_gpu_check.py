"""The GPU check, on a CPU with a tiny model: every step finds something."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.child import PATIENCE
from tests.support.trained import ROOT, environment


@pytest.mark.train
def test_the_gpu_check_trains_a_model_of_its_own_beside_the_plan_and_writes_what_it_found(
    train_python: Path, tmp_path: Path
) -> None:
    out = tmp_path / "gpu.json"
    command = [str(train_python), "-m", "benchmarks.gpu", "--shapes", "tiny", "--ways", "lora", "--out", str(out)]
    env = {**environment(), "PYTHONPATH": str(ROOT), "LIDR_HOME": str(tmp_path)}  # no vLLM: its tests are elsewhere
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["shapes"]["tiny"]
    assert not [step for step in found.values() if "failed" in step], found
    assert 0.7 < found["lora"]["plan_to_peak"] < 1.3
    assert found["lora"]["seconds"] > 0
    engines = found["engines"]
    assert engines["transformers"]["prefill"]
    assert engines["transformers"]["tokens_a_second"] > 0
    assert engines["agreement"]["same_answers"] == 1
    assert engines["agreement"]["logprob_a_token_apart"] < 1e-4
    assert "| tiny | lora | tokens_a_row " in done.stdout
