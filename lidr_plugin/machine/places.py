"""A folder at an address (`s3://…`, `gs://…`, `memory://…`) or of this machine, to which files are copied whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from lidr_plugin import files
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.sources import EXTRAS, failures, is_address


class Place:
    """Files by their paths within the folder. What is asked of it raises `RunError` where it does not answer."""

    def __init__(self, system: Any, root: str, address: str) -> None:
        self._system, self._root, self._address = system, root.rstrip("/"), address

    @classmethod
    def at(cls, address: str) -> Self:
        """Raises `InputError` where nothing knows such addresses."""
        from fsspec.core import url_to_fs

        try:
            system, root = url_to_fs(address if is_address(address) else str(Path(address).expanduser().absolute()))
        except (ImportError, ValueError) as error:
            needed = EXTRAS.get(address.partition("://")[0])
            raise InputError(f"{address}: {error}", f"pip install '{needed}'" if needed else "") from None
        return cls(system, root, address)

    def names(self, folder: str = "") -> list[str]:
        """The names of files and folders in a folder, sorted; none where there is no such folder."""
        with self._asked(folder):
            self._system.invalidate_cache()  # others write there too
            try:
                found = self._system.ls(f"{self._root}/{folder}".rstrip("/"), detail=False)
            except FileNotFoundError:
                return []
        return sorted(name.rstrip("/").rpartition("/")[2] for name in found)

    def read(self, name: str) -> bytes:
        """What is in a file."""
        with self._asked(name):
            content: bytes = self._system.cat_file(f"{self._root}/{name}")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Makes a file, whole or not at all."""
        with self._asked(name), self._whole(name) as path:
            self._system.pipe_file(path, content)

    def upload(self, source: Path, name: str) -> None:
        """Copies a file there, whole or not at all."""
        with self._asked(name), self._whole(name) as path:
            self._system.put_file(str(source), path)

    def download(self, name: str, target: Path) -> None:
        """Copies a file from there."""
        with (
            self._asked(name),
            files.replacing(target) as file,
            self._system.open(f"{self._root}/{name}", "rb") as source,
        ):
            while piece := source.read(1 << 20):
                file.write(piece)

    @contextmanager
    def _whole(self, name: str) -> Iterator[str]:
        """Where to write; an object appears when it is whole, a file of a folder is renamed then."""
        path = f"{self._root}/{name}"
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        if "file" not in self._system.protocol:
            yield path
            return
        yield f"{path}.part"
        self._system.mv(f"{path}.part", path)

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        try:
            yield
        except failures() as error:
            said = " ".join(str(getattr(error, "strerror", None) or error).split())[:300] or type(error).__name__
            hint = "is the address right, and are its keys set? What is finished here is kept"
            raise RunError(f"{self._address}: {name}: {said}", hint) from None
