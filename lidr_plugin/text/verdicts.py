"""What a judge says of two answers, A and B, or of one: the verdict or the grade that a person reads, or none.

A text that cannot be read for certain says nothing. What is looked for, the surest first: a letter and nothing else; a letter
that is announced (`Verdict: B`, `[[B]]`); the last sentence that compares (`A is better than B`, `我选择A`).
"""

import json
import re
from pathlib import Path
from typing import Literal

from lidr_plugin.text.formulae import last_box, plain
from lidr_plugin.text.thinking import without_thoughts

Verdict = Literal["A", "B", "tie"]

_MOST_CHARACTERS = 20_000
"""Of a longer text the end is read."""
_WORDS = {
    kind: "|".join(words)
    for kind, words in json.loads(Path(__file__).with_name("verdict_words.json").read_bytes()).items()
}
"""Patterns of what judges write in ten languages, by what it means."""
_NOUN = rf"(?:the |la |die |der |a )?(?:{_WORDS['answer']})"
_TWIN = re.compile(r"(?:\A\W*|(?:ответ|вариант)\w{0,2}\s\W{0,3})[АВБ](?!\w)", re.IGNORECASE)
"""Cyrillic letters that look or sound like ours, where they are names."""
_TWINS = str.maketrans("АВБавб", "ABBabb")
_NO_LETTER = "[a-z0-9à-ÿа-яё-]"
_LETTER = re.compile(rf"(?<!{_NO_LETTER})(?<![_'’])([ab])(?!{_NO_LETTER}|_|['’](?!s\b))", re.IGNORECASE)
_BARE = re.compile(rf"(?:{_NOUN}\s?)?\W*([ab])\W*", re.IGNORECASE)
_ANNOUNCED = re.compile(
    rf"(?:{_WORDS['announced']})[\"'*_]{{0,3}}\s?(?::|=|\bis:)\W{{0,6}}(?:{_NOUN}\s)?\W{{0,3}}(?P<letter>[ab]|tie)"
    rf"(?!{_NO_LETTER}|['’]|\s?[:=<>])",
    re.IGNORECASE,
)
_PLACED = re.compile(
    rf"(?<!\w)(?:the |la |die |der |o |a )?(?:(?P<first>{_WORDS['first']})|{_WORDS['second']})\s?(?:{_WORDS['answer']}|one)(?!\w)|"
    rf"(?<!\w)(?:la )?(?:{_WORDS['answer']})\s(?:(?P<behind>{_WORDS['first behind']})|{_WORDS['second behind']})(?!\w)|"
    rf"(?:(?P<cjk>{_WORDS['first cjk']})|{_WORDS['second cjk']})(?:{_WORDS['answer']})",
    re.IGNORECASE,
)
"""An answer named by its place: the first is A."""
_SCORES = re.compile(
    rf"(?<![a-z0-9])(?:{_WORDS['answer']})?\s?([ab])(?:['’]s)?\W{{0,4}}(?:score|grade|rating)?\W{{0,4}}?[:=]\s?(\d{{1,3}}(?:\.\d{{1,2}})?)"
    r"(?:/10{1,2})?(?![\d/%])",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[\[\s?(a|b|c|tie)\s?\]\]", re.IGNORECASE)
_COMPARED = re.compile(
    rf"(?:{_WORDS['compared']})\s(?:the |la |die |der |a )?(?:{_NOUN}\s)?[ab](?!{_NO_LETTER}|['’])|"
    rf"(?:与|和|跟|比)(?:{_NOUN})?\s?[ab](?:相比)?|[ab]\s?(?:より(?:も)?|보다)|(?:ответа|варианта)\s[ab](?!\w)",
    re.IGNORECASE,
)
_CLAIM = re.compile("|".join(rf"(?P<{kind}>{_WORDS[kind]})" for kind in ("worse", "chosen", "better")), re.IGNORECASE)
_TIE, _NOT, _DOUBTED, _SUMMED_UP = (
    re.compile(_WORDS[kind], re.IGNORECASE) for kind in ("tie", "not", "doubted", "summed up")
)
_NOT_AT_THE_END = re.compile(rf"(?:{_WORDS['denied at the end']})\W*\Z")
_ARTICLE = re.compile(r"A (?:resposta|mi|meu|mio|good|better|perfect|great|correct|melhor|opção|escolha|minha)\b")
_CONCLUDED = re.compile(
    rf"(?:(?:{_WORDS['so']})[\s,，、]{{0,2}}(?:it's |it is )?(?:{_NOUN}\s?)?|\A\W*)([ab])(?: it is)?\W*\Z|"
    r"(?<!\w)([ab]) it is\W*\Z",
    re.IGNORECASE,
)
_OTHER_NAME = re.compile(
    r"\b(?:vitamin|plan|type|grade|group|hepatitis|team|point|class|section|part|item|step|note)s? [ab]\b",
    re.IGNORECASE,
)
"""What is called A or B and is no answer."""
_FAULTS = re.compile(rf"(?<!\w)(?:{_WORDS['faults']})(?!\w)|差|错|誤|悪|나쁘|틀", re.IGNORECASE)
_LAST_WORD = re.compile(r"(?<=[a-zа-яё])[\s.!*]{0,6}\Z")
_SIGNS = re.compile(
    r"(?<![a-z0-9])(?<![<>] )(?<![<>])([ab])\s?(>{1,3}|<{1,3}|=|≈|[≻≺≫≪])\s?([ab])(?![a-z0-9]|\s?[<>])", re.IGNORECASE
)
_ENDS = re.compile(r"[.!?](?=[\s\"')\]]|\Z)|[。！？\n]")


def verdict(text: str) -> Verdict | None:
    """Which of two answers, A and B, a judge prefers; `tie` if neither; None if that cannot be told."""
    text = without_thoughts(text, thinking=False)[-_MOST_CHARACTERS:]
    box = last_box(text)
    text = _TWIN.sub(
        lambda match: match[0][:-1] + match[0][-1].translate(_TWINS), plain(box if box else text).text
    ).strip()
    text = _PLACED.sub(
        lambda match: f"answer {'A' if match['first'] or match['behind'] or match['cjk'] else 'B'}", text
    )
    if bare := _BARE.fullmatch(text):
        return _named(bare[1])
    for announced in (_BRACKETS.findall(text), [match["letter"] for match in _ANNOUNCED.finditer(text)]):
        if announced:
            return _named(announced[-1])
    if begun := _begun(text):
        return begun
    claims = _claims(text)
    if not claims:
        return _scored(text) or _only_mention(text)
    if len({claim for claim, _ in claims}) > 1 and not claims[-1][1]:
        return None
    return claims[-1][0]


def _named(letter: str) -> Verdict:
    return {"a": "A", "b": "B"}.get(letter.lower(), "tie")  # type: ignore[return-value]


def _begun(text: str) -> Verdict | None:
    """The letter at the beginning ("B, because …") or alone in the last line."""
    lines = text.split("\n")
    if len(lines) > 1 and (last := _BARE.fullmatch(lines[-1].strip())):
        return _named(last[1])
    first = re.match(r"\W{0,4}([AB])(?:[.,)]|\s?[-–—]\s|\n)(?!\s?compared)", text)
    if not first or re.match(
        r"\W{0,4}[AB]\s?,\s?(?:compared|verglichen|par rapport|im vergleich)", text, re.IGNORECASE
    ):
        return None
    return _named(first[1])


def _scored(text: str) -> Verdict | None:
    """By a score for each answer, where no word says more."""
    found = [(letter.upper(), float(score)) for letter, score in _SCORES.findall(text)]
    if len(found) != 2 or found[0][0] == found[1][0]:
        return None
    a, b = (score for _, score in sorted(found))
    return "tie" if a == b else "A" if a > b else "B"


def _mentions(sentence: str) -> list[re.Match[str]]:
    """Where a sentence names an answer; an article or a preposition ("A good answer", "A resposta") is no name."""
    found = []
    for match in _LETTER.finditer(sentence):
        named = re.search(rf"{_NOUN}\s?\W?\Z", sentence[max(0, match.start() - 24) : match.start()], re.IGNORECASE)
        if match[1].islower() and not named:
            continue
        if named or not _ARTICLE.match(sentence, match.start()):
            found.append(match)
    return found


def _claims(text: str) -> list[tuple[Verdict, bool]]:
    """What each sentence that compares comes to, and whether it sums up."""
    found: list[tuple[Verdict, bool]] = []
    start = 0
    for end in [*(match.end() for match in _ENDS.finditer(text)), len(text)]:
        sentence = text[start:end]
        start = end
        if sentence.strip() and len(sentence) < 1000 and (claim := _claim(sentence)):
            found.append((claim, bool(_SUMMED_UP.search(sentence))))
    return found


def _claim(sentence: str) -> Verdict | None:
    """What one sentence says; a question says nothing."""
    if sentence.rstrip().endswith(("?", "？")):
        return None
    if signs := _SIGNS.findall(sentence):
        left, sign, right = signs[-1]
        if left.lower() == right.lower():
            return None
        return "tie" if sign in "=≈" else _named(left if sign[0] in ">≻≫" else right)
    if concluded := _CONCLUDED.search(sentence):
        return _named(concluded[1] or concluded[2])
    if tie := _TIE.search(sentence):
        however = _SUMMED_UP.search(sentence, tie.end())  # "equally good, but A is clearer"
        said = _claim(sentence[however.end() :]) if however else None
        return said or (None if _denied(sentence, tie.start()) else "tie")
    sentence, compared = _COMPARED.subn(lambda words: " " * len(words[0]), sentence)
    if compared:  # the end stands for what it is compared with: "compared to A, B is more helpful"
        sentence = _LAST_WORD.sub(4 * " ", sentence)
    mentions = _mentions(sentence)
    claim: Verdict | None = None
    for match in _CLAIM.finditer(sentence):
        before = [x for x in mentions if x.end() <= match.start()]
        after = [x for x in mentions if x.start() >= match.end()]
        named = after[:1] or before[-1:] if match["chosen"] else before[-1:] or after[:1]
        if not named:
            continue
        begin = min(named[0].end(), match.start())
        if (
            _NOT_AT_THE_END.search(sentence)
            or _DOUBTED.search(sentence, 0, match.start())
            or _denied(sentence, match.start(), begin)
        ):
            continue
        letter = _named(named[0][1])
        claim = letter if not match["worse"] else _named("b" if letter == "A" else "a")
    return claim


def _denied(sentence: str, end: int, start: int = 0) -> bool:
    """Whether a no stands before a word, not further away than the answer that it speaks of."""
    return bool(_NOT.search(sentence[max(0, min(start, end - 12), end - 40) : end]))


def _only_mention(text: str) -> Verdict | None:
    """The one answer that a short text names, where it denies nothing ("I'd say answer A")."""
    mentions = _mentions(text)
    letters = {match[1].upper() for match in mentions}
    if (
        len(text) > 40
        or _OTHER_NAME.search(text)
        or len(letters) != 1
        or _FAULTS.search(text)
        or _NOT.search(text)
        or _CLAIM.search(text)
    ):
        return None
    return _named(letters.pop())
