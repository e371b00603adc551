"""Writes docs/each-method.md: every method in half a page, with rows that it makes of one problem of the small world.

python -m docs.each_method

What a method needs, asks and is called comes from its preset; the rows are made by it, from answers that are written here.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import lidr_plugin as lidr
from lidr_plugin.config.presets import PRESETS, Preset

PAGE = Path(__file__).parent / "each-method.md"
_QUESTIONS = {
    "en": "Tom has 6 books. He loses 3 of them. He buys 4 more. How many books does he have now?",
    "de": "Tom hat 6 Bücher. Er verliert 3 davon. Er kauft 4 dazu. Wie viele Bücher hat er jetzt?",
    "es": "Tom tiene 6 libros. Pierde 3 de ellos. Compra 4 más. ¿Cuántos libros tiene ahora?",
}
_RIGHT = {
    "en": "6 minus 3 is 3. 3 plus 4 is 7. The answer is 7.",
    "de": "6 minus 3 ist 3. 3 plus 4 ist 7. Die Antwort ist 7.",
    "es": "6 menos 3 es 3. 3 más 4 es 7. La respuesta es 7.",
}
_WRONG = {code: text.replace("7", "8") for code, text in _RIGHT.items()}
_NAMES = {"English": "en", "German": "de", "Spanish": "es"}


class Words(NamedTuple):
    """What a reader wants to know that no table says: the idea, and when it fails."""

    idea: str
    fails: str


WORDS: Mapping[str, Words] = {
    "imbalance": Words(
        "The model answers in every language and translates its own answers. In each language what began in the "
        "dominant one is "
        "preferred to what did not; in the dominant one its answer is preferred to a translation into it. The "
        "reward is the "
        "imbalance itself, so no judge is needed, and it shrinks as the model gets better.",
        "The model is as good in all languages, or translates so badly that its translations are worse than its "
        "answers. "
        "`lidr probe` says so of each language.",
    ),
    "clo": Words(
        "As `imbalance`, and for a fifth of the prompts a right answer in the right language is preferred to the "
        "same answer in "
        "the other. For models that drift into the dominant language.",
        "The share is large: such pairs are told apart by their first word, and the training learns nothing else "
        "([why](concepts.md#chosen-and-rejected-are-in-one-language)).",
    ),
    "alignment": Words(
        "The paper's baseline: imitate the translated answers, reject nothing. On the store of `imbalance` it costs "
        "nothing.",
        "Translations have faults that are imitated with the rest; nothing pushes away from anything.",
    ),
    "stt": Words(
        "Answers in the dominant language, the data's own where it has some, are translated by the model, and both "
        "are learnt.",
        "As `alignment`; the dominant answers keep it from forgetting that language.",
    ),
    "qalign": Words(
        "First the model learns to translate questions into the dominant language, then to answer there. Reasoning "
        "is learnt once, "
        "in the language in which there are good answers.",
        "The prompts were translated by this very model: it learns its own mistakes. And it answers in the dominant "
        "language more.",
    ),
    "question_only": Words(
        "Nothing but questions, translated out of the dominant language, no answers. Enough to wake what a model "
        "can already do.",
        "It cannot do it: nothing about answers is learnt. The prompts were translated by this very model.",
    ),
    "xllm": Words(
        "Answers in both languages and the translating of them, side by side, so that each helps the other.",
        "The translations are the model's own and bad: name another `translation.engine`.",
    ),
    "crossin": Words(
        "Mostly answers in the dominant language, and a tenth of rows that ask in one language and answer in the "
        "other.",
        "A taste for answers in the wrong language, if the shares of the crossed rows are raised.",
    ),
    "plug": Words(
        "The model restates the prompt in its best language, answers there, then says the answer in the prompt's "
        "language: at every "
        "answer, also in use.",
        "Answers are three times as long, and whoever uses the model has to cut off the first two parts.",
    ),
    "answer": Words(
        "Several solutions to a question with a known answer; right ones are preferred to wrong ones. The strongest "
        "signal there is.",
        "All samples are right or all are wrong (`no_contrast`): other questions, more samples, a higher temperature.",
    ),
    "scpo": Words(
        "As `answer` without the answers: what most samples in a language say counts as right, and pairs weigh by "
        "how sure that is.",
        "The language's majority is wrong, as it is in a language that the model can hardly do: see `calm`.",
    ),
    "calm": Words(
        "The vote is held over all languages together, so a weak language is outvoted by the strong ones.",
        "Fewer than three languages; questions whose answer differs by language.",
    ),
    "mapo": Words(
        "The best of several answers is that from which a translation model finds the dominant answer likeliest: "
        "the same steps in "
        "other words.",
        "The dominant answer is wrong; texts longer than the translation model reads (NLLB: some 500 tokens).",
    ),
    "cm_align": Words(
        "The dominant answers vote by their closeness to one another for a reference; in each other language what "
        "is closest in "
        "meaning to it is preferred to what is farthest.",
        "Closeness is not quality: fluent nonsense on the subject is close. An encoder that does not know the "
        "language.",
    ),
    "lacomsa": Words(
        "As `cm_align` with the policy's own hidden states in the middle of its layers in place of an encoder, so "
        "nothing else has to be "
        "loaded.",
        "Layers of a small model tell languages apart better than meanings.",
    ),
    "best_of_n": Words(
        "A reward model scores sixteen answers; the best is preferred to the worst.",
        "Rewards like length and English, and many know few languages: look at the notes in `report.json`, and at "
        "`rank.length_control`.",
    ),
    "croco": Words(
        "As `best_of_n` with more answers; rejected is a bad one that is no outlier, for outliers teach little.",
        "As `best_of_n`; sixty-four answers a prompt and language cost what they cost.",
    ),
    "icr": Words(
        "A model that was trained on preferences is a reward model: its likelihood less that of the model before "
        "it. The answer in "
        "another language is scored under the *dominant* prompt, where these preferences were learnt.",
        "Nobody has the model as it was before; its preferences were about style.",
    ),
    "dice": Words(
        "The same implicit reward, each answer under its own prompt: round after round from the model's own "
        "preferences.",
        "As `icr`; in a language in which no preference was learnt the reward is noise.",
    ),
    "sao": Words(
        "The model compares two of its own answers, in both orders; only what it says in both makes a pair.",
        "Below some 7B parameters it goes by the place of the answers; lidr ends such a run.",
    ),
    "self_rewarding": Words(
        "The model grades its answers from 0 to 10, several times; the best is preferred to the worst.",
        "Grades are coarse and mild: many ties. Small models grade at random.",
    ),
}
"""By preset; `mix` and `rank` are the families themselves and have no page."""
_HEAD = """# Every method in half a page

