"""How often a judge is right, in each language: the whole of `lidr judge-check`, as one call."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lidr_plugin import files
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.intervals import Share, grouped
from lidr_plugin.evaluation.judge import Contest, JudgeModel, Verdicts, warning
from lidr_plugin.evaluation.results import plain
from lidr_plugin.methods.judging import Verdict
from lidr_plugin.prompts.files import read_items
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Trust:
    """What a judge's verdicts in one language are worth.

    Attributes:
        right: of all rows those on which both orders prefer the chosen text; a coin comes to a quarter.
        decided: of the rows on which both orders agree those on which they do; a coin comes to a half.
        verdicts: how often it goes by the place, or cannot be read.
        says: whether its verdicts say something: `yes`, `no` or `cannot tell`.
    """

    right: Share
    decided: Share
    verdicts: Verdicts
    says: str

    @classmethod
    def of(cls, items: Sequence[Verdict]) -> "Trust":
        """The verdicts on rows whose chosen text was the challenger."""
        outcomes = Counter(item.outcome for item in items)
        decided = Share(outcomes["win"], outcomes["win"] + outcomes["lose"])
        low, high = decided.interval
        says = "no" if warning(items) or high <= 0.5 else "yes" if low > 0.5 else "cannot tell"
        return cls(Share(outcomes["win"], len(items)), decided, Verdicts.of(items), says)


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """What `lidr judge-check` found.

    Attributes:
        languages: by language of the run that has rows.
        cost: of all verdicts.
        complete: whether the budget reached for all rows.
        others: rows in other languages, by the code that they have; they were left out.
    """

    judge: str
    languages: Mapping[str, Trust]
    cost: float
    complete: bool
    others: Mapping[str, int]


def judge_check(config: Config, preferences: Path) -> JudgeCheck:
    """Has the judge of `eval.judge` compare the chosen and the rejected text of every row in a language of the run, in both orders.

    Args:
        preferences: rows with `language`, `prompt`, `chosen` and `rejected`, as M-RewardBench has them, or a dataset of lidr's.

    Raises:
        InputError: there is no judge, or no row for it.
        RunError: a request failed for good; what was answered is kept.
    """
    if config.eval.judge is None:
        raise InputError("eval.judge: no judge is named", "eval: {judge: {base_url: …, model: …}}")
    contests = list(read_items(preferences, _contest))
    wanted = {_base(code): code for code in reversed(config.codes)}
    others = Counter(x.language for x in contests if _base(x.language) not in wanted)
    asked = [x._replace(language=wanted[_base(x.language)]) for x in contests if _base(x.language) in wanted]
    if not asked:
        there = ", ".join(sorted(others)) or "none"
        raise InputError(f"{preferences}: no rows in a language of the run; there is {there}", "set languages")
    judge, run = JudgeModel(config), RunDirectory.of(config.output_dir, config.store)
    with run.at_work("every verdict is kept; the same command goes on from there"), Store(run.store) as store:
        verdicts = judge.judge(store, asked).verdicts
        by_language = grouped(zip((x.language for x in asked), verdicts, strict=True))
        found = JudgeCheck(
            judge=judge.name,
            languages={code: Trust.of(by_language[code]) for code in config.codes if code in by_language},
            cost=round(judge.budget.spent, 6),
            complete=not judge.budget.exhausted,
            others=dict(others),
        )
        with files.replacing(run.path / "judge_check.jsonl") as file:
            rows = zip(asked, verdicts, strict=True)
            file.writelines(files.dump_line(_row(contest, verdict)) for contest, verdict in rows if verdict)
        files.write_json(run.path / "judge_check.json", plain(found))
    return found


def _row(contest: Contest, verdict: Verdict) -> dict[str, Any]:
    return {"language": contest.language, **verdict._asdict(), "outcome": verdict.outcome}


def _contest(line: int, item: dict[str, Any]) -> Contest:
    """A row, its chosen text as the challenger."""
    prompt = item.get("prompt") or PromptText(_text(item.get("instruction")), _text(item.get("input"))).joined
    texts = {
        "language": item.get("language"),
        "prompt": prompt,
        "chosen": item.get("chosen"),
        "rejected": item.get("rejected"),
    }
    if wrong := [name for name, text in texts.items() if not isinstance(text, str) or not text.strip()]:
        raise ValueError(f"{', '.join(wrong)}: expected text; a row has language, prompt, chosen and rejected")
    language, prompt, chosen, rejected = map(str, texts.values())
    return Contest(str(item.get("id", line)), language, prompt, chosen, rejected)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _base(code: str) -> str:
    """The language of a code, for `arb_Arab` and `ar` name one."""
    from langcodes import Language
    from langcodes.tag_parser import LanguageTagError

    try:
        return str(Language.get(code.replace("_", "-"), normalize=True).prefer_macrolanguage().language or code)
    except LanguageTagError:
        return code
