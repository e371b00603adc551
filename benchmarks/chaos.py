"""A run on Ray in which things go wrong all the time: the same bytes as without, and nothing asked again but what was in flight.

    python -m benchmarks.chaos              40 shards; a worker is killed every few seconds, a node goes, one comes, the driver is
                                            killed and started again
    python -m benchmarks.chaos --cable      two nodes in network namespaces, and the cable between them is cut for a while (root)

The nodes are real ones of Ray on this machine (a raylet each); the server counts what it is asked. What prompts have in common is
asked once in each shard: that is counted first, on shards without mishaps.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import lidr_plugin as lidr
from tests.conftest import files_of, prompts, write_config, write_prompts
from tests.support.child import LIDR
from tests.support.fake import Speaker
from tests.support.server import FakeServer, running

CONCURRENCY = 4
RAY = [str(Path(sys.executable).with_name("ray"))]
NODE = ["--num-cpus", "1", "--object-store-memory", str(100 << 20), "--disable-usage-stats"]


class Mishaps(NamedTuple):
    """What went wrong: workers that died at a shard, and what else there was to tell."""

    deaths: int
    told: str


def alike(folder: Path, shards: int) -> int:
    """How often a run in shards without mishaps asks what another shard has asked; beside it the run without shards."""
    calm = Speaker()
    config = lidr.load(write_config(folder, output_dir=str(folder / "whole")))
    for number in range(shards):
        lidr.build_pairs(config, shard=f"{number}/{shards}", engine=calm)
    lidr.build_pairs(config, engine=Speaker())
    return len(calm.seen) - len({request._replace(row="") for request in calm.seen})


def at_work(run: Path) -> list[int]:
    """The processes that are at a shard now, by the locks of the shards."""
    found = []
    for lock in run.glob("shards/*-of-*/.lock"):
        with suppress(OSError, ValueError):
            found.append(int(lock.read_text()))
    return [pid for pid in set(found) if Path(f"/proc/{pid}").exists()]


def finished(run: Path) -> int:
    """Shards that are."""
    return len(list(run.glob("shards/*-of-*/shard.json")))


def driver(config: Path, address: str, before: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
    """`lidr build-pairs --ray`, in a session of its own."""
    command = [*before, *LIDR, "build-pairs", str(config), "--ray", address]
    log = (config.parent / "driver.log").open("ab")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)


def waited(child: "subprocess.Popen[bytes]", come: Callable[[], bool]) -> bool:
    """Waits for something; whether it came before the child ended."""
    while not come():
        if child.poll() is not None:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def cluster() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """A head that takes no work and two nodes; yields the address, and what takes a node away and adds one."""
    from ray.cluster_utils import Cluster

    nodes = {"num_cpus": 1, "object_store_memory": 100 << 20}
    made = Cluster(initialize_head=True, head_node_args={**nodes, "num_cpus": 0, "include_dashboard": False})
    try:
        first = made.add_node(**nodes)
        made.add_node(**nodes)
        yield made.address, lambda: made.remove_node(first, allow_graceful=False), lambda: made.add_node(**nodes)
    finally:
        made.shutdown()


def kills(run: Path, config: Path, args: argparse.Namespace) -> Mishaps:
    """Workers, a node and the driver, one after the other."""
    chance, deaths, killed = random.Random(args.seed), 0, 0
    with cluster() as (address, remove, add):
        others = {args.shards // 4: remove, args.shards // 2: add}
        child, restarted = driver(config, address), False
        while waited(child, lambda: bool(at_work(run))):
            time.sleep(args.every * (0.5 + chance.random()))
            for when in [when for when in others if finished(run) >= when]:
                deaths += len(at_work(run))  # at most: some are elsewhere
                others.pop(when)()
            if not restarted and finished(run) >= args.shards * 3 // 4:
                deaths += len(at_work(run))
                child.kill()
                child.wait()
                while at_work(run):  # Ray ends the workers of a driver that is gone
                    time.sleep(0.1)
                child, restarted = driver(config, address), True
            elif pids := at_work(run):
                with suppress(OSError):
                    os.kill(chance.choice(sorted(pids)), signal.SIGKILL)
                    killed, deaths = killed + 1, deaths + 1
        told = f"{killed} workers killed, {2 - len(others)} changes of nodes, driver killed {int(restarted)} times"
        assert child.wait() == 0, (config.parent / "driver.log").read_text()[-3000:]
    return Mishaps(deaths, told)


def namespaced(name: str, *command: str) -> list[str]:
    """The command on that machine."""
    return ["ip", "netns", "exec", name, *command]


def inside(name: str) -> set[int]:
    """The processes in a namespace."""
    done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    return set(map(int, done.stdout.split()))


@contextmanager
def two_machines() -> Iterator[None]:
    """The namespaces lidr-a and lidr-b, 10.77.0.1 and .2, with a cable between them."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    with ExitStack() as stack:
        for name in ("lidr-a", "lidr-b"):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("link", "add", "lidr-va", "netns", "lidr-a", "type", "veth", "peer", "name", "lidr-vb", "netns", "lidr-b")
        for number, side in enumerate("ab", 1):
            ip("-n", f"lidr-{side}", "addr", "add", f"10.77.0.{number}/24", "dev", f"lidr-v{side}")
            for device in (f"lidr-v{side}", "lo"):
                ip("-n", f"lidr-{side}", "link", "set", device, "up")
        yield


