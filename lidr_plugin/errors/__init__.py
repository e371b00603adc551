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

import errno
from collections.abc import Sequence

from lidr_plugin.errors.terminal import plain

_MOST_SHOWN = 100
"""Problems of one file: whoever has more begins with these."""
_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your quota is used up: remove something, or ask for more",
    errno.EFBIG: "files may not grow so large here: ulimit -f",
    errno.EROFS: "the disk is read-only: name a place on another",
    errno.EACCES: "it is not yours: chmod u+rw, and u+x for the folders above it",
    errno.EPERM: "the system forbids it: name another place",
    errno.ENOTDIR: "a part of the path is a file: name another place",
    errno.EISDIR: "there is a folder of that name: move it away",
    errno.EEXIST: "there is a file of that name: move it away",
    errno.ENAMETOOLONG: "a name has at most 255 bytes",
    errno.ELOOP: "a link leads back to itself: remove it",
    errno.EMFILE: "too many files are open: ulimit -n",
    errno.EIO: "the disk fails: look at the system's log",
}


def remedy_of(error: OSError) -> str:
    """What the user can do about an error of the system; empty where nobody knows."""
    return _REMEDIES.get(error.errno or 0, "")


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
        shown = [*problems[:_MOST_SHOWN], *(["and more"] if len(problems) > _MOST_SHOWN else [])]
        return cls(f"{count} in {where}:\n" + "\n".join(f"  {problem}" for problem in shown), hint)


class RunError(LidrError):
    """The run failed; every finished completion is in the store."""

    @classmethod
    def of(cls, error: OSError, where: object, kept: str = "") -> "RunError":
        """An error of the system as one of the run: its file, else `where` it happened, and the remedy."""
        said = error.strerror or str(error) or type(error).__name__
        return cls(f"{error.filename or where}: {said}", "\n".join(filter(None, (remedy_of(error), kept))))


class EngineError(RunError):
    """An engine could not be started, reached or stopped."""


class RequestError(RunError):
    """One request failed for good: a 4xx, or every retry used up."""


class StoreError(RunError):
    """The completion store is damaged, of a newer version, or cannot be written."""


class Interrupted(LidrError):
    """The user stopped the run (Ctrl-C or SIGTERM)."""

    exit_status = 130
