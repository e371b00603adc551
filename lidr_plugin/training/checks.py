"""What the check in the train environment found, in words: template parity and lengths."""

from collections.abc import Iterator
from typing import Any

from lidr_plugin.errors import InputError
from lidr_plugin.training.recipe import Settings


class Verdict:
    """The answer of `intrain/check.py` about a recipe's settings."""

    def __init__(self, found: dict[str, Any], settings: Settings) -> None:
        self._found = found
        self._settings = settings
        self.over: list[int] = (found["lengths"] or {}).get("over", [])

    @property
    def problem(self) -> InputError | None:
        """The mismatch, in tokens, with its fix; None if the templates agree."""
        wrong = self._found["mismatch"]
        if wrong is None:
            return None
        message = (
            f"template {self._settings['template']}: what LLaMA-Factory trains on is not what the model is asked "
            f"(row {wrong['row'] or 'one'}, {wrong['part']}, token {wrong['position']}):\n"
            f"  LLaMA-Factory  {_shown(wrong['template'])}\n"
            f"  chat template  {_shown(wrong['chat_template'])}"
        )
        return InputError(message, self._fix())

    def _fix(self) -> str:
        fixes = self._found["fixes"]
        accept = "train.allow_template_mismatch=true trains nevertheless"
        if not fixes:
            return f"no template of LLaMA-Factory agrees with this model's; {accept}"
        best = fixes[0]
        changes = []
        if best["template"] != self._settings["template"]:
            changes.append(f"template: {best['template']}")
        if best["default_system"] is not None:
            changes.append(f"train: {{default_system: {best['default_system']!r}}}")
        others = ", ".join(fix["template"] for fix in fixes[1:4])
        also = f" (templates that agree too: {others})" if others and changes else ""
        return f"set {' and '.join(changes) or 'the same system prompt'}{also}; {accept}"

    @property
    def agreement(self) -> str:
        """How many rows agree."""
        ends = self._found["at_the_ends"]
        aside = f"; {ends} have white space around a text, which the chat template takes away" if ends else ""
        return f"{self._settings['template']} agrees with the chat template in {self._found['checked']} rows{aside}"

    def lines(self, *, dropped: bool) -> Iterator[str]:
        """What the user should know before training."""
        yield f"template: {self.agreement}" if self._found["mismatch"] is None else "template: mismatch accepted"
        if length := self.length(dropped=dropped):
            yield length

    def length(self, *, dropped: bool) -> str:
        """Tokens a row, and the cutoff_len that would cut none; empty without a dataset."""
        lengths = self._found["lengths"]
        if not lengths:
            return ""
        limit = self._settings.get("cutoff_len", 2048)
        text = f"tokens: longest row {lengths['longest']:,}, 99 % have at most {lengths['p99']:,}; cutoff_len {limit:,}"
        if not self.over:
            return text
        proposed = -(-lengths["longest"] // 64) * 64
        fate = (
            "dropped, and listed beside the dataset" if dropped else "cut (train.drop_over_cutoff=true leaves them out)"
        )
        return f"{text}: {len(self.over):,} of {lengths['rows']:,} rows are {fate}; train.cutoff_len={proposed} keeps all whole"


def _shown(tokens: list[str]) -> str:
    return " ".join(repr(token)[1:-1].replace(" ", "·") or "∅" for token in tokens) or "(nothing more)"