def cable(run: Path, config: Path, args: argparse.Namespace) -> Mishaps:
    """A node on each side, the server with the first; the second is out of reach for a while."""
    address, deaths = "10.77.0.1:6379", 0
    a, b = (["--node-ip-address", f"10.77.0.{number}"] for number in (1, 2))
    head = namespaced("lidr-a", *RAY, "start", "--head", "--port", "6379", "--include-dashboard=false", *a, *NODE)
    node = namespaced("lidr-b", *RAY, "start", "--address", address, *b, *NODE, "--block")
    subprocess.run(head, check=True, stdout=subprocess.DEVNULL)
    second = subprocess.Popen(node, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        child = driver(config, address, tuple(namespaced("lidr-a")))
        assert waited(child, lambda: bool(inside("lidr-b") & set(at_work(run))) and finished(run) >= args.shards // 4)
        deaths += len(inside("lidr-b") & set(at_work(run)))
        subprocess.run(["ip", "-n", "lidr-b", "link", "set", "lidr-vb", "down"], check=True)
        time.sleep(args.cut)
        subprocess.run(["ip", "-n", "lidr-b", "link", "set", "lidr-vb", "up"], check=True)
        said = "the node came back by itself" if second.poll() is None else "Ray had ended the node"
        child.wait()
        log = (config.parent / "driver.log").read_text()
        assert child.returncode == 0, log[-3000:]
        deaths += log.count("another one goes on from its store") + log.count("it is begun again")
        return Mishaps(deaths, f"the cable was cut for {args.cut:g} s; when it was mended {said}")
    finally:
        with suppress(OSError):
            os.killpg(second.pid, signal.SIGKILL)
        for pid in inside("lidr-a") | inside("lidr-b"):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def served(args: argparse.Namespace) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """The server's address, and what gives the requests that it was asked."""
    if not args.cable:
        server = FakeServer(delay=args.delay)
        with running(server) as url:
            yield url, lambda: [json.dumps(body["messages"]) for body in server.asked]
        return
    command = [sys.executable, "-m", "tests.support.server", "--host", "10.77.0.1", "--delay", str(args.delay)]
    with two_machines(), subprocess.Popen(namespaced("lidr-a", *command), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        url = child.stdout.readline().strip()

        def asked() -> list[str]:
            code = f"import urllib.request as u; print(u.urlopen('{url}/log').read().decode())"
            done = subprocess.run(namespaced("lidr-a", sys.executable, "-c", code), capture_output=True, text=True)
            return [json.dumps(body["messages"]) for body in json.loads(done.stdout)["asked"]]

        try:
            yield url, asked
        finally:
            child.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between two workers' deaths, on average")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds that an answer takes")
    parser.add_argument("--cable", action="store_true")
    parser.add_argument("--cut", type=float, default=20.0, help="seconds for which the cable is cut")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.cable and subprocess.run(["ip", "netns", "add", "lidr-try"], capture_output=True).returncode:
        sys.exit("skipped: `ip netns add` is not allowed here (it wants root)")
    subprocess.run(["ip", "netns", "del", "lidr-try"], capture_output=True)
    folder, begun = Path(tempfile.mkdtemp(prefix="lidr-chaos-")), time.monotonic()
    try:
        write_prompts(folder, prompts(args.prompts))
        common = alike(folder, args.shards)
        with served(args) as (url, asked):
            spread = {"shards": args.shards, "cpus_per_worker": 0.5}
            config = write_config(folder, engine__base_url=url, engine__concurrency=CONCURRENCY, cluster=spread)
            found = (cable if args.cable else kills)(folder / "run", config, args)
            times = Counter(asked())
        again, most = sum(times.values()) - len(times) - common, CONCURRENCY * found.deaths
        same = files_of(folder / "run") == files_of(folder / "whole")
        print(f"{args.shards} shards, {len(times):,} requests, {time.monotonic() - begun:.0f} s: {found.told}")
        print(f"bytes: {'the same as those of the run without shards' if same else 'NOT THE SAME'}")
        print(f"asked again: {again}; {most} could be in flight at {found.deaths} deaths")
        sys.exit(0 if same and again <= most else 1)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
