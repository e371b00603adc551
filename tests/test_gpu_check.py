"""The GPU check, on a CPU with a tiny model: every step finds something."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.gpu.wheels import strip
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


def test_of_bitsandbytes_what_no_cuda_12_or_13_loads_is_left_out_and_its_record_tells_so(tmp_path: Path) -> None:
    wheel, record = tmp_path / "bitsandbytes-1-py3-none-any.whl", "bitsandbytes-1.dist-info/RECORD"
    libraries = [
        f"bitsandbytes/libbitsandbytes_{name}.so"
        for name in ("cpu", "cuda118", "cuda128", "cuda130", "rocm72", "xpu2026")
    ]
    names = ["bitsandbytes/__init__.py", *libraries, record]
    with zipfile.ZipFile(wheel, "w") as file:
        for name in names[:-1]:
            file.writestr(name, name)
        file.writestr(record, "".join(f"{name},,\n" for name in names))
    strip(wheel)
    kept = ["bitsandbytes/__init__.py", libraries[0], libraries[2], libraries[3], record]
    with zipfile.ZipFile(wheel) as file:
        assert file.namelist() == kept
        assert file.read(record).decode() == "".join(f"{name},,\n" for name in kept)
    assert list(tmp_path.iterdir()) == [wheel]
