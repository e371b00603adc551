"""What a judge says of two answers, A and B, or of one: the verdict or the grade that a person reads, or none.

A text that cannot be read for certain says nothing. What is looked for, the surest first: a letter and nothing else; a letter
that is announced (`Verdict: B`, `[[B]]`); the last sentence that compares (`A is better than B`, `我选择A`).
"""

import re
from typing import Literal

from lidr_plugin.text.formulae import last_box, plain
from lidr_plugin.text.thinking import without_thoughts

Verdict = Literal["A", "B", "tie"]

_MOST_CHARACTERS = 20_000
"""Of a longer text the end is read."""
_NOUN = (
    r"(?:the |la |die |der |a )?(?:answer|response|option|assistant|candidate|text|antwort|réponse|respuesta|"
    r"opción|resposta|opção|"
    r"risposta|opzione|ответ[аеу]?|вариант[ау]?|回答|答案|选项|選項|応答|답변|응답|대답|선택지)"
)
_TWIN = re.compile(r"(?:\A\W*|(?:ответ|вариант)\w{0,2}\s\W{0,3})[АВБ](?!\w)", re.IGNORECASE)
"""Cyrillic letters that look or sound like ours, where they are names."""
_TWINS = str.maketrans("АВБавб", "ABBabb")
_LETTER = re.compile(r"(?<![a-z0-9_'’à-ÿа-яё-])([ab])(?![a-z0-9_à-ÿа-яё-]|['’](?!s\b))", re.IGNORECASE)
_BARE = re.compile(rf"(?:{_NOUN}\s?)?\W*([ab])\W*", re.IGNORECASE)
_ANNOUNCED = re.compile(
    r"(?:verdict|winner|choice|judg[e]?ment|decision|conclusion|urteil|entscheidung|veredicto|verdicto|verdetto|"
    r"вердикт|结论|判定|판정|"
    r"(?:(?:final|correct|better|best|richtige|bessere) )?(?:answer|antwort|réponse|respuesta|resposta|risposta|"
    r"ответ|答案|答え|回答|정답|답)|"
    r"better|besser)\s?(?::|=|：|\bis:)\W{0,6}"
    r"(?:(?:answer|response|option|assistant|antwort|réponse|respuesta|resposta|risposta|ответ|回答|答案|답변)\s)?"
    r"\W{0,3}(?P<letter>[ab]|tie)(?![a-z0-9'’à-ÿа-яё-])(?!\s?[:=<>])",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[\[\s?(a|b|c|tie)\s?\]\]", re.IGNORECASE)
_TIE = re.compile(
    r"(?<![\w-])(?:a |it's a |ein |un )?(?:tie|draw|unentschieden|empate|pareggio|égalité|ex aequo|ничья)(?!\w)|"
    r"equally (?:good|bad|well)|(?:of )?(?:the )?same quality|(?:just )?as good as each other|no difference|"
    r"(?:neither|none)(?: \w+){0,4} (?:is|are) (?:clearly )?better|gleich gut|gleichwertig|kein(?:e|"
    r"er)? der beiden[^.]{0,20} besser|"
    r"aussi bonnes? l'une|se valent|équivalentes|igual de buen[ao]s|igualmente (?:buen|bo)[ao]s|equivalentes|"
    r"ugualmente buone|"
    r"одинаков[оы]|равноценн|平局|平手|一样好|同样好|不相上下|引き分け|同じくらい|同等|무승부|동점|비슷|똑같이",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"(?:compared (?:to|with)|in comparison (?:to|with)|than|over|verglichen mit|im vergleich zu[rm]?|gegenüber|"
    r"als|par rapport à|que|"
    r"en comparación con|comparad[oa] con|en comparação com|rispetto a(?:lla)?|di|do que|чем|"
    r"по сравнению с)\s(?:the |la |die |der |a )?"
    rf"(?:{_NOUN}\s)?[ab](?![a-z0-9'’à-ÿа-яё-])|(?:与|和|跟|比)(?:{_NOUN})?\s?[ab](?:相比)?|[ab]\s?より(?:も)?|[ab]\s?보다|"
    rf"(?:ответа|варианта)\s[ab](?![\w])",
    re.IGNORECASE,
)
_WORSE = (
    r"not (?:as|so) (?:good|helpful|accurate) as|n't (?:as|so) good|worse|inferior|weaker|loses|nicht so gut|"
    r"schlechter|unterlegen|"
    r"pas aussi bonn?e?|moins bonn?e?|pire|no es tan buen[ao]|peor|pior|peggiore|не так хорош|хуже|不如|较差|更差|劣|못하"
)
_BETTER = (
    r"better|best|superior|stronger|preferable|preferred|wins|won|beats|outperforms|surpasses|besser(?!e)|gewinnt|"
    r"überlegen|"
    r"vorzuziehen|meilleure?|supérieure?|préférable|l'emporte|gagne|mejor|superior|preferible|gana|melhor|vence|"
    r"migliore|superiore|"
    r"лучше|предпочтительнее|сильнее|выигрывает|побеждает|更好|更优|较好|更佳|更胜|好(?=[。.!！]|\Z)|优于|優於|胜|优れ|優れ|良い|よい|良く|"
    r"を選|が勝|낫|좋|우수|뛰어|를 선택|을 선택|bessere|beste"
)
_CHOSEN = (
    r"prefer|choose|pick|select|favou?r|go with|vote (?:goes to|is|for)|recommend|bevorzuge|wähle|nehme|ziehe|"
    r"préfère|choisis|"
    r"prefiero|elijo|escojo|prefiro|escolho|preferisco|scelgo|предпочитаю|выбираю|выберу|选择?|選擇|更喜欢|偏好"
)
_CLAIM = re.compile(rf"(?P<worse>{_WORSE})|(?P<chosen>{_CHOSEN})|(?P<better>{_BETTER})", re.IGNORECASE)
_NOT = re.compile(
    r"\b(?:not|no|never|nicht|keine?|pas|não|non|не|neither|hardly)\b|n't\b|\bn'|不|没有|沒有|ない|ません|않|아니|못",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"A (?:resposta|mi|meu|mio|good|better|perfect|great|correct)\b")
_DOUBTED = re.compile(
    r"(?:n't|not) (?:think|believe|say|agree)|nicht, dass|no creo que|(?:ne )?pense pas|não acho|"
    r"non credo|не думаю|не считаю|不认为|不觉得",
    re.IGNORECASE,
)
_NOT_AT_THE_END = re.compile(r"(?:ません|ない|ないです|않다|않습니다|아닙니다|아니다|못합니다)\W*\Z")
_SIGNS = re.compile(r"(?<![a-z0-9])([ab])\s?(>{1,3}|<{1,3}|=|≈|≻|≺)\s?([ab])(?![a-z0-9])", re.IGNORECASE)
_ENDS = re.compile(r"[.!?](?=[\s\"')\]]|\Z)|[。！？\n]")
_SUMMED_UP = re.compile(
    r"\b(?:therefore|overall|so|thus|hence|in conclusion|finally|but|insgesamt|daher|also|aber|donc|globalement|mais|"
    r"por (?:lo )?tanto|en general|pero|portanto|mas|quindi|nel complesso|ma|поэтому|в целом|итак|"
    r"но)\b|因此|所以|总的|综上|但|したがって|全体|しかし|"
    r"따라서|전반|하지만",
    re.IGNORECASE,
)


def verdict(text: str) -> Verdict | None:
    """Which of two answers, A and B, a judge prefers; `tie` if neither; None if that cannot be told."""
    text = without_thoughts(text, thinking=False)[-_MOST_CHARACTERS:]
    box = last_box(text)
    text = _TWIN.sub(
        lambda match: match[0][:-1] + match[0][-1].translate(_TWINS), plain(box if box else text).text
    ).strip()
    if bare := _BARE.fullmatch(text):
        return _named(bare[1])
    for announced in (_BRACKETS.findall(text), [match["letter"] for match in _ANNOUNCED.finditer(text)]):
        if announced:
            return _named(announced[-1])
    if begun := _begun(text):
        return begun
    claims = _claims(text)
    if not claims:
        return _only_mention(text)
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
    """What one sentence says."""
    if signs := _SIGNS.findall(sentence):
        left, sign, right = signs[-1]
        if left.lower() == right.lower():
            return None
        return "tie" if sign in "=≈" else _named(left if sign[0] in ">≻" else right)
    if tie := _TIE.search(sentence):
        return None if _denied(sentence, tie.start()) else "tie"
    sentence = _COMPARED.sub(lambda match: " " * len(match[0]), sentence)
    mentions = _mentions(sentence)
    claim: Verdict | None = None
    for match in _CLAIM.finditer(sentence):
        before = [x for x in mentions if x.end() <= match.start()]
        after = [x for x in mentions if x.start() >= match.end()]
        named = after[:1] if match["chosen"] else before[-1:] or after[:1]
        if not named:
            continue
        begin = min(named[0].end(), match.start())
        if (
            _NOT_AT_THE_END.search(sentence)
            or _DOUBTED.search(sentence, 0, match.start())
            or (not match["worse"] and _denied(sentence, match.start(), begin))
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
    if len(text) > 60 or len(letters) != 1 or _NOT.search(text) or _CLAIM.search(text):
        return None
    return _named(letters.pop())
