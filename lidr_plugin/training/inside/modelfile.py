"""Writes Ollama's Modelfile for a model, by LLaMA-Factory's template: no other is what the model was trained with.

Reads a job as JSON from its standard input and prints a line `LIDR <json>`, with the Modelfile.
"""

import json
import sys

from llamafactory.data.template import get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from transformers import AutoTokenizer


def main() -> None:
    job = json.load(sys.stdin)
    tokenizer = AutoTokenizer.from_pretrained(job["model"], trust_remote_code=job["trust_remote_code"])
    template = get_template_and_fix_tokenizer(tokenizer, DataArguments(**job["template"]))
    print("LIDR " + json.dumps({"modelfile": template.get_ollama_modelfile(tokenizer)}))


if __name__ == "__main__":
    main()
