"""A tokenizer that reads letters, and an interpreter that has it in place of transformers."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PAIR = 1 << 21


def by_letter(text: str) -> list[int]:
    """A token a letter."""
    return [ord(letter) for letter in text]


def by_pair(text: str) -> list[int]:
    """A token for two letters, as another version might have it."""
    whole = [ord(a) * _PAIR + ord(b) for a, b in zip(text[::2], text[1::2], strict=False)]
    return whole + [ord(letter) for letter in text[len(whole) * 2 :]]


def shown(token: int) -> str:
    """The letters of a token of either."""
    return chr(token) if token < _PAIR else chr(token // _PAIR) + chr(token % _PAIR)


def rendered(messages: Sequence[Mapping[str, str]]) -> str:
    """The chat template."""
    return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"


def interpreter(folder: Path, *, pairs: bool = False) -> Path:
    """One that answers a job of `machine/encode.py` by letter or by pair, and notes each start in `starts` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path, root = folder / "python", Path(__file__).resolve().parents[2]
    path.write_text(
        f'#!/bin/sh\necho >> "{folder}/starts"\ncd "{root}"\nexec "{sys.executable}" -m tests.support.encoder {"pairs" * pairs}\n'
    )
    path.chmod(0o755)
    return path


def main() -> None:
    """Answers the job on standard input."""
    job = json.load(sys.stdin)
    if os.environ.get("LIDR_TEST_NO_TOKENIZER"):
        sys.exit("OSError: no tokenizer there")
    texts = [*job["texts"], *map(rendered, job["chats"])]
    found = {
        "tokens": [(by_pair if "pairs" in sys.argv else by_letter)(text) for text in texts],
        "shown": [[shown(t) for t in ids] for ids in job["ids"]],
    }
    print("a warning of some library\nLIDR " + json.dumps(found))


if __name__ == "__main__":
    main()
