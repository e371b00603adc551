"""How an answer to a translation request is read: what a person would take for the translation, and nothing else."""

import re
from typing import NamedTuple

from lidr_plugin.completions.requests import Completion
from lidr_plugin.languages import NAMES
from lidr_plugin.text.thinking import without_thoughts

_CLOSE = "</translated>"
_NAMES = "translated|translation|sentence"
_TAG = re.compile(
    rf"[*`]{{0,3}}(?:<|&lt;)[ \t]{{0,3}}(?P<slash>\\?/|\\)?[ \t]{{0,3}}(?P<name>{_NAMES})\b(?P<rest>[^<>&]{{0,60}}?)(?P<empty>/?)"
    r"(?:>|&gt;)[*`]{0,3}",
    re.IGNORECASE,
)
_PLAIN_TAG = re.compile(r"<(/?)(translated|sentence)>", re.IGNORECASE)
_ESCAPED_TAG = re.compile(r"&lt;(/?)(translated|sentence)&gt;", re.IGNORECASE)
_ALIEN_CLOSE = re.compile(r"</([^\W\d]{2,20})>\s{0,8}\Z")
_HALF_CLOSE = re.compile(r"<[ \t]{0,3}(/?)[ \t]{0,3}([a-z]{0,10})\s{0,8}\Z", re.IGNORECASE)

_END = re.compile(r"<\|\w{1,32}\|>|<｜[^<>｜]{1,40}｜>|</s>|<(?:end_of_\w{2,12}|eos|EOT)>|\[/INST\]")
"""Tokens by which a model ends its turn, where a server gives them as text."""
_BEGIN = re.compile(
    r"\A\s{0,9}(?:assistant\s{1,4}(?=\n)|<s>|<bos>|<\|begin_of_text\|>|(?:<\|im_start\|>|<\|start_header_id\|>)assistant\S{0,20})"
)

