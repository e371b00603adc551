"""A translator with known faults: a round from the usual M0 whose recorded translations are spoilt, and lidr's verdict on them.

A knob of M0 would not do, for a model that read translations with faults by chance tells the likeliest words, and those are right.
So the completions that a round asked for are exported, spoilt and imported into a store of their own; the rest is lidr as ever.
"""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiment import CONFIG, lidr, of_world, trained_and_asked
from reading import spoilt
from tasks import LARGEST

from lidr_plugin.evaluation.results import read_probe

_END = "\n</translated>"
_SAMPLE = 256
"""Prompts that the verdict sees."""
_BLIND = "columns.final_answer=unknown"
"""The same verdict for a user who does not know the right answers."""


def slip(text: str, share: float) -> str:
    """In so many texts one number, chosen by chance, is another: a fault that is another one each time."""
    chance = random.Random(text)
    return spoilt(text, chance) if chance.random() < share else text


def mistake(text: str, share: float) -> str:
    """So many of the results are told one too high, always the same ones: a fault that can be learnt."""
    numbers = list(range(1, LARGEST + 1))
    wrong = random.Random(0).sample(numbers, round(share * LARGEST))
    head, _, last = text.rstrip(".").rpartition(" ")
    return f"{head} {int(last) + 1}." if last.isdigit() and int(last) in wrong else text


def garble(text: str, share: float) -> str:
    """So many of the words are another word of the text, chosen by chance: a translator that hardly knows the language."""
    chance, words = random.Random(text), text.split(" ")
    return " ".join(chance.choice(words) if chance.random() < share else word for word in words)


FAULTS: dict[str, Callable[[str, float], str]] = {"slips": slip, "mistakes": mistake, "garbled": garble}


class Fault(NamedTuple):
    """A kind of fault, and in how much of what is translated."""

    kind: str
    share: float

    def line(self, written: str) -> str:
        """A line of an exported store, a translation spoilt."""
        item = json.loads(written)
        if item["request"].get("prefill", "") and item["text"].endswith(_END):
            text = item["text"].removesuffix(_END)
            item["text"] = FAULTS[self.kind](text, self.share) + _END
        return json.dumps(item)


def spoilt_store(source: Path, folder: Path, fault: Fault) -> Path:
    """What a store has at temperature 0, its translations spoilt, as a store of its own."""
    target, sound, faulty = folder / "completions.sqlite", folder / "sound.jsonl", folder / "faulty.jsonl"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    lidr("store", "export", source, sound)
    lines = (x for x in sound.open() if json.loads(x)["request"].get("temperature") == 0)
    faulty.write_text("".join(f"{fault.line(x)}\n" for x in lines))
    lidr("store", "import", target, faulty)
    for file in (sound, faulty):
        file.unlink()
    return target


def verdicts(run: Path) -> dict[str, Any]:
    """By language: what `lidr probe` says, and what it goes by."""
    return {
        code: {
            "verdict": x.verdict,
            "benefit": [round(x.benefit.value, 3), round(x.benefit.half, 3)] if x.benefit else None,
            "lossy": [x.lossy.hits, x.lossy.total],
            "lacking": [x.lacking.hits, x.lacking.total],
            "round_trip": None if x.round_trip is None else round(x.round_trip, 3),
        }
        for code, x in read_probe(run / "probe.json").verdicts.items()
    }


def judged(folder: Path, given: Sequence[str]) -> dict[str, Any]:
    """The verdicts on a round that is about to be made, with the right answers known and without."""
    for run, more in ((folder, ()), (folder / "blind", (_BLIND,))):
        if not (run / "probe.json").exists():
            lidr("probe", CONFIG, *given, *more, f"output_dir={run}", "--sample", str(_SAMPLE))
    return {"verdicts": verdicts(folder), "blind": verdicts(folder / "blind")}


def noisy(folder: Path, world: Path, given: Sequence[str], fault: Fault) -> dict[str, Any]:
    """A round whose translator has a fault; what is in `result.json`."""
    result = folder / "result.json"
    if not result.exists():
        store = spoilt_store(world / "completions.sqlite", folder, fault)
        run = [*of_world(world), *given, f"store={json.dumps(str(store.absolute()))}"]
        seen = judged(folder, run)
        for command in ("build-pairs", "train"):
            lidr(command, CONFIG, *run, f"output_dir={folder}")
        result.write_text(json.dumps({**seen, **trained_and_asked(folder, world)}, indent=1) + "\n")
    return dict(json.loads(result.read_text()))