Made by `python -m docs.each_method`; [Which method for me?](methods.md) helps to choose. The rows are made by the
methods themselves, of one problem of the [small world](../examples/world/README.md) and answers that are always right
in English and sometimes wrong elsewhere. Spanish rows that are as the German ones are left out.

"""
_ALIKE = (
    "Rows are as those of [`answer`](#answer): texts drawn in one language, `response:de#1` over "
    "`response:de#0`, with scores and weight."
)
_MADE = [name for name in WORDS if PRESETS[name].family in ("imbalance", "mix")] + ["answer", "scpo", "calm"]
"""Those whose rows need nothing but the policy's answers."""


class World:
    """Answers that are right in English, and one time in three wrong elsewhere; translations without a fault."""

    identity = "world"

    async def __aenter__(self) -> "World":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def complete(self, request: lidr.Chat) -> lidr.Completion:
        """The answer to a question, or the translation of one of the texts."""
        said = request.messages[-1].content
        if "<sentence>" in said:
            into = next(code for name, code in _NAMES.items() if f"into {name}" in said)
            texts = next(x for x in (_QUESTIONS, _RIGHT, _WRONG) if any(text in said for text in x.values()))
            return lidr.Completion(f"{texts[into]}\n</translated>", "stop", 1, 1, prefilled=True)
        code = next(code for code, question in _QUESTIONS.items() if question in said)
        wrong = code != "en" and request.sample % 3 == 0
        return lidr.Completion((_WRONG if wrong else _RIGHT)[code], "stop", 1, 1)


def rows(name: str, folder: Path) -> list[dict[str, Any]]:
    """What a method makes of the problem in English, German and Spanish."""
    for code, question in _QUESTIONS.items():
        row = {"id": "1", "instruction": question, "final_answer": "7", "response": _RIGHT["en"]}
        (folder / f"{code}.jsonl").write_text(json.dumps(row) + "\n")
    config = lidr.Config(
        model_name_or_path="world",
        languages=["de", "es"],
        prompts=str(folder / "{language}.jsonl"),
        prompt_template="{prompt}",
        method=name,
        filters={"fidelity": False},  # it asks for a translation of lidr's own request, which is none of the texts here
        output_dir=str(folder / name),
        **({"task": "math"} if "task" in PRESETS[name].example else {}),
    )
    lidr.build_pairs(config, engine=World())
    data = sorted((folder / name / "data").glob("*.jsonl"))
    return [json.loads(line) for path in data for line in path.read_text().splitlines()]


def _cell(text: str) -> str:
    """A text in a table; lidr's request for a translation is named and not shown."""
    before, found, rest = text.partition("<sentence>\n")
    if found:
        into = next(name for name in _NAMES if f"into {name}" in before)
        text = f"*(translate into {into}:)* {rest.partition('</sentence>')[0]}"
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _sources(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a row's texts come from, whatever its language."""
    code, keys = row["language"], ("chosen_source", "rejected_source", "output_source", "task")
    return tuple(str(row.get(key)).replace(f">{code}", ">l").replace(f":{code}", ":l") for key in keys)


def _table(found: list[dict[str, Any]]) -> Iterator[str]:
    pairs = "chosen" in found[0]
    yield "| | prompt | " + ("chosen | rejected |\n|---|---|---|---|\n" if pairs else "output |\n|---|---|---|\n")
    for row in found:
        if row["language"] == "es" and _sources(row) in {
            _sources(other) for other in found if other["language"] == "de"
        }:
            continue  # it is as the German one
        texts = ("chosen", "rejected") if pairs else ("output",)
        cells = [f"{_cell(row[text])} `{row[f'{text}_source']}`" for text in texts]
        yield f"| {row['language']} | {_cell(row['instruction'])} | {' | '.join(cells)} |\n"


def _half_page(name: str, preset: Preset, words: Words, found: list[dict[str, Any]]) -> str:
    made = "".join(_table(found)) if found else f"{_ALIKE}\n"
    scores = f", {preset.scores} scores" if str(preset.scores) != "0" else ""
    facts = (
        f"- **Wants**: {preset.needs}.",
        f"- **Asks**: {preset.cost} completions a prompt{scores} at most (N: languages beside the dominant one).",
        f"- **Fails when**: {words.fails}",
        f"- **Paper**: {preset.paper}.",
    )
    return f"## {name}\n\n{words.idea}\n\n" + "\n".join(facts) + f"\n\n{made}\n"


def page() -> str:
    """docs/each-method.md."""
    text = _HEAD
    for name, words in WORDS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = rows(name, Path(folder)) if name in _MADE else []
        text += _half_page(name, PRESETS[name], words, found)
    return text.rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
