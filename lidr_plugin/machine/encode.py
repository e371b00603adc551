"""Encodes texts as the transformers of the interpreter that runs it does: `python -I encode.py`, with a job on its input.

The job is JSON: `model`, `revision`, `trust_remote_code`, `thinking`, `texts`, `chats` (lists of messages) and `ids` (lists of
tokens, to be shown). It prints a line `LIDR <json>`: `tokens` of the texts and then of the chats, `shown` for the ids.
"""

import json
import sys


def main() -> None:
    job = json.load(sys.stdin)
    if not job["trust_remote_code"]:
        # No tokenizer of transformers needs torch, whose import takes twice as long as all else here.
        sys.modules["torch"] = None  # type: ignore[assignment]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        job["model"], revision=job["revision"], trust_remote_code=job["trust_remote_code"]
    )
    options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": job["thinking"]}
    asked = [tokenizer.apply_chat_template(messages, **options) for messages in job["chats"]]
    found = {
        "tokens": [tokenizer.encode(text, add_special_tokens=False) for text in [*job["texts"], *asked]],
        "shown": [[tokenizer.decode([token]) for token in ids] for ids in job["ids"]],
    }
    print("LIDR " + json.dumps(found))


if __name__ == "__main__":
    main()
