"""Every regular expression of a package, found in its source; texts on which one that backtracks stands still."""

import ast
import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # there is no public name for it
from typing import Any, NamedTuple

from lidr_plugin.methods import translation_words
from lidr_plugin.text import verdicts
from lidr_plugin.text.numbers import final_numbers
from lidr_plugin.training.llamafactory_cli import causes

ROOT = Path(__file__).resolve().parents[2]
ANCHORED = ("match", "fullmatch")
SCANNING = ("search", "sub", "subn", "findall", "finditer", "split")
FROM_DATA: dict[str, Callable[[], "list[str | re.Pattern[str]]"]] = {
    "lidr_plugin/training/llamafactory_cli.py: cause.pattern": lambda: [cause.pattern for cause in causes()],
    "lidr_plugin/text/verdicts.py: _WORDS[kind]": lambda: [*verdicts._WORDS.values()],
    "lidr_plugin/methods/translation_words.py: _tree(triggers)": lambda: [
        translation_words.trigger(ascii_only=some) for some in (True, False)
    ],
    "lidr_plugin/methods/translation_words.py: wordings": lambda: [words.asking for words in translation_words.every()],
    "lidr_plugin/pages/view/render.py: '|'.join(words)": lambda: [r"a\ word|another|a"],
}
"""Patterns that are no text of the source: by where they are used, what they are."""


BOUNDED = {
    "lidr_plugin/methods/translation_words.py": 470,
    **{
        f"lidr_plugin/text/{name}.py": 20_000
        for name in "numbers numerals asides formulae compounds spelled verdicts grades".split()
    },
}
"""Modules whose patterns are tried on the ends of a text alone: on so many characters."""


class Use(NamedTuple):
    """A regular expression, whether it is tried at one place alone, and on how many characters at most."""

    where: str
    pattern: "re.Pattern[str]"
    anchored: bool
    longest: int | None = None


@cache
def _at_work() -> dict[tuple[str, int], set["re.Pattern[str]"]]:
    """The patterns that functions make while they read numbers, by file and line."""
    found: dict[tuple[str, int], set[re.Pattern[str]]] = {}
    original = re._compile  # type: ignore[attr-defined]

    def recorded(pattern: Any, flags: Any) -> Any:
        compiled, caller = original(pattern, flags), sys._getframe(2)
        found.setdefault((caller.f_code.co_filename, caller.f_lineno), set()).add(compiled)
        return compiled

    re._compile = recorded  # type: ignore[attr-defined]
    try:
        for line in (ROOT / "tests/corpora/numbers.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["language"] in ("en", "ru", "ja"):  # in others they have other words, and the same form
                final_numbers(row["text"], row["language"])
    finally:
        re._compile = original  # type: ignore[attr-defined]
    return found


def made_at_work(path: Path, line: int) -> "list[str | re.Pattern[str]]":
    """Those that a line made."""
    return sorted(_at_work().get((str(path), line), set()), key=lambda made: made.pattern)


def modules(*packages: str) -> Iterator[tuple[Path, str]]:
    """The modules of packages, given as `folder=import name`."""
    for package in packages:
        folder, _, name = package.partition("=")
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield path, ".".join([name or folder, *parts]).removesuffix(".__init__")


def uses(path: Path, module: str) -> Iterator[Use]:
    """The regular expressions of a module; what its text does not tell must stand in `FROM_DATA`."""
    text = path.read_text(encoding="utf-8")
    if "re." not in text:
        return
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _of_re(node.func)]
    anchored = _anchored(tree) if calls else set()
    for call in calls:
        place, function = path.relative_to(ROOT), call.func.attr  # type: ignore[attr-defined]
        source = ast.unparse(call.args[0])
        known = vars(importlib.import_module(module))
        try:
            flags = [eval(ast.unparse(x.value), dict(known)) for x in call.keywords if x.arg == "flags"]
            flags += [eval(ast.unparse(x), dict(known)) for x in call.args[1:] if ast.unparse(x).startswith("re.")]
            patterns = [eval(source, dict(known))]
        except NameError:
            patterns, flags = (
                FROM_DATA.get(f"{place}: {source}", lambda at=(path, call.lineno): made_at_work(*at))(),
                [],
            )
            assert patterns, f"{place}:{call.lineno}: {source} is made of what is not known: name it in FROM_DATA"
        for pattern in patterns:
            compiled = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, *flags)
            yield Use(
                f"{place}:{call.lineno} {compiled.pattern[:40]}",
                compiled,
                function in ANCHORED or call in anchored,
                BOUNDED.get(str(place)),
            )


