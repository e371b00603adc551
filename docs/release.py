"""Cuts a version: python -m docs.release 0.2.0

Writes the version and the day into pyproject.toml, the package, CITATION.cff and CHANGELOG.md, whose [Unreleased] part becomes the
version's, and prints what is left to do by hand. Where one of the files is not as expected, none is written.
"""

import datetime
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_UNRELEASED = "## [Unreleased]\n"


class ReleaseError(Exception):
    """The version cannot be cut; the message says why."""


def _number(version: str) -> tuple[int, ...]:
    match = _VERSION.fullmatch(version)
    if not match:
        raise ReleaseError(f"{version}: a version is three numbers, as 0.2.0")
    return tuple(map(int, match.groups()))


def _set(pattern: str, value: str) -> Callable[[str], str]:
    """Puts a value between what `pattern` has as its two groups, where it stands exactly once."""

    def changed(text: str) -> str:
        new, count = re.subn(pattern, lambda match: f"{match[1]}{value}{match[2]}", text, flags=re.MULTILINE)
        if count != 1:
            raise ReleaseError(f"found {count} lines like {pattern}")
        return new

    return changed


def _changelog(version: str, day: str) -> Callable[[str], str]:
    def changed(text: str) -> str:
        before, found, rest = text.partition(_UNRELEASED)
        if not found:
            raise ReleaseError(f"no line {_UNRELEASED.strip()}")
        if not rest.partition("\n## [")[0].strip():
            raise ReleaseError("nothing stands under [Unreleased]")
        return f"{before}{_UNRELEASED}\n## [{version}] - {day}\n{rest}"

    return changed


def cut(root: Path, version: str, day: datetime.date) -> Mapping[Path, str]:
    """The new texts of the files that name the version.

    Raises:
        ReleaseError: it is no version or not a newer one, or a file is not as expected.
    """
    wanted = _number(version)
    old = re.search(r'^version = "([^"]+)"', (root / "pyproject.toml").read_text(), re.MULTILINE)
    if old and wanted <= _number(old[1]):
        raise ReleaseError(f"{version} is not newer than {old[1]}")
    changes: Mapping[str, tuple[Callable[[str], str], ...]] = {
        "pyproject.toml": (_set(r'^(version = ")[^"]+(")', version),),
        "lidr_plugin/__init__.py": (_set(r'^(__version__ = ")[^"]+(")', version),),
        "CITATION.cff": (_set(r"^(version: )\S+()$", version), _set(r"^(date-released: )\S+()$", day.isoformat())),
        "CHANGELOG.md": (_changelog(version, day.isoformat()),),
    }
    texts: dict[Path, str] = {}
    for name, steps in changes.items():
        text = (root / name).read_text()
        try:
            for step in steps:
                text = step(text)
        except ReleaseError as error:
            raise ReleaseError(f"{name}: {error}") from None
        texts[root / name] = text
    return texts


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("python -m docs.release VERSION, as 0.2.0")
    version = sys.argv[1]
    try:
        texts = cut(ROOT, version, datetime.datetime.now(datetime.UTC).date())
    except ReleaseError as error:
        sys.exit(str(error))
    for path, text in texts.items():
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    print(f'next: make test, git commit -am "Version {version}", git tag v{version}, make dist, twine upload dist/*')


if __name__ == "__main__":
    main()
