"""What is shipped: wheel and sdist, the version that one command cuts, the files around them."""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from docs import release
from lidr_plugin import __version__

ROOT = Path(__file__).resolve().parents[1]
NAMED = ("pyproject.toml", "lidr_plugin/__init__.py", "CITATION.cff", "CHANGELOG.md")
TODAY = datetime.date(2027, 1, 31)
INSTALLED = {"lidr_plugin": "lidr_plugin", "cli": "lidr_cli", "recipes": "lidr_recipes"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist of a copy: building leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("release")
    for name in INSTALLED:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / "source" / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(folder / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def test_wheel_and_sdist_are_as_an_index_wants_them(dist: Path) -> None:
    files = sorted(map(str, dist.iterdir()))
    assert [Path(file).suffix for file in files] == [".whl", ".gz"]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_beside_the_modules_is_in_both(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    inside = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    there = [
        path
        for name in INSTALLED
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    names = [str(path.relative_to(ROOT)) for path in there if ".egg-info" not in str(path)]
    names = [
        name
        for name in names
        if name not in ("recipes/generate.py", "recipes/README.md", "lidr_plugin/starter/README.md")
    ]
    assert len(names) > 150
    assert [name for name in names if name not in packed] == []
    assert [name for name in names if re.sub(r"^\w+", lambda match: INSTALLED[match[0]], name) not in inside] == []


def test_what_the_wheel_installs_works_without_the_repository(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}

    def lidr(*words: str) -> str:
        code = "import lidr_cli.main as m, sys; sys.argv[0] = 'lidr'; sys.exit(m.main())"
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert lidr("--version") == f"lidr {__version__}\n"
    lidr("init", "new")
    lidr("store", "import", "run", str(ROOT / "examples/quickstart/completions.jsonl"))
    lidr("build-pairs", str(ROOT / "examples/quickstart/lidr.yaml"), "output_dir=run")
    assert "<title>" in (tmp_path / "run/report.html").read_text()
    assert "llama3-8b/instruction-lora-round1" in lidr("recipes", "ls")
    assert "qlora" in lidr("plan", "new/lidr.yaml", "model_name_or_path=Qwen/Qwen2-7B-Instruct", "--gpus", "1x24")


def copied(folder: Path) -> Path:
    for name in NAMED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_a_version_is_cut_in_all_places_at_once(tmp_path: Path) -> None:
    texts = {
        str(path.relative_to(tmp_path)): text for path, text in release.cut(copied(tmp_path), "9.2.0", TODAY).items()
    }
    assert set(texts) == set(NAMED)
    assert 'version = "9.2.0"' in texts["pyproject.toml"]
    assert '__version__ = "9.2.0"' in texts["lidr_plugin/__init__.py"]
    cited = yaml.safe_load(texts["CITATION.cff"])
    assert (cited["version"], cited["date-released"]) == ("9.2.0", TODAY)
    head = texts["CHANGELOG.md"].partition("### Added")[0]
    assert re.search(r"## \[Unreleased\]\n\n## \[9\.2\.0\] - 2027-01-31\n\n\S", head)
    for path, text in texts.items():
        assert len(text.splitlines()) - len((ROOT / path).read_text().splitlines()) == (
            2 if path == "CHANGELOG.md" else 0
        )
    assert (tmp_path / "pyproject.toml").read_text() == (ROOT / "pyproject.toml").read_text(), (
        "nothing is written by that"
    )


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.1.0", "not newer than"),
        ("0.0.9", "not newer"),
        ("v9.0.0", "three numbers"),
        ("9.0", "three numbers"),
        ("9.0.0rc1", "three"),
    ],
)
def test_what_is_no_newer_version_is_refused(version: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(release.ReleaseError, match=says):
        release.cut(copied(tmp_path), version, TODAY)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("CHANGELOG.md", "## [Unreleased]", "## Soon", "CHANGELOG.md: no line"),
        ("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n## [0.1.9]\n", "CHANGELOG.md: nothing stands under"),
        ("CITATION.cff", "version: ", "vers: ", "CITATION.cff: found 0 lines"),
        ("lidr_plugin/__init__.py", "__version__ = ", "__vers__ = ", "__init__.py: found 0 lines"),
    ],
)
def test_a_file_that_is_not_as_expected_is_named(name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    file = copied(tmp_path) / name
    file.write_text(re.sub(f"^{re.escape(old)}", new, file.read_text(), flags=re.MULTILINE))
    with pytest.raises(release.ReleaseError, match=re.escape(says)):
        release.cut(tmp_path, "9.0.0", TODAY)


def test_the_version_is_one_everywhere() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == __version__
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert {"cff-version", "title", "message", "authors", "license"} <= set(cited)


def test_the_issue_forms_are_forms() -> None:
    forms = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 3
    for form in [yaml.safe_load(path.read_text()) for path in forms]:
        assert {"name", "description", "body"} <= set(form)
        ids = [part["id"] for part in form["body"]]
        assert len(ids) == len(set(ids))
        for part in form["body"]:
            assert part["type"] in ("textarea", "input", "checkboxes", "dropdown")
            assert part["attributes"]["label"]


def test_the_guide_to_contributions_is_ten_lines_a_part_and_names_places_that_there_are() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for part in ("method", "engine", "benchmark"):
        lines = (
            text.partition(f"## Add a{'n' if part == 'engine' else ''} {part}\n")[2]
            .partition("\n## ")[0]
            .strip()
            .splitlines()
        )
        assert 5 <= len(lines) <= 10
    for place in re.findall(r"`((?:lidr_plugin|tests)/[\w/]+\.py)`", text):
        assert (ROOT / place).is_file(), place
