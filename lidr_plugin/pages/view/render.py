"""The pages of `lidr view` as HTML. Every text of a run is escaped by the template; no style and no script stands in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import NamedTuple
from urllib.parse import urlencode

import jinja2

from lidr_plugin import __version__, languages
from lidr_plugin.pages.view.chain import Chain
from lidr_plugin.pages.view.difference import Part, parts_of
from lidr_plugin.pages.view.found import State
from lidr_plugin.pages.view.items import Item
from lidr_plugin.pages.view.library import MARKED, Listed, Shown, allowed
from lidr_plugin.pages.view.words import terms_of

_TITLES = {
    "kind": "Kind",
    "round": "Round",
    "language": "Language",
    "reason": "Reason, benchmark",
    "source": "Source",
    "length": "Characters",
    "score": "Score: chosen less rejected",
}
_KINDS = {"pair": "pairs", "row": "rows", "rejected": "rejected", "answers": "answers of models"}


@dataclass(frozen=True, slots=True)
class View:
    """What a person asks to see: words, facets by name, where the list begins, and the item beside it."""

    said: str = ""
    facets: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    item: int = 0
    different: bool = False

    def address(self, **changes: str | int) -> str:
        """The address of this view with other values; an empty one leaves its name out."""
        values: dict[str, str | int] = {"q": self.said, **self.facets, "after": self.after, **changes}
        return "/?" + urlencode({name: value for name, value in values.items() if value}, errors="replace")


class _Shade(NamedTuple):
    """A stretch of a text, and how it is shown: plainly, as what was looked for (`found`), or as only here (`own`)."""

    text: str
    shade: str = ""


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(language=_language, source=_source)
    environment.globals.update(allowed=allowed, direction=_direction, label=_label)
    template = (resources.files("lidr_plugin.pages.view") / "view.html").read_text(encoding="utf-8")
    return environment.from_string(template)


class Renderer:
    """Makes the pages of one run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._template = _template()

    def page(self, view: View, listed: Listed, shown: Shown | None, state: State, reading: bool, problem: str) -> str:
        """The whole page: search, facets, list, and one item."""
        return self._template.render(
            part="page",
            name=self._name,
            version=__version__,
            view=view,
            listed=listed,
            titles=_TITLES,
            marked=MARKED,
            state=state,
            reading=reading,
            problem=problem,
            snippet=lambda text: _found(text[:240], view.said),
            **(self._item(shown, view.said, view.different) if shown else {"shown": None}),
        )

    def item(self, shown: Shown, said: str, different: bool) -> str:
        """One item alone, to be put into the page."""
        return self._template.render(part="item", **self._item(shown, said, different))

    def chain(self, item: Item, chain: Chain) -> str:
        """The requests and answers of an item, likewise."""
        return self._template.render(part="chain", item=item, chain=chain)

    def _item(self, shown: Shown, said: str, different: bool) -> dict[str, object]:
        texts = [side.text for side in shown.item.sides]
        parts = parts_of(*texts) if different and len(texts) == 2 else None
        sides = [_shades(found) for found in parts] if parts else [_found(text, said) for text in texts]
        return {
            "shown": shown,
            "prompt": _found(shown.item.prompt, said),
            "sides": list(zip(shown.item.sides, sides, strict=True)),
            "different": different,
            "incomparable": different and parts is None,
        }


def _shades(parts: list[Part]) -> list[_Shade]:
    return [_Shade(part.text, "" if part.shared or part.text.isspace() else "own") for part in parts]


def _found(text: str, said: str) -> list[_Shade]:
    """A text with what was looked for marked in it."""
    words = [re.escape(term.text) for term in terms_of(said) if not term.absent and term.text]
    return list(_cut(text, re.compile("|".join(words), re.IGNORECASE))) if words else [_Shade(text)]


def _cut(text: str, pattern: "re.Pattern[str]") -> Iterator[_Shade]:
    end = 0
    for match in pattern.finditer(text):
        yield _Shade(text[end : match.start()])
        yield _Shade(match[0], "found")
        end = match.end()
    yield _Shade(text[end:])


def _language(code: str) -> str:
    """A language's name; of an unknown one the code."""
    return languages.name_of(code) if languages.is_known(code) else code


def _direction(code: str, exact: bool) -> str:
    """Of a text in a language: as it is written; of a text that may be in any, as its first letter is."""
    return "rtl" if exact and code.partition("-")[0].lower() in languages.RIGHT_TO_LEFT else "auto"


def _source(source: str) -> str:
    """`translation:en->de` in plainer signs."""
    return source.replace(":", " ", 1).replace("->", " → ")


def _label(facet: str, value: str) -> str:
    """A facet's value in words."""
    match facet:
        case "kind":
            return _KINDS.get(value, value)
        case "language":
            return _language(value)
        case "source":
            return _source(value)
        case "length" | "score":
            return value[2:]  # the digit before is for their order
    return value.replace("_", " ")
