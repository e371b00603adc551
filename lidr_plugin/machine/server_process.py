"""A server as a child of lidr: started in a session of its own, stopped with all that it started."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from lidr_plugin.errors import EngineError

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS, _KILL_SECONDS = 20.0, 5.0
_TAIL = 64 << 10
"""Bytes of a log's end that are read: a day's log is long."""
_ACCESS = re.compile(r'"(?:GET|POST) \S+ HTTP/1\.\d"')
"""A line that says no more than that a request was answered."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = 300
"""Characters of a line that are shown."""


def _die_with_parent() -> None:
    """In the child, before it runs: SIGTERM when lidr dies, also by `kill -9` (Linux). Frees the GPU."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Log:
    """The file that a server writes to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def end(self) -> str:
        """The last of it; empty if there is none."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def last_line(self) -> str:
        """The last line that says something; empty if there is none."""
        lines = [_COLOUR.sub("", line).strip() for line in self._lines()]
        line = next((line for line in reversed(lines) if line), "")
        return "".join(character for character in line[:_LINE] if character.isprintable())

    def quoted(self, lines: int = 25) -> str:
        """Its name and its last lines, for an error."""
        shown = "\n".join(f"  {line}" for line in self._lines()[-lines:])
        return f"The end of {self.path}:\n{shown}"

    def _lines(self) -> list[str]:
        return [line for line in self.end().splitlines() if not _ACCESS.search(line)]


class ServerProcess:
    """A child whose output is added to a log."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Log) -> None:
        self._command = command
        self._env = env
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._worked = False

    async def start(self) -> None:
        """Raises `EngineError` if there is no such program."""
        self._log.path.parent.mkdir(parents=True, exist_ok=True)
        with self._log.path.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                    env=self._env,
                )
            except OSError as error:
                raise EngineError(
                    f"{self._command[0]}: {error.strerror}", "set engine.python to an interpreter"
                ) from None

    @property
    def end(self) -> str | None:
        """How it ended, in words; None while it runs."""
        status = self._process.returncode if self._process else None
        if status is None:
            return None
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"

    async def until_healthy(self, url: str) -> None:
        """Waits for it to be well, or to have ended."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            while self.end is None:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            self._worked = True
                            return
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        """Stops it and all its children: first kindly, then not; at once where it never came to work."""
        if self._worked:
            await self._signal(signal.SIGTERM, _STOP_SECONDS)
        await self.kill()

    async def kill(self) -> None:
        """Stops it and all its children, at work or not, at once."""
        await self._signal(signal.SIGKILL, _KILL_SECONDS)
        self._process = None

    async def _signal(self, number: signal.Signals, patience: float) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), patience)
