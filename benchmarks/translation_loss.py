"""How many translations of real long answers are lost, against the 7.8 % that the published code lost of the same texts.

    python -m benchmarks.translation_loss --data ../shared/data/llama3-8b --url http://127.0.0.1:8000/v1 --model NAME

The texts are English answers of Llama-3-8B-Instruct (mean 1,400 characters). They are put into a store as if the model had
written them, and lidr asks the model to translate them into French. Lost is what ends as `translation_failed` or
`truncated`; off-target and repeated texts are counted apart, for the published code did not look for them.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from lidr_plugin.completions.requests import Completion, request_json
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import load
from lidr_plugin.dataset.prepare import Prepared

PUBLISHED = 78 / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--max-tokens", type=int, default=1200)
    parser.add_argument("--retries", type=int, default=1)
    args = parser.parse_args()
    lines = (args.data / "en_to_fr.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    failed = [row for row in rows if row["en2fr_reponse"] == "Translation Error"]
    whole = [row for row in rows if row not in failed]
    # Half of the texts are those that were lost, the harder half; the share below weighs them as they occur.
    half = args.count // 2
    chosen = failed[:half] + whole[:: len(whole) // half][:half]
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        for code in ("en", "fr"):
            texts = [{"id": str(n), "instruction": f"[{code}] {n} {row['prompt']}"} for n, row in enumerate(chosen)]
            (folder / f"{code}.jsonl").write_text("\n".join(map(json.dumps, texts)))
        settings = {
            "model_name_or_path": args.model,
            "template": "qwen",
            "languages": ["fr"],
            "prompts": "{language}.jsonl",
            "engine": {"backend": "openai", "base_url": args.url, "concurrency": 64, "timeout": 3000},
            "translation": {"max_tokens": args.max_tokens, "retries": args.retries},
            "dominant_pairs": "none",
            "translation_prompts": "ignore",
            "filters": {"length_ratio": False},
            "output_dir": str(folder / "run"),
        }
        (folder / "lidr.yaml").write_text(yaml.safe_dump(settings))
        (folder / "run").mkdir()
        with Prepared(load(folder / "lidr.yaml")) as ready, Store(ready.run.store) as store:
            for prompt, row in zip(ready.prompts, chosen, strict=True):
                for _, request in Course(ready.method.steps(prompt, ready.ask)).wanted:
                    text = row["response"] if request.row.endswith("[en]") else "."
                    store.put_many([Entry(request_json(request), Completion(text, "stop", 0, 0))])
        command = [
            sys.executable,
            "-c",
            "from lidr_cli.main import main; main()",
            "build-pairs",
            str(folder / "lidr.yaml"),
        ]
        subprocess.run(command, check=True)
        rejected = [json.loads(line) for line in (folder / "run/rejected.jsonl").read_bytes().split(b"\n") if line]
        lost = [row for row in rejected if row["reason"] in ("translation_failed", "truncated")]
        hard, easy = (sum((int(row["id"]) < half) is which for row in lost) / half for which in (True, False))
        share = PUBLISHED * hard + (1 - PUBLISHED) * easy
        print(f"{len(chosen)} texts: lost {hard:.1%} of those that the published code lost, {easy:.1%} of the others")
        print(f"weighed as they occur: {share:.2%} lost = {share / PUBLISHED:.2f} of the published {PUBLISHED:.1%}")
        print("other reasons:", {row["reason"] for row in rejected} - {"translation_failed", "truncated"} or "none")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
