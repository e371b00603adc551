"""docs/evaluation.md: which benchmark has which language, from the table that `lidr eval` reads."""

from collections.abc import Mapping
from typing import NamedTuple

from lidr_plugin import languages
from lidr_plugin.evaluation.benchmarks import mgsm
from lidr_plugin.evaluation.lm_eval import FAMILIES


class About(NamedTuple):
    """A family in words: what is asked, where the questions come from, and the paper."""

    asks: str
    origin: str
    paper: str


ABOUT: Mapping[str, About] = {
    "belebele": About("reading a passage, four choices, 900 a language", "translated by people", "arXiv 2308.16884"),
    "include": About("exams, four choices", "written in the countries themselves", "arXiv 2411.19799"),
    "global_piqa": About(
        "everyday life, two choices, 100 a language",
        "written by speakers, half of it about their own culture",
        "arXiv 2510.24081",
    ),
    "global_mmlu_lite": About(
        "school and university subjects, four choices, 400 a language",
        "translated or corrected by people",
        "arXiv 2412.03304",
    ),
    "global_mmlu": About(
        "the same, 14,000 a language",
        "partly by people, the rest by machine and checked in samples",
        "arXiv 2412.03304",
    ),
    "mmmlu": About("the same as MMLU, 14,000 a language", "translated by professionals", "OpenAI, 2024"),
    "mmlu_prox": About(
        "harder, ten choices, with reasoning, 11,800 a language", "by models, corrected by experts", "arXiv 2503.10497"
    ),
    "mmlu_prox_lite": About("a sample of these", "as above", "arXiv 2503.10497"),
    "mgsm": About("mathematics in words, 250 a language", "translated by people", "arXiv 2210.03057"),
    "m_mmlu": About("school and university subjects", "translated by a model of 2023", "arXiv 2307.16039"),
    "arc": About("science at school", "as above", "arXiv 2307.16039"),
    "hellaswag": About("how a text goes on", "as above", "arXiv 2307.16039"),
    "truthfulqa": About("common mistakes", "as above", "arXiv 2307.16039"),
}

_HEAD = """# Which benchmark for which language?

For `eval.lm_eval.tasks`. Made from the table that `lidr eval` reads (`python -m docs.generate`); a test compares it with the pinned
lm-evaluation-harness. A family is run in every language of the run that it has, and what is left out is said.

```yaml
eval:
  lm_eval:
    tasks: [belebele, include, global_mmlu_lite]
    args: {batch_size: 8}
```

**What to take.** For understanding: `belebele`, which has most languages, and `include`, whose questions nobody
translated. For knowledge: `global_mmlu_lite` where it has the language, else `global_mmlu` with a `limit`. For
everyday sense in small languages: `global_piqa`. For mathematics: `eval.mgsm`, which lidr asks itself ([lidr
eval](rounds.md#lidr-eval)). For models of 7B and more that reason: `mmlu_prox_lite`. The four at the end were
translated by a model of 2023, mistakes and all, and are there to compare with older papers; what a model loses in
them may be the translation's. None of these sees whether an answer is *in* the language: `eval.prompts` and
`eval.mgsm` do. For open answers before a judge there is m-ArenaHard, 500 prompts in 23 languages:

```yaml
eval:
  prompts: hub:CohereLabs/m-ArenaHard/{language}/test-00000-of-00001.parquet   # any file of any dataset of the Hub
  columns: {id: question_id, instruction: prompt}                             # its columns' names, where they are not yours
  judge: {base_url: http://127.0.0.1:8001/v1, model: some-judge}
```

"""


def page() -> str:
    """docs/evaluation.md."""
    families = {**FAMILIES, "mgsm": dict.fromkeys(mgsm.LANGUAGES, "")}
    text = _HEAD + "| family | asks for | questions | paper | languages |\n|---|---|---|---|---|\n".replace(
        "\\\n", "\n"
    )
    for name, about in ABOUT.items():
        text += f"| `{name}` | {about.asks} | {about.origin} | {about.paper} | {len(families[name])} |\n"
    codes = sorted({code for family in families.values() for code in family})
    short = [name for name in ABOUT if name not in ("m_mmlu", "arc", "hellaswag", "truthfulqa")]
    text += "\n## By language\n\n| code | language | families |\n|---|---|---|\n"
    for code in codes:
        found = ", ".join(f"`{name}`" for name in short if code in families[name])
        if found:
            text += f"| `{code}` | {languages.name_of(code)} | {found} |\n"
    return text
