"""Builds the site of the documents: the pages of docs/ and those of the repository that they lead to, checked link by link.

python -m docs.site            into build/site
python -m docs.site FOLDER     elsewhere; the pages as they were put together lie in FOLDER/docs, the site in FOLDER/site
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CONFIG = ROOT / "zensical.toml"
ELSEWHERE: Mapping[str, str] = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "recipes/README.md": "recipes.md",
    "examples/world/README.md": "examples/world.md",
    "examples/experiment/README.md": "examples/experiment.md",
    "examples/notebook/README.md": "examples/notebook.md",
    "examples/cluster/README.md": "examples/cluster.md",
}
"""Documents outside of docs/ that are pages of the site."""
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


class SiteError(Exception):
    """The site cannot be built, or a link of it leads nowhere."""


class Page(NamedTuple):
    """A page as the navigation has it."""

    section: str
    title: str
    path: str


def configuration() -> str:
    """zensical's. Pages that nobody has given a place stand in a section at the end, so that a new one is never lost."""
    text = CONFIG.read_text()
    further = {page: path for page, path in sources().items() if f'"{page}"' not in text}
    if not further:
        return text
    entries = "".join(f"    {{ {json.dumps(_title(path))} = {json.dumps(page)} }},\n" for page, path in further.items())
    start, end, rest = text.partition("\n]\n")
    return f'{start}\n  {{ "Further" = [\n{entries}  ] }},{end}{rest}'


def _title(path: Path) -> str:
    return path.read_text().partition("\n")[0].lstrip("# ")


def pages() -> list[Page]:
    """All pages, in the order of the navigation."""
    found: list[Page] = []
    for entry in tomllib.loads(configuration())["project"]["nav"]:
        ((section, below),) = entry.items()
        if isinstance(below, str):
            found.append(Page("", section, below))
        else:
            found += [Page(section, *next(iter(page.items()))) for page in below]
    return found


def sources() -> dict[str, Path]:
    """The file of each page, by the page's path in the site; what a generator only reads (`*.head.md`) is none."""
    own = {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md")) if ".head." not in path.name}
    return own | {page: ROOT / path for path, page in ELSEWHERE.items() if (ROOT / path).exists()}


def staged(folder: Path) -> None:
    """The pages with links among themselves; a file of the repository that one of them names is put beside them."""
    places = {path.resolve(): page for page, path in sources().items()}
    shutil.rmtree(folder, ignore_errors=True)
    for page, path in sources().items():
        up = "../" * page.count("/")

        def led(match: re.Match[str], path: Path = path, up: str = up) -> str:
            target = match[1]
            if urlsplit(target).scheme:
                return target
            file = (path.parent / target).resolve()
            if file in places:
                return up + places[file]
            if not file.is_file():
                raise SiteError(f"{path.relative_to(ROOT)}: {target} is no file")
            beside = file.relative_to(DOCS) if file.is_relative_to(DOCS) else "source" / file.relative_to(ROOT)
            (folder / beside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / beside)
            return f"{up}{beside}"

        parts = _FENCE.split(path.read_text())  # what is shown as code has no links
        text = "".join(part if number % 2 else _LINK.sub(led, part) for number, part in enumerate(parts))
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(text)


def _summary(text: str) -> str:
    """The first sentence of a page, without marks."""
    paragraphs = [part for part in text.split("\n\n") if part.strip() and part.strip()[0] not in "#|`!<-"]
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraphs[0].split()) if paragraphs else "")
    return re.split(r"(?<=[.?!:]) ", words.replace("*", "").replace("`", ""))[0].rstrip(":")


def llms_txt(folder: Path) -> str:
    """The list of pages for language models (llmstxt.org); each page lies beside it as Markdown, too."""
    project = tomllib.loads(CONFIG.read_text())["project"]
    lines, section = [f"# {project['site_name']}", "", f"> {project['site_description']}"], None
    for page in pages():
        if page.section != section:
            section = page.section
            lines += ["", f"## {section or 'Start'}", ""]
        lines.append(f"- [{page.title}]({page.path}): {_summary((folder / page.path).read_text())}")
    return "\n".join(lines) + "\n"


class _Links(HTMLParser):
    """What a page leads to, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


def broken(site: Path) -> Iterator[str]:
    """Links within the site whose file or place is not there, and what a page would load from elsewhere."""
    read = {path: _Links(path.read_text()) for path in site.rglob("*.html")}
    for page, links in read.items():
        if page.name == "404.html":  # served for any address, so its links begin at the site's own
            continue
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if file.is_dir():
                file /= "index.html"
            place = unquote(parts.fragment)
            if not file.is_file() or (place and file in read and place not in read[file].ids):
                yield f"{page.relative_to(site)}: {target}"


def build(folder: Path) -> Path:
    """The site in `folder`/site.

    Raises:
        SiteError: the navigation names a page that is not there, a link leads nowhere, or zensical has something to say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staged(folder / "docs")
    if lost := {page.path for page in pages()} - set(sources()):
        raise SiteError(f"zensical.toml: no such page: {', '.join(sorted(lost))}")
    (folder / CONFIG.name).write_text(configuration())
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SiteError(done.stdout + done.stderr)
    site = folder / "site"
    for page in sources():
        (site / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "docs" / page, site / page)
    (site / "llms.txt").write_text(llms_txt(folder / "docs"))
    if dead := sorted(broken(site)):
        raise SiteError("links that lead nowhere:\n" + "\n".join(dead))
    return site


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/docs"
    try:
        print(build(folder.absolute()) / "index.html")
    except SiteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
