"""A method that asks for scores, and a run with it as a process of its own: `python -m tests.support.scoring lidr.yaml`."""

import sys
from collections.abc import Mapping

import lidr_plugin as lidr
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.models import other_model
from lidr_plugin.completions.requests import Need
from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.schema import Config
from lidr_plugin.prompts.prompt_set import PromptSet

LANGUAGES = ("de", "es")


class Better:
    """Of two samples in each language the one with the greater reward is chosen."""

    rows = lidr.Preference
    reasons: Mapping[str, str] = {"unscored": "a sample has no score"}

    def __init__(self, config: Config, need: Need = "reward") -> None:
        settings = OtherModel(backend="openai", base_url=config.engine.base_url, model="fake", weights="rewards")
        purpose = Purpose("scorer", 1, "scorer.log", scores=frozenset({need}))
        self.roles: Mapping[str, Model] = {"scorer": other_model(config, settings, purpose)}
        self.scores = {"scorer": frozenset({need})}

    def problems(self, prompts: PromptSet) -> list[str]:
        """None."""
        return []

    def requests_at_most(self, prompts: int) -> int:
        """Two samples in each language."""
        return 2 * len(LANGUAGES) * prompts

    def scores_at_most(self, prompts: int) -> int:
        """One for each sample."""
        return self.requests_at_most(prompts)

    def steps(self, prompt: lidr.Prompt, ask: lidr.Ask) -> lidr.Steps[lidr.Outcome]:
        """A pair in each language."""
        fates = yield from lidr.together(*(self._pair(prompt, code, ask) for code in LANGUAGES))
        return lidr.Outcome.of(prompt.position, fates)

    def _pair(self, prompt: lidr.Prompt, code: str, ask: lidr.Ask) -> lidr.Steps[lidr.Preference | lidr.Drop]:
        found = yield from lidr.together(*(self._scored(prompt, code, ask, number) for number in (0, 1)))
        (better, text), (worse, other) = sorted(found, key=lambda item: item[0], reverse=True)
        pair = lidr.Preference(
            prompt.id, code, prompt.texts[code], text, other, f"{better!r}", f"{worse!r}", source=text
        )
        return lidr.Drop(pair, "unscored") if float("-inf") in (better, worse) else pair

    def _scored(
        self, prompt: lidr.Prompt, code: str, ask: lidr.Ask, number: int
    ) -> lidr.Steps[tuple[float, lidr.Text]]:
        turn, row = lidr.Message("user", f"{prompt.texts[code].joined} ({number})"), f"{prompt.id} [{code}]"
        answer = yield ask.chat("policy", [turn], lidr.Sampling(0.7, 1.0, 50, 1.0, 42, False), sample=number, row=row)
        score = yield ask.score("scorer", "reward", [turn], answer.text, row=row)
        return (score.values[0] if isinstance(score, lidr.Scored) else float("-inf")), lidr.Text(answer.text)


if __name__ == "__main__":
    loaded = lidr.load(sys.argv[1])
    lidr.build_pairs(loaded, method=Better(loaded))