def _anchored(tree: ast.Module) -> set[ast.expr]:
    """The calls that compile a pattern of which the module uses nothing but `match` and `fullmatch`."""
    used: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.setdefault(node.value.id, set()).add(node.attr)
    named = [
        (x.targets[0].id, x.value)
        for x in tree.body
        if isinstance(x, ast.Assign) and isinstance(x.targets[0], ast.Name)
    ]
    return {value for name, value in named if used.get(name, {""}) <= set(ANCHORED)}


def _of_re(function: ast.expr) -> bool:
    known = isinstance(function, ast.Attribute) and function.attr in ("compile", *ANCHORED, *SCANNING)
    return known and isinstance(function.value, ast.Name) and function.value.id == "re"  # type: ignore[attr-defined]


def words(pattern: "re.Pattern[str]") -> list[str]:
    """The texts that a pattern holds letter by letter, and one of each class of characters in it."""
    found: list[str] = []

    def walk(node: Any) -> None:
        word = ""
        for kind, value in node:
            if str(kind) == "LITERAL":
                word += chr(value)
                continue
            found.append(word)
            word = ""
            if str(kind) == "IN":
                found.extend(
                    chr(x if str(k) == "LITERAL" else x[0]) for k, x in value if str(k) in ("LITERAL", "RANGE")
                )
                continue
            for part in value if isinstance(value, tuple | list) else ():
                for inner in part if isinstance(part, list) else [part]:
                    if isinstance(inner, _parser.SubPattern):
                        walk(inner)
        found.append(word)

    walk(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    return list(dict.fromkeys(word for word in found if word))


FILLERS = ("a", " ", "\n", "0", ".", "-", "_", "é", "中")
RUNS = (
    *FILLERS, *"@=,;:/\\<>(){}[]`'\"#*|~^$%&+!?\t1", "0,", "0.", "1 ", "- ", "a ", "a.", "a@", "@.",
    "a=", "<a", "<>", "()", "$a", "`a", " \n", "\n ", "a\n", "-0", "1.2,", "http://", "www.", "…", "，", "्", "\u200b", "\ud7a3",
)  # fmt: skip


def hostile(pattern: "re.Pattern[str]") -> list[tuple[str, str, str]]:
    """Head, unit and tail of texts that are long runs: of characters, of the pattern's own words, and of almost-matches."""
    own = words(pattern)[:40]
    runs = [("", unit, tail) for unit in (*RUNS, *own) for tail in ("", "\x00", "a!")]
    begun = [(word, unit, "\x00") for word in own for unit in (*FILLERS, word[:-1] or word)]
    pairs = [("", one + other, "\x00") for one in own[:12] for other in (*own[:12], *FILLERS)]
    return list(dict.fromkeys([*runs, *begun, *pairs]))


def seconds(use: Use, text: str) -> float:
    """Processor time of going through a text with a pattern, as its use does."""
    begun = time.process_time()
    if use.anchored:
        use.pattern.match(text)
        use.pattern.fullmatch(text)
    else:
        for _ in use.pattern.finditer(text):
            pass
    return time.process_time() - begun


def slowest(use: Use, sizes: Sequence[int], limit: float) -> tuple[float, str]:
    """The longest time over texts that grow, and which that was; ends at the first beyond the limit.

    Beyond the first size only the five slowest texts are tried: what grows as a square is among them.
    """
    texts, worst = hostile(use.pattern), (0.0, "")
    for size in sizes if use.longest is None else [min(1_000, use.longest), use.longest]:
        timed = []
        for head, unit, tail in texts:
            taken = seconds(use, head + unit * (size // len(unit)) + tail)
            timed.append((taken, (head, unit, tail)))
            worst = max(worst, (taken, f"{head!r} + {unit!r} * {size // len(unit)} + {tail!r}"))
            if taken > limit:
                return worst
        texts = [text for _, text in sorted(timed, reverse=True)[:5]]
    return worst
