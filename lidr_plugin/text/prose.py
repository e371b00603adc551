"""What of a text is prose: the lines that remain without code, addresses, formulas, tables and lists of names."""

import re
from collections.abc import Iterable, Sequence

_SPANS = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)"  # fenced code; one that was cut has no end
    r"|`[^`\n]*`|<[^<>\n]{1,200}>"
    r"|\$\$[^$]+\$\$|\$[^$\n]+\$|\\\([^\n\\]{0,300}\\\)|\\\[[^\[\]]{0,500}\\\]|\\[A-Za-z]+",
    re.DOTALL,
)
_OPENS_SPAN = ("`", "~~~", "<", "$", "\\")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_OPENS_CODE = re.compile(
    r"""[{}=<>\\&~^;$\t]|\w[(\[]|"\s?:|import |return|(?:SELECT|FROM|WHERE|JOIN|TABLE|INTO|pip|npm|git|sudo|docker) """
)
_MAY_OPEN_CODE = re.compile(r"""[{}=<>\\&~^;$\t(\["]""")
_CODE_WORDS = tuple("import ,return ,SELECT ,FROM ,WHERE ,JOIN ,TABLE ,INTO ,pip ,npm ,git ,sudo ,docker ".split(","))
_SIGNS = re.compile(
    r"""[{}=<>\\&~^]|(?<=\w)(?:[(\[]["'\w)]|_\w)|["'\])]\)|\)[;:{]|[;{}]$|->|::|\w\.[a-z_]\w*\(""",
)
_STATEMENT = re.compile(
    r"""(?:from\ [\w.]{1,80}\ )?import\ [\w.{}*,\ ]{1,120}(?:\ as\ \w{1,40})?;?$|\#include\b|"[^"\n]{1,60}"\s?:
    |(?:SELECT|INSERT\ INTO|UPDATE|DELETE\ FROM|CREATE\ TABLE|ALTER\ TABLE|FROM|WHERE|JOIN)\ [\w*(]
    |(?:sudo|pip|npm|git|docker|apt-get|kubectl|cargo|brew|\$|>>>)\ [\w.-]|(?:return|print|echo)\ ["'\w.]{1,80};?$
    |(?:public|private|protected|static|const|let|var|def|class|fn|func|function|struct|enum)\ [\w<>\[\]\ ]{1,80}[({:=]""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"""\#|//|/\*|\*\ |\*/|--\ |"{3}|'{3}""")
_WORD = re.compile(r"[^\W\d_]+")
_ITEM = re.compile(r"\s{0,9}(?:\d{1,3}[.)]|[-*•–])\s")
_TITLE, _LITTLE = 8, 3
"""Words of a title at most, and letters of its little words: "and the"."""
_LONGEST = 40_000
"""Characters that are looked at; of a longer text a third each of the beginning, the middle and the end."""


def lines(text: str) -> list[str]:
    """The lines of prose, without empty ones. The time is linear in the length of the text, and bounded."""
    if len(text) > _LONGEST:
        part, middle = _LONGEST // 3, len(text) // 2
        text = f"{text[:part]}\n{text[middle - part // 2 : middle + part // 2]}\n{text[-part:]}"
    if any(map(text.__contains__, _OPENS_SPAN)):
        text = _SPANS.sub(" ", text)
    if "://" in text or "www." in text:
        text = _ADDRESS.sub(" ", text)
    found = [line for line in text.splitlines() if line and not line.isspace()]
    return [_without_mail(line) for line in _without_code(found) if line.count("|") < 2]


def is_names(line: str) -> bool:
    """Whether a line is but names: three words or more, of which three in four begin with a capital letter; or an item of a list
    with the title of something, in which all words but the little ones do.
    """
    words = [word for word in _WORD.findall(line[:400]) if len(word) > 1]
    if 2 <= len(words) <= _TITLE and _ITEM.match(line):
        telling = [word for word in words if len(word) > _LITTLE]
        return bool(telling) and all(word[0].isupper() for word in telling)
    return len(words) >= 3 and 4 * sum(word[0].isupper() for word in words) >= 3 * len(words)


def is_quoted(line: str) -> bool:
    """Whether the whole line stands in quotation marks, or is a quotation in Markdown."""
    line = line.strip().rstrip(".,;:")
    return line.startswith(">") or (len(line) > 2 and line[0] in "\"“„«»‹「『'‘" and line[-1] in "\"”“»«›」』'’")


def _without_mail(line: str) -> str:
    return " ".join(word for word in line.split() if "@" not in word) if "@" in line else line


def _without_code(found: Sequence[str]) -> Iterable[str]:
    """Code is seen by its signs, comments and indented lines by the code beside them."""
    code = [_is_code(line) for line in found]
    if not any(code):
        return found
    doubtful = [line.startswith(("\t", "    ")) or bool(_COMMENT.match(line.lstrip())) for line in found]
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        step = 1 if order.step < 0 else -1
        for i in order:
            code[i] = code[i] or (doubtful[i] and code[i + step])
    return (line for line, is_code in zip(found, code, strict=True) if not is_code)


def _is_code(line: str) -> bool:
    line = line.strip()[:400]
    # Most lines have none of its signs and words, and that is seen at once; the pattern itself looks at every character.
    if not _MAY_OPEN_CODE.search(line) and not any(map(line.__contains__, _CODE_WORDS)):
        return False
    if not _OPENS_CODE.search(line):
        return False
    if _STATEMENT.match(line):
        return True
    signs = len(_SIGNS.findall(line))
    return signs >= 2 and 5 * signs >= line.count(" ") + 1
