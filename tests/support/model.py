"""A deterministic model as a pure function of the request: real words, real mistakes, no weights."""

import hashlib
import re
from collections.abc import Sequence

WORDS = {
    "en": "the river carries every small boat slowly towards the old harbour where people wait with bread and tea",
    "de": "der Fluss trägt jedes kleine Boot langsam zum alten Hafen, wo die Menschen mit Brot und Tee warten",
    "es": "el río lleva cada barco pequeño lentamente hacia el puerto viejo donde la gente espera con pan y té",
    "fr": "la rivière porte chaque petit bateau lentement vers le vieux port où les gens attendent avec du pain",
}
_NAMES = {"English": "en", "German": "de", "Spanish": "es", "French": "fr"}


def digest(text: str) -> int:
    """A number that depends on the whole text and nothing else."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def prose(language: str, seed: int, words: int) -> str:
    """So many words of a language, different for each seed."""
    stock = WORDS[language].split()
    return f"({seed % 9973}) " + " ".join(stock[(seed + i * (1 + seed % 3)) % len(stock)] for i in range(words))


def language_of_prompt(text: str) -> str:
    """Prompts of these tests name their language: `[de] …`."""
    match = re.search(r"\[([a-z]{2})\]", text)
    return match[1] if match else "en"


def answer(messages: Sequence[dict[str, str]]) -> tuple[str, str]:
    """Text and finish reason for a chat request; about one in six has something wrong with it."""
    user = next(m["content"] for m in messages if m["role"] == "user")
    seed = digest(user)
    translation = re.search(r"into (\w+)\..*?<sentence>\n(.*)\n</sentence>", user, re.DOTALL)
    if translation is None:
        return _response(language_of_prompt(user), seed)
    return _translation(_NAMES[translation[1]], seed, translation[2])


def _response(language: str, seed: int) -> tuple[str, str]:
    fault = seed % 19
    if fault == 0:
        return "", "stop"
    if fault == 1:
        return prose(language, seed, 40), "length"
    if fault == 2:
        return "loop and loop again, " * 60, "stop"
    paragraphs = [prose(language, seed + n, 12 + seed % 30) for n in range(1 + seed % 3)]
    return "\n\n".join(paragraphs), "stop"


def _translation(target: str, seed: int, text: str) -> tuple[str, str]:
    fault = seed % 17
    body = prose(target, seed, max(4, len(text.split())))
    if fault == 0:
        return "</translated>", "stop"
    if fault == 1:
        return body, "length"
    if fault == 2:
        return prose("en" if target != "en" else "de", seed, 30) + "\n</translated>", "stop"
    if fault == 3:
        return body[: max(4, len(text) // 12)] + "\n</translated>", "stop"
    if fault == 4:
        return body, "stop"
    if fault == 5:
        return body + "\n</translated>\nNote: I kept the tone.", "stop"
    return body + "\n</translated>", "stop"


_MADE_UP = {
    "en": "Nobody has ever seen (7) what it was that they did then, for it was too dark a night.",
    "es": "El barco no sabe (7) nada de eso, porque nadie se lo ha dicho nunca en toda su larga vida.",
}


def poor_in_spanish(user: str) -> str:
    """For a user turn the answer of a model that answers soundly, translates faithfully, and makes up what it is to translate into
    Spanish or out of it."""
    if target := re.search(r"into (\w+)\.", user):
        code = _NAMES[target[1]]
        seed = int(re.findall(r"\((\d+)\)", user)[0]) if "(" in user.partition("<sentence>")[2] else 0
        text = _MADE_UP[code] if code == "es" or "barco" in user else prose(code, seed, 14)
        return f"{text}\n</translated>"
    code = language_of_prompt(user)
    number = int(re.findall(r"number (\d+)", user)[0])
    return prose(code, number if code == "en" else 1000 + number, 14)
