"""The tasks of the world: word problems and numbers to copy out, each a question with its worked answer in three languages.

A task is drawn once and rendered in every language, so the texts are parallel by construction, and whether an answer is right
is known without a judge.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

LANGUAGES = ("en", "de", "es")
NAMES_OF_LANGUAGES = {"en": "English", "de": "German", "es": "Spanish"}
LARGEST = 30
"""No number in a problem is larger: a model of a million parameters has to learn the sums by heart."""


class Words(NamedTuple):
    """One thing in the three languages."""

    en: str
    de: str
    es: str


class Thing(NamedTuple):
    """Something to own several of; `gender` is the Spanish one."""

    words: Words
    gender: str


class Deed(NamedTuple):
    """What happens in a step, with `{k}` for the number and `{he}` for whoever does it, and what it does to the count."""

    words: Words
    sign: str


PEOPLE = {
    "Tom": "m",
    "Anna": "f",
    "Ben": "m",
    "Lara": "f",
    "Max": "m",
    "Mia": "f",
    "Paul": "m",
    "Nina": "f",
    "Felix": "m",
    "Rosa": "f",
}
THINGS = (
    Thing(Words("apples", "Äpfel", "manzanas"), "f"),
    Thing(Words("books", "Bücher", "libros"), "m"),
    Thing(Words("coins", "Münzen", "monedas"), "f"),
    Thing(Words("pens", "Stifte", "lápices"), "m"),
    Thing(Words("cards", "Karten", "cartas"), "f"),
    Thing(Words("eggs", "Eier", "huevos"), "m"),
    Thing(Words("keys", "Schlüssel", "llaves"), "f"),
    Thing(Words("cups", "Tassen", "tazas"), "f"),
)
DEEDS = (
    Deed(Words("{He} finds {k} more.", "{He} findet {k} dazu.", "Encuentra {k} más."), "+"),
    Deed(Words("{He} buys {k} more.", "{He} kauft {k} dazu.", "Compra {k} más."), "+"),
    Deed(Words("{He} loses {k} of them.", "{He} verliert {k} davon.", "Pierde {k}."), "-"),
    Deed(Words("{He} gives {k} away.", "{He} verschenkt {k}.", "Regala {k}."), "-"),
    Deed(Words("Then the number doubles.", "Dann verdoppelt sich die Zahl.", "Luego el número se duplica."), "*"),
)
_PRONOUNS = {"m": Words("he", "er", "él"), "f": Words("she", "sie", "ella")}
_BEGINNINGS = Words("{n} has {k} {o}.", "{n} hat {k} {o}.", "{n} tiene {k} {o}.")
_QUESTIONS = Words("How many {o} does {he} have now?", "Wie viele {o} hat {he} jetzt?", "¿Cuánt{a}s {o} tiene ahora?")
_SUMS = {
    "+": Words("{a} plus {k} is {b}.", "{a} plus {k} ist {b}.", "{a} más {k} son {b}."),
    "-": Words("{a} minus {k} is {b}.", "{a} minus {k} ist {b}.", "{a} menos {k} son {b}."),
    "*": Words("{a} times 2 is {b}.", "{a} mal 2 ist {b}.", "{a} por 2 son {b}."),
}
_ANSWERS = Words("The answer is {k}.", "Die Antwort ist {k}.", "La respuesta es {k}.")
_ORDERS = Words(
    "Write these numbers again: {list}.",
    "Schreibe diese Zahlen noch einmal: {list}.",
    "Escribe estos números otra vez: {list}.",
)
_LISTS = Words("The numbers are: {list}.", "Die Zahlen sind: {list}.", "Los números son: {list}.")


class Task(Protocol):
    """A question with its worked answer, in every language; `final` is what the answer comes to."""

    def question(self, language: str) -> str: ...
    def answer(self, language: str) -> str: ...
    def final(self, language: str) -> str: ...


class Step(NamedTuple):
    """A deed with its number, and the count before and after it."""

    deed: Deed
    k: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Somebody has some things, a few deeds change how many."""

    name: str
    thing: Thing
    steps: Sequence[Step]

    @classmethod
    def drawn(cls, chance: random.Random, steps: int) -> "Problem":
        """A problem of so many steps; the count stays between 1 and `LARGEST`."""
        count, taken = chance.randint(2, 20), list[Step]()
        name, thing = chance.choice(sorted(PEOPLE)), chance.choice(THINGS)
        while len(taken) < steps:
            deed, k = chance.choice(DEEDS), chance.randint(2, 10)
            after = {"+": count + k, "-": count - k, "*": 2 * count}[deed.sign]
            if 0 < after <= LARGEST:
                taken.append(Step(deed, k, count, after))
                count = after
        return cls(name, thing, taken)

    def question(self, language: str) -> str:
        """The story and what is asked."""
        he, things = getattr(_PRONOUNS[PEOPLE[self.name]], language), getattr(self.thing.words, language)
        said = {
            "n": self.name,
            "o": things,
            "he": he,
            "He": he.capitalize(),
            "a": "a" if self.thing.gender == "f" else "o",
        }
        parts = [getattr(_BEGINNINGS, language).format(k=self.steps[0].before, **said)]
        parts += [getattr(step.deed.words, language).format(k=step.k, **said) for step in self.steps]
        return " ".join([*parts, getattr(_QUESTIONS, language).format(**said)])

    def answer(self, language: str) -> str:
        """Every sum, then the answer."""
        sums = [getattr(_SUMS[x.deed.sign], language).format(a=x.before, k=x.k, b=x.after) for x in self.steps]
        return " ".join([*sums, getattr(_ANSWERS, language).format(k=self.final(language))])

    def final(self, language: str) -> str:
        """The count in the end; the same in every language."""
        return str(self.steps[-1].after)


@dataclass(frozen=True, slots=True)
class Copy:
    """Numbers that are to be written again: the skill that the prompts do not ask for."""

    numbers: Sequence[int]

    @classmethod
    def drawn(cls, chance: random.Random) -> "Copy":
        """Four different numbers."""
        return cls(chance.sample(range(1, LARGEST + 1), 4))

    def question(self, language: str) -> str:
        """The order."""
        return str(getattr(_ORDERS, language).format(list=self.final(language)))

    def answer(self, language: str) -> str:
        """The numbers, in a sentence."""
        return str(getattr(_LISTS, language).format(list=self.final(language)))

    def final(self, language: str) -> str:
        """The numbers; the same in every language."""
        return ", ".join(map(str, self.numbers))
