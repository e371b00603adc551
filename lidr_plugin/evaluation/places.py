"""Whether the judge of a run of `rank.by: judge` goes by the answers, or by their place."""

from lidr_plugin.errors import RunError
from lidr_plugin.evaluation.judge import warning
from lidr_plugin.methods.base import Outcome
from lidr_plugin.methods.judging import Verdict

ENOUGH = 50
"""Pairs of answers that are judged before that is decided; of fewer, at the end of the run."""


class PlaceWatch:
    """Looks at the first verdicts of a run, in the order of its prompts.

    Args:
        prompts: of the run.
    """

    def __init__(self, prompts: int) -> None:
        self._left = prompts
        self._verdicts: list[Verdict] = []
        self._decided = False

    def watch(self, outcome: Outcome) -> None:
        """Takes what a prompt came to.

        Raises:
            RunError: the verdicts say nothing of the answers, and pairs made of them would teach nothing.
        """
        self._left -= 1
        if self._decided or not (outcome.verdicts or self._verdicts):
            return
        self._verdicts += outcome.verdicts
        if len(self._verdicts) < ENOUGH and self._left:
            return
        self._decided, first = True, self._verdicts[:ENOUGH]
        if reason := warning(first):
            raise RunError(
                f"rank.by: judge: after {len(first)} pairs of answers: {reason}",
                "no pairs are written; its verdicts are kept in the store. Name a stronger judge in rank.scorer, or rank by a "
                "reward model (rank.by: reward)",
            )
