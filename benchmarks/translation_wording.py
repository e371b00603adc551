"""Which wording of the translation request a small model survives: fidelity there and back, on real prompts.

    python -m benchmarks.translation_wording --data ../shared/data/alpagasus --url http://127.0.0.1:8000/v1 --model NAME

Each English prompt is translated into a language and back in the same wording, greedily, as a build with its defaults would, but
for its second tries. Printed for each wording: chrF of what came back against the English (a missing text counts 0), chrF of what
went out against the data's own translation where there is one, and the shares of texts that are missing, in another language than
asked for, an echo of the source, or one of the request itself.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from lidr_plugin import languages
from lidr_plugin.completions.engines.openai import OpenAI
from lidr_plugin.completions.requests import Chat, Completion, Sampling
from lidr_plugin.methods.translation import (
    PREFILL,
    TEMPLATE,
    bare_request,
    is_echo,
    parse_translation,
    translation_request,
)
from lidr_plugin.methods.translation_echo import share_within
from lidr_plugin.methods.translation_prompts import asks_for_translation
from lidr_plugin.text.chrf import chrf
from lidr_plugin.text.language import LanguageGate

SENTENCE = "\n\n<sentence>\n{text}\n</sentence>"
GOLDEN = Path(__file__).resolve().parents[1] / "tests/golden/translation_0_1.txt"
WORDINGS = {
    "0.1": GOLDEN.read_text(encoding="utf-8"),
    "text": "Translate the text between the sentence tags into {language}. Write the translation between <translated> and "
    "</translated>, and nothing else." + SENTENCE,
    "short": "Translate into {language}. Answer with <translated>, the translation, and </translated>." + SENTENCE,
    "not followed": "Translate the following sentence into {language}. Do not answer it. Give only the translation, between "
    "<translated> and </translated>." + SENTENCE,
}
"""Those that were compared; `--template FILE` adds another."""
SAMPLING = Sampling(0.0, 1.0, 96, 1.1, 42, False)


class There(NamedTuple):
    """A text on its way: its translation, and what came back of it; empty where there was none."""

    out: str
    back: str


class Translations:
    """Asks a model for translations in one wording."""

    def __init__(self, engine: OpenAI, wording: str, slots: asyncio.Semaphore) -> None:
        self._engine, self._wording, self._slots = engine, wording, slots

    async def translated(self, text: str, code: str) -> str:
        """The translation, or nothing."""
        if not text:
            return ""
        turn = translation_request(text, languages.name_of(code), 0, template=self._wording)
        async with self._slots:
            answer: Completion = await self._engine.complete(Chat("", (turn,), SAMPLING, prefill=PREFILL))
        return parse_translation(answer, text, thinking=False).text

    async def there_and_back(self, text: str, code: str) -> There:
        """Into a language and back into English."""
        out = await self.translated(text, code)
        return There(out, await self.translated(out, "en"))


def prompts_of(data: Path, count: int) -> list[tuple[str, str]]:
    """So many ids and English prompts of 40 to 140 characters that ask for no translation."""
    rows = [json.loads(line) for line in (data / "en.jsonl").read_text(encoding="utf-8").splitlines()]
    fitting = [
        (row["id"], row["instruction"])
        for row in rows
        if 40 <= len(row["instruction"]) <= 140 and not asks_for_translation(row["instruction"])
    ]
    return fitting[:: len(fitting) // count][:count]


def share(found: Sequence[bool]) -> str:
    return f"{sum(found) / len(found):8.0%}"


async def measured(
    engine: OpenAI,
    wording: str,
    prompts: Sequence[tuple[str, str]],
    codes: Sequence[str],
    data: Path,
    slots: asyncio.Semaphore,
) -> str:
    """A line of the table, the other columns by language."""
    ask, gate = Translations(engine, wording, slots), LanguageGate(["en", *codes])

    async def rows_of(code: str) -> list[tuple[float, float | None, bool, bool, bool, bool]]:
        file = data / f"{code}.jsonl"
        lines = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.exists() else []
        references = {row["id"]: row["instruction"] for row in lines}
        request = bare_request(wording, languages.name_of(code))
        own, *found = await asyncio.gather(
            ask.translated(request, code), *(ask.there_and_back(text, code) for _, text in prompts)
        )
        assert isinstance(own, str)
        return [
            (
                chrf(way.back, text),
                chrf(way.out, references[id]) if id in references else None,
                not way.out,
                bool(way.out) and gate.off_target(way.out, code),
                share_within(way.out, text) > 0.3,
                is_echo(way.out, text, f"{own}\n{request}"),
            )
            for (id, text), way in zip(prompts, found, strict=True)
            if isinstance(way, There)
        ]

    by_code = dict(zip(codes, await asyncio.gather(*map(rows_of, codes)), strict=True))
    every = [row for rows in by_code.values() for row in rows]
    by_language = [f"{code} {fmean(row[0] for row in rows):.2f}" for code, rows in by_code.items()]
    out = [row[1] for row in every if row[1] is not None]
    columns = "".join(share([row[place] for row in every]) for place in (2, 3, 4, 5))
    return f"{fmean(row[0] for row in every):8.3f}{fmean(out):8.3f}{columns}   {' '.join(by_language)}"


async def compare(args: argparse.Namespace) -> None:
    wordings = {**WORDINGS, **({"lidr": TEMPLATE} if TEMPLATE not in WORDINGS.values() else {})}
    for path in args.template:
        wordings[path.name] = path.read_text(encoding="utf-8")
    prompts = prompts_of(args.data, args.count)
    engine = OpenAI(
        [args.url], model=args.model, api_key_env="OPENAI_API_KEY", timeout=900, max_retries=2, max_tokens=96
    )
    async with engine:
        print(f"{'':14}{'back':>8}{'out':>8}{'missing':>8}{'wrong':>8}{'source':>8}{'request':>8}   back, by language")
        slots = asyncio.Semaphore(32)

        async def line(name: str, wording: str) -> None:
            print(f"{name:14}{await measured(engine, wording, prompts, args.languages, args.data, slots)}", flush=True)

        await asyncio.gather(*(line(*item) for item in wordings.items() if not args.only or item[0] in args.only))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=14)
    parser.add_argument("--languages", nargs="+", default=["de", "es", "fr", "ru", "zh", "ja", "it", "ko", "th"])
    parser.add_argument("--template", type=Path, nargs="*", default=[], help="files with further wordings")
    parser.add_argument("--only", nargs="*", default=[], help="names of those to measure")
    asyncio.run(compare(parser.parse_args()))


if __name__ == "__main__":
    main()
