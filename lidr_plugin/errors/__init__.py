"""Every error a user can meet, as one tree.

    LidrError                exit status
    ├── InputError           2   the command line, the configuration or an input file is wrong; nothing was written
    ├── RunError             1   the run failed; what was finished is kept
    │   ├── EngineError      1   an engine could not be started, reached or stopped
    │   ├── RequestError     1   one request failed for good
    │   └── StoreError       1   the completion store is damaged or cannot be written
    └── Interrupted          130 the user stopped the run

Errors of other libraries are converted once, where their call is made; above that line only this tree exists. What an error
says is plain: it has no secrets and nothing that a terminal would obey, whoever wrote the words that it repeats.
"""

from collections.abc import Sequence

from lidr_plugin.errors.terminal import plain


class LidrError(Exception):
    """What happened, where, and what to do next.

    Args:
        message: what happened and where, in a sentence.
        hint: what the user can do about it.
    """

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = plain(message)
        self.hint = plain(hint)
        super().__init__(self.message)


class InputError(LidrError):
    """The configuration, the command line or an input file is wrong; nothing was written."""

    exit_status = 2

    @classmethod
    def of(cls, problems: Sequence[str], where: str, hint: str = "") -> "InputError":
        """All problems of one file as one error."""
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        return cls(f"{count} in {where}:\n" + "\n".join(f"  {problem}" for problem in problems), hint)


class RunError(LidrError):
    """The run failed; every finished completion is in the store."""


class EngineError(RunError):
    """An engine could not be started, reached or stopped."""


class RequestError(RunError):
    """One request failed for good: a 4xx, or every retry used up."""


class StoreError(RunError):
    """The completion store is damaged, of a newer version, or cannot be written."""


class Interrupted(LidrError):
    """The user stopped the run (Ctrl-C or SIGTERM)."""

    exit_status = 130