_TRANSLATION = re.compile(
    r"translat|version|übersetz|tradu[cçzit]|перев[ое]д|vertal|tłumacz|çevir|terjemah|翻[译譯訳]|[译譯訳]文|번역|ترجم",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\A[*_#\s]{0,6}(?:translat(?:ion|ed text)|übersetzung|traduction|traducción|tradução|traduzione|перевод|译文|翻译|翻訳|번역|"
    + "|".join(NAMES.values())
    + r")[*_ ]{0,3}[:：][*_\s]{0,6}",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\A[\[(<{]?\s?(?:your |the )?translat\w{0,6}(?: here| goes here| text)?\s?[\])>}]?\Z", re.IGNORECASE
)
_TALK = re.compile(
    r"\A(?:sure|certainly|of course|sorry|i(?:'|’)?m (?:sorry|unable)|i am (?:sorry|unable)|i can|i(?:'|’)?d be"
    r"|i would be|as an ai|please|désolé|je ne peux|lo siento|no puedo|es tut mir leid|tut mir leid|mi dispiace|desculp"
    r"|извините|простите|к сожалению|对不起|抱歉|申し訳)",
    re.IGNORECASE,
)
"""What a model says to the user instead of translating."""
_REMARK = re.compile(
    r"\A[(*_#\s\[]{0,6}(?:(?:translator'?s? )?note|notes|explanation|translated text|this is (?:the|a) translation|i hope this"
    r"|let me know|please note|translated (?:from|into|by)|i (?:have )?(?:translated|used|kept)"
    r"|anmerkung|hinweis|erläuterung|remarque|explication|nota|notas|примечание|пояснение)\b|\A[(（*_#\s\[【]{0,6}(?:注|备注|註|备註|備考|補足|참고|비고)\s?[:：】]",
    re.IGNORECASE,
)
"""How a remark on the translation begins."""


_QUOTES = ('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"), ("「", "」"), ("'", "'"), ("‘", "’")
_OPENING_QUOTES = frozenset(opening for opening, _ in _QUOTES)
_ALIEN_BRACKETS = re.compile(r"\s{0,4}[\[({]\s?/\s?translat\w{0,4}\s?[\])}]")

_ALIEN_OPENING = re.compile(r"\A\s{0,4}[\[{]\s?translat\w{0,4}\s?[\]}](?=[^:])")

_KINDS = {"sentence": "sentence"}
"""What a tag of this name is; any other is taken for the translation's."""


class Translated(NamedTuple):
    """What an answer to a translation request holds.

    Attributes:
        text: the translation; empty if there is none.
        cut: the answer stopped at `max_tokens` before the closing tag.
    """

    text: str
    cut: bool


def escaped(source: str) -> str:
    """The text with the request's own tags written `&lt;sentence&gt;`, so that they end nothing; any other is unchanged."""
    return _PLAIN_TAG.sub(r"&lt;\1\2&gt;", source) if "<" in source else source


def parse_translation(completion: Completion, source: str, *, thinking: bool) -> Translated:
    """The text between `<translated>` and `</translated>`, read tolerantly.

    A closing tag may be missing where the model went on from the prefill and ended by itself. An answer that begins anew, because
    the server did not go on from the prefill or the model would not, must hold a tag of its own to count as a translation.
    """
    thinking = thinking or source[:80].lstrip().lower().startswith("<think")  # then the tag is the text's own
    text, cut = completion.text.strip(), completion.cut
    if not text.endswith(_CLOSE) or text.index("<") < len(text) - len(_CLOSE):  # thoughts would bring tags of their own
        text = without_thoughts(completion.text, thinking=thinking)
    if completion.prefilled and text.endswith(_CLOSE):
        plain = text[: -len(_CLOSE)].strip()
        if _is_plain(plain) and _has_words(plain) and not plain.startswith(source.strip()):
            return Translated(plain, False)  # as asked for, and by far the most
    text, ended = _until_end_token(text, source)
    if not _ALIEN_BRACKETS.search(source):
        text = _ALIEN_OPENING.sub("<translated>", _ALIEN_BRACKETS.sub(_CLOSE, text))
    found = _among_own_tags(text, source) if _PLAIN_TAG.search(source) else _between_tags(text, completion.prefilled)
    inner = found.text if "<think" in source else without_thoughts(found.text, thinking=thinking)
    if found.tagged:
        inner = _without_source_before(inner, source)
    else:
        if not completion.prefilled or _speaks_to_the_user(inner, source):
            return Translated("", cut)
        inner = _without_remarks(_without_source(inner, source), source)
    inner, half = _without_half_tag(inner, source)
    clean = _undressed(inner, source)
    if _has_words(source) and (not _has_words(clean) or (_PLACEHOLDER.match(clean) and not _PLACEHOLDER.match(source))):
        clean = ""
    return Translated(clean, cut and not (found.closed or ended or half))


class _Part(NamedTuple):
    """A part of an answer, by the tags around it.

    Attributes:
        tagged: whether the answer's tags say that it is the translation.
        closed: whether a tag ends it.
    """

    text: str
    tagged: bool
    closed: bool


def _has_words(text: str) -> bool:
    return any(map(str.isalnum, text))


def _is_plain(text: str) -> bool:
    """Without anything that may be a tag, a fence, an end token or a preamble."""
    head = text[:240].lstrip()
    return not (
        head[:1] in _OPENING_QUOTES
        or head.startswith("assistant")
        or "<" in text
        or "&lt;" in text
        or "```" in text
        or "[/" in text
        or ((":" in head or "：" in head) and (_announcement(head) or _LABEL.match(head)))
    )


def _until_end_token(text: str, source: str) -> tuple[str, bool]:
    """The text up to the first end token that is not the source's own, and whether there was one."""
    if begin := _BEGIN.match(text):
        text = text[begin.end() :]
    for token in _END.finditer(text):
        if token[0] not in source:
            return text[: token.start()], True
    return text, False


def _between_tags(text: str, prefilled: bool) -> _Part:
    """The translation in a text in which every tag is the answer's: among its parts with words, the best by their tags."""
    tags = [tag for tag in _TAG.finditer(text) if not _is_mention(text, tag)]
    kinds = [
        ("/" if tag["slash"] or tag["empty"] else "") + _KINDS.get(tag["name"].lower(), "translated") for tag in tags
    ]
    begins, ends = [0, *(tag.end() for tag in tags)], [*(tag.start() for tag in tags), len(text)]
    cuts = zip(begins, ends, ["", *kinds], [*kinds, ""], strict=True)
    parts = [(text[begin:end], left, right) for begin, end, left, right in cuts if _has_words(text[begin:end])]
    first = parts[0] if parts else ("", "", "")
    ranked = [
        *(part for part in [first] if prefilled and part[1] != "translated" and part[2] == "/translated"),
        *(part for part in parts if part[1] == "translated"),
        *(part for part in parts if part[2] == "/translated"),
        *(part for part in parts if prefilled and part[2] == "/sentence"),
        *(part for part in [first] if prefilled and part[2] == "translated"),  # some close with an opening tag
    ]
    best = ranked[0] if ranked else first
    return _Part(best[0], bool(ranked), bool(best[2]))


def _is_mention(text: str, tag: re.Match[str]) -> bool:
    """Whether an opening tag is named in a sentence: words before it in its line, and none up to the tag that follows."""
    if tag["slash"] or tag["empty"]:
        return False
    following = _TAG.search(text, tag.end(), tag.end() + 80)
    between = text[tag.end() : following.start()] if following else text[tag.end() :]
    return bool(following) and not _has_words(between) and _has_words(text[: tag.start()].rpartition("\n")[2])


def _among_own_tags(text: str, source: str) -> _Part:
    """The translation of a text that has such tags itself; they come back escaped, as they were sent, or not."""
    opening = re.match(r"\s{0,9}<translated>", text, re.IGNORECASE)
    if opening and not re.match(r"\s{0,9}<translated>", source, re.IGNORECASE):
        text = text[opening.end() :]
    own, closings = source.lower().count(_CLOSE), [tag for tag in _PLAIN_TAG.finditer(text) if tag[0].lower() == _CLOSE]
    there = len(closings) + sum(tag[0].lower() == "&lt;/translated&gt;" for tag in _ESCAPED_TAG.finditer(text))
    closed = bool(closings) and (
        there > own or (not text[closings[-1].end() :].strip() and not source.rstrip().endswith(_CLOSE))
    )
    if closed:
        text = text[: closings[-1].start()]
    return _Part(_ESCAPED_TAG.sub(r"<\1\2>", text), bool(opening) or closed, closed)


def _announcement(text: str) -> int:
    """The length of a first line that announces a translation: "Here is the German version:"; 0 if there is none."""
    line = text[:170].partition("\n")[0]
    announces = line.rstrip("*_ \t\r").endswith((":", "：")) and _TRANSLATION.search(line)
    return len(line) if announces else 0


def _undressed(text: str, source: str) -> str:
    """Without what models put around a translation: a line that announces it, a label, a code block."""
    text = text.strip()
    announced = 0 if _announcement(source) else _announcement(text)
    text = text[announced:].strip()
    label = None if _LABEL.match(source) else _LABEL.match(text)
    if label and _has_words(text[label.end() :]):
        text = text[label.end() :].strip()
    for opening, closing in _QUOTES:
        inner = text[1:-1]
        if text[:1] == opening and text[-1:] == closing and not {opening, closing} & {*inner, source[:1]}:
            text = inner.strip()
    if "```" not in source:
        text = re.sub(r"\A```\w{0,12}[ \t]*\n", "", text)
        text = text.removesuffix("```").rstrip()
    return text


def _speaks_to_the_user(text: str, source: str) -> bool:
    """Whether an answer is about the translation instead of being it."""
    if _announcement(text) and not _announcement(source):
        return True
    return bool(_TALK.match(text) and _TRANSLATION.search(text[:240])) and not _TRANSLATION.search(source)


def _without_source(text: str, source: str) -> str:
    """Without the source itself, which some models repeat before or after their translation."""
    place = text.find(source.strip()) if _has_words(source) else -1
    if place < 0 or len(text) == len(source.strip()):
        return text
    before, after = text[:place].rstrip(), text[place + len(source.strip()) :].strip()
    if not _has_words(before):
        return after or text
    last = before.rpartition("\n")[2]
    return before.removesuffix(last).rstrip() if last.rstrip("* ").endswith(":") and len(last) < 40 else before


def _without_source_before(text: str, source: str) -> str:
    """Without the source as lines of their own before the translation."""
    rest = text.strip().removeprefix(source.strip())
    return rest if rest.startswith("\n") and _has_words(rest) and _has_words(source) else text


def _without_remarks(text: str, source: str) -> str:
    """Without closing paragraphs that speak of the translation, where it has more paragraphs than the source."""
    paragraphs = re.split(r"(\n\s*\n)", text.strip())
    if "\n---" not in source and "\n---" in text:  # a rule, and what comes after it
        return _without_remarks(text.partition("\n---")[0], source)
    own = re.split(r"\n\s*\n", source.strip())
    remarked = any(map(_REMARK.match, own))
    for place in range(2 * len(own), len(paragraphs), 2):
        if _REMARK.match(paragraphs[place]) and not remarked:
            return "".join(paragraphs[:place]).rstrip()
    return text


def _without_half_tag(text: str, source: str) -> tuple[str, bool]:
    """Without a closing tag that was cut, or has another name; and whether it said that the text had come to its end."""
    text = text.rstrip()
    half = _HALF_CLOSE.search(text)
    if (
        half
        and half[0] not in source
        and "translated".startswith(half[2].lower())
        and (half[1] or len(half[2]) not in (1, 2))
    ):
        return text[: half.start()].rstrip(), bool(half[2])
    alien = _ALIEN_CLOSE.search(text)
    if alien and f"<{alien[1]}" not in text and alien[0] not in source:
        return text[: alien.start()].rstrip(), True
    return text, False
