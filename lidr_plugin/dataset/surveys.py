"""What shards must know of each other's prompts before the first row: each notes what it found, and the last one knows all."""

from dataclasses import asdict, dataclass, replace

from lidr_plugin import files
from lidr_plugin.dataset.shards import Made, Shard
from lidr_plugin.errors import RunError
from lidr_plugin.machine.inputs import is_there, read_record
from lidr_plugin.methods.base import Survey
from lidr_plugin.run_directory import RunDirectory

_SHOWN = 10


class Waiting(RunError):
    """A shard has noted what it found, and others have not yet."""


@dataclass(frozen=True)
class _Noted:
    """What a shard found, and of what."""

    made: Made
    found: dict[str, list[int]]


@dataclass(frozen=True)
class ShardSurveys:
    """The surveys of a run's shards, each in a file in its shard's folder.

    Attributes:
        top: the run's directory.
        shard: whose survey is made now.
        made: what that is made of.
    """

    top: RunDirectory
    shard: Shard
    made: Made

    def recall(self, survey: Survey) -> bool:
        """Gives the survey what this shard noted before, if it was of the same."""
        noted = self._read(self.shard)
        survey.add_noted(noted.found if noted else {})
        return noted is not None

    def note(self, survey: Survey) -> None:
        """Keeps what this shard found for the others."""
        files.write_json(self.top.shard(*self.shard).survey_json, asdict(_Noted(self.made, survey.noted)))

    def together(self, survey: Survey) -> None:
        """Gives the survey what all other shards noted.

        Raises:
            Waiting: some have not.
        """
        others = [Shard(number, self.shard.of) for number in range(self.shard.of) if number != self.shard.number]
        found = {shard: self._read(shard) for shard in others}
        if lacking := [str(shard) for shard, noted in found.items() if noted is None]:
            more = f" and {len(lacking) - _SHOWN:,} more" if len(lacking) > _SHOWN else ""
            raise Waiting(
                f"rank.length_control: auto waits for what a character costs in shards {', '.join(lacking[:_SHOWN])}{more}",
                f"run these, then shard {self.shard} again: its answers and scores are kept",
            )
        for noted in found.values():
            survey.add_noted(noted.found if noted else {})

    def _read(self, shard: Shard) -> _Noted | None:
        """What a shard found; None if it has not, or with other settings, models or prompts."""
        path = self.top.shard(*shard).survey_json
        if not is_there(path):
            return None
        noted = read_record(_Noted, path, "remove it: the shard's command makes it anew from its store")
        prompts = self.made.prompts if shard == self.shard else noted.made.prompts
        alike = not noted.made.changed(replace(self.made, prompts=prompts))
        return noted if alike and noted.made.total == self.made.total else None
