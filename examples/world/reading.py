"""What a world is like, and what M0 reads in it."""

import random
from dataclasses import asdict, dataclass

from tasks import LANGUAGES, LARGEST, NAMES_OF_LANGUAGES, Copy, Problem, Task

TRANSLATE = "Translate into {language}: {text}"
"""What `translation.template` in lidr.yaml has too."""
_NOT_OF_M0 = ("prompts", "held_out")


@dataclass(frozen=True, slots=True)
class Knobs:
    """What a world is like; shares are of all that M0 reads. What they leave is translations, as many each way.

    Attributes:
        en, de, es: worked answers to problems.
        lists: numbers to copy out, in each language alike: a skill that the prompts do not ask for.
        noise: of the translations, how many have a wrong number.
        steps: of a problem.
        size: of M0's hidden layers; a multiple of 128, for vLLM wants heads of 64.
        updates: of M0's training.
    """

    en: float = 0.45
    de: float = 0.001
    es: float = 0.003
    lists: float = 0.08
    noise: float = 0.0
    steps: int = 2
    size: int = 128
    updates: int = 800
    prompts: int = 4000
    held_out: int = 1000
    seed: int = 0

    @property
    def of_m0(self) -> dict[str, float]:
        """Those that decide what M0 is."""
        return {name: value for name, value in asdict(self).items() if name not in _NOT_OF_M0}


def spoilt(text: str, chance: random.Random) -> str:
    """A text with one of its numbers changed."""
    numbers = [(at, word) for at, word in enumerate(text.split(" ")) if word.strip(".").isdigit()]
    if not numbers:
        return text
    at, word = chance.choice(numbers)
    words = text.split(" ")
    words[at] = word.replace(word.strip("."), str(chance.randint(1, LARGEST)))
    return " ".join(words)


def example(chance: random.Random, knobs: Knobs) -> tuple[str, str]:
    """A user turn, and the assistant's."""
    x = chance.random()
    for code in LANGUAGES:
        if (x := x - getattr(knobs, code)) < 0:
            problem = Problem.drawn(chance, knobs.steps)
            return problem.question(code), problem.answer(code)
    task: Task = Copy.drawn(chance) if x < knobs.lists else Problem.drawn(chance, knobs.steps)
    if x < knobs.lists:
        code = chance.choice(LANGUAGES)
        return task.question(code), task.answer(code)
    other = chance.choice([code for code in LANGUAGES if code != "en"])
    source, target = chance.sample(["en", other], 2)
    if chance.random() < 0.2:
        task = Copy.drawn(chance)
    text = chance.choice((task.question, task.answer, task.answer))
    asked = TRANSLATE.format(language=NAMES_OF_LANGUAGES[target], text=text(source))
    told = spoilt(text(target), chance) if chance.random() < knobs.noise else text(target)
    return asked, f"<translated>\n{told}\n</translated>"
