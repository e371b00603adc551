"""Our MGSM scorer against lm-evaluation-harness's `flexible-extract`, on the same answers of real models.

    python -m benchmarks.scorer_agreement runs/demo ../shared/data/mgsm

The harness runs its own task and asks a server that repeats what `lidr eval` kept in `eval/<model>.mgsm.<language>.jsonl`;
printed are the share of answers on which both agree, and every other one with what each reads in it.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from lidr_plugin.config.evaluation import Eval, LmEval
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.benchmarks import mgsm
from lidr_plugin.evaluation.lm_eval import Harness
from lidr_plugin.text.numbers import final_numbers
from tests.support.server import FakeServer, running


def kept(run: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The scored answers by model and language."""
    found = {}
    for path in sorted((run / "eval").glob("*.mgsm.*.jsonl")):
        label, _, code = path.name.removesuffix(".jsonl").partition(".mgsm.")
        found[label, code] = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return found


def replayed(label: str, code: str, items: list[dict[str, Any]], questions: list[str]) -> list[dict[str, Any]]:
    """The harness's own log of the same answers, in their order."""
    said = {mgsm.turn(text, code): item["answer"] for text, item in zip(questions, items, strict=True)}
    server = FakeServer(served=label)
    server.script = lambda body: {"message": {"role": "assistant", "content": said[body["messages"][-1]["content"]]}}
    with running(server) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [{"query": text, "response": item["expected"]} for text, item in zip(questions, items, strict=True)]
        (folder / f"{code}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        wanted = LmEval(
            tasks=["mgsm"],
            model="local-chat-completions",
            model_args={"base_url": f"{url}/chat/completions"},
            args={"apply_chat_template": True},
        )
        other = "de" if code != "de" else "es"
        config = Config(
            model_name_or_path="m",
            dominant_language=code,
            languages=[other],
            prompts="{language}",
            eval=Eval(lm_eval=wanted, mgsm=str(folder / "{language}.jsonl")),
        )
        harness = Harness(config, folder / "out")
        harness.tasks = harness.tasks._replace(names=[f"lidr_mgsm_{code}"])
        harness.run(label, label, "replayed")
        (path,) = (folder / "out" / label).rglob("samples_*.jsonl")
        log = [json.loads(line) for line in path.read_text().splitlines()]
        return sorted(log, key=lambda row: int(row["doc_id"]))


def main() -> None:
    """Prints the agreement, and every disagreement."""
    run, data = Path(sys.argv[1]), Path(sys.argv[2])
    agreed = total = 0
    for (label, code), items in kept(run).items():
        lines = (data / f"{code}.jsonl").read_bytes().splitlines()
        questions = [orjson.loads(line)["query"] for line in lines[: len(items)]]
        for item, row in zip(items, replayed(label, code, items, questions), strict=True):
            assert row["resps"][0][0] == item["answer"]
            theirs = row["exact_match"] == 1.0
            total += 1
            agreed += theirs == item["correct"]
            if theirs != item["correct"]:
                ours = ", ".join(map(str, final_numbers(item["answer"], code))) or "nothing"
                print(
                    f"{label} {code} {item['id']}: right {item['expected']}; ours {ours}; theirs {row['filtered_resps'][0]}"
                )
                print(f"    …{' / '.join(item['answer'].splitlines()[-3:])[-160:]}")
    print(f"agreement: {agreed}/{total} = {agreed / total:.3f}")


if __name__ == "__main__":
    main()
