"""How a judge is asked to compare two answers, and how its reply is read: lidr's own way, and the forms that trained judges know.

mR3 (arXiv 2510.01146) thinks, then gives a JSON object whose `score` names the better of two assistants. M-Prometheus (arXiv
2504.04953) writes its feedback and then `[RESULT]` with a letter, as Prometheus 2. The frames are theirs, for they were trained on
them; the wording inside is lidr's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from lidr_plugin.completions.requests import TOP_LOGPROBS, Completion, Message, Sampling
from lidr_plugin.methods.judging import comparison, filled, letter, sampling
from lidr_plugin.text.thinking import without_thoughts

_MR3_SYSTEM = """\
# Instruction

You are an impartial judge. Two assistants answered the prompt of a user. Say whose answer is better by the criteria below, \
whatever its place and length.

# Evaluation Rubric

Assistant A: Assistant A's answer is better: it does what was asked, is right, clear and complete, reads naturally, and is in the \
language of the prompt unless another was asked for.
Assistant B: Assistant B's answer is better: it does what was asked, is right, clear and complete, reads naturally, and is in the \
language of the prompt unless another was asked for.

# Response Format

{'type': 'object', 'properties': {'explanation': {'type': 'string', 'description': 'A short comparison of Assistant A and \
Assistant B by the rubric.'}, 'score': {'type': 'string', 'description': "The verdict: 'Assistant A' or 'Assistant B'.", 'enum': \
['Assistant A', 'Assistant B']}}, 'required': ['explanation', 'score']}
"""
_MR3_USER = """\
# Input (User's Prompt)
{prompt}

# Assistant A
{a}

# Assistant B
{b}

# Your Response
"""
_PROMETHEUS = """\
###Task Description:
You are given an instruction, two responses to it, and a rubric.
1. Write feedback that compares the two responses by the rubric alone.
2. Then choose the better one, Response A or Response B, whatever its place and length.
3. Keep to this form: "Feedback: (your feedback) [RESULT] (A or B)"
4. Write nothing before or after it.

###Instruction:
{prompt}

###Response A:
{a}

###Response B:
{b}

###Score Rubric:
[Which response does what was asked, is right, clear and complete, reads naturally, and is in the language of the instruction \
unless another was asked for?]

###Feedback:"""
_SCORE = re.compile(r"""["']score["']\s{0,9}:\s{0,9}["'](?:Assistant\s)?([AB])["']""")
_RESULT = re.compile(r"\[RESULT\][\s:*(\"']{0,9}(?:Response\s)?([AB])\b")


class Style(NamedTuple):
    """A way to ask.

    Attributes:
        turns: the conversation for a prompt and two answers.
        sampling: how the reply is drawn, with so many tokens at most.
        read: `A`, `B` or `tie`; None where the reply says nothing for certain.
        top_logprobs: log-probabilities that it is read by, too.
    """

    turns: Callable[[str, str, str], tuple[Message, ...]]
    sampling: Callable[[int], Sampling]
    read: Callable[[Completion], str | None]
    top_logprobs: int = 0


def _last(pattern: re.Pattern[str]) -> Callable[[Completion], str | None]:
    """Reads what an answer that ended says last by this pattern."""

    def read(answer: Completion) -> str | None:
        found = pattern.findall(without_thoughts(answer.text, thinking=False))
        return found[-1] if found and not answer.cut else None

    return read


def _thinking(max_tokens: int) -> Sampling:
    """As mR3's authors draw; without chance a model that thinks may go round in circles."""
    return replace(sampling(max_tokens, 0.6), top_p=0.95, thinking=True)


STYLES: Mapping[str, Style] = {
    "plain": Style(lambda prompt, a, b: (comparison(prompt, a, b),), sampling, letter, TOP_LOGPROBS),
    "mr3": Style(
        lambda prompt, a, b: (Message("system", _MR3_SYSTEM), filled(_MR3_USER, prompt=prompt, a=a, b=b)),
        _thinking,
        _last(_SCORE),
    ),
    "m-prometheus": Style(
        lambda prompt, a, b: (filled(_PROMETHEUS, prompt=prompt, a=a, b=b),), sampling, _last(_RESULT)
    ),
}
"""By the name in `eval.judge.preset`."""
