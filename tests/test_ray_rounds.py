"""A round on a real Ray cluster: built by lidr's workers, trained by LLaMA-Factory's, and never by both at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import prompts, write_config, write_prompts
from tests.support.child import started, until
from tests.support.server import FakeServer, running
from tests.support.trained import QUICK, SMALL, environment, losses, state

NODE = {"num_gpus": 1, "object_store_memory": 100 << 20}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and a node, each with a core and, by its own account, a GPU; the test is connected to them."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    for name, value in {"RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0", **QUICK}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # Ray counts what it names
    made = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 1, "include_dashboard": False})
    try:
        made.add_node(**NODE, num_cpus=1)
        ray.init(made.address, log_to_driver=False, logging_level="ERROR")
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def with_ray(python: Path, folder: Path) -> Path:
    """The interpreter of an environment with LLaMA-Factory and, beside it, the Ray of these tests."""
    import ray

    site, beside = Path(ray.__file__).parents[1], folder / "beside"
    beside.mkdir(parents=True)
    for name in ("ray", "jsonschema", "jsonschema_specifications", "referencing", "rpds"):
        (beside / name).symlink_to(site / name)
    for name in ("python", "llamafactory-cli"):
        (folder / name).write_text(f'#!/bin/sh\nPYTHONPATH={beside} exec {python.parent / name} "$@"\n')
        (folder / name).chmod(0o755)
    return folder / "python"


def waits(ray: Any) -> bool:
    """Whether LLaMA-Factory asks for more than there is."""
    return any(group["state"] == "PENDING" for group in ray.util.placement_group_table().values())


@pytest.mark.ray
@pytest.mark.train
def test_a_round_is_built_and_trained_on_a_cluster_whose_gpus_are_free_in_between(
    cluster: Any, tiny: Path, train_python: Path, tmp_path: Path
) -> None:
    import ray

    write_prompts(tmp_path, prompts(12, ["en", "de"]))
    python = with_ray(train_python, tmp_path / "env")
    training = {
        "use_cpu": True,
        "max_steps": 2,
        "global_batch_size": 4,
        "ray_num_workers": 2,
        "master_addr": cluster.head_node.node_ip_address,
    }
    server = FakeServer(served=[str(tiny), str(tmp_path / "run/iter1/model")], delay=0.2)
    with running(server) as url:
        config = write_config(
            tmp_path,
            model_name_or_path=str(tiny),
            template="qwen3_nothink",
            languages=["de"],
            rounds=1,
            engine__base_url=url,
            engine__concurrency=4,
            cluster={"gpus_per_worker": 1, "cpus_per_worker": 0.5, "shards": 4},
            train={**SMALL, **training, "python": str(python), "env": {"USE_RAY": 1}},
            eval={"prompts": "prompts/{language}.jsonl", "limit": 2, "max_tokens": 64},
        )
        child = started(tmp_path, "iterate", config, "--ray", cluster.address, env=environment())
        until(lambda: not ray.available_resources().get("GPU"), child)
        assert not (tmp_path / "run/iter1/train.log").exists(), "both workers build"
        until((tmp_path / "run/iter1/train.log").exists, child)
        assert ray.available_resources()["GPU"] == 2, "whoever built has left the GPUs before anything is trained"
        until(lambda: waits(ray), child)  # for ten cores for each of the two that it found
        cluster.add_node(num_cpus=20, object_store_memory=100 << 20)
        errors = child.communicate()[1].decode()
    assert child.returncode == 0, errors + (tmp_path / "run/iter1/train.log").read_text()[-3000:]
    run = tmp_path / "run/iter1"
    log = (run / "train.log").read_text()
    assert "Process rank: 1, world size: 2" in log
    assert len(losses(run)) == 2
    assert state(run)["status"] == "done"
    assert (run / "shards").is_dir()
    assert "round 1: eval" in errors
