"""Reads ``report.html`` without a browser: its tables, plots and sentences, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Element", "ReadPage", "read_page"]

_VOID = frozenset({"meta", "link", "br", "img", "input", "hr", "line", "rect", "circle", "polyline", "path"})


@dataclass
class Element:
    """An element: its name, attributes, and what is in it, texts among it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All texts in it, with the runs of spaces between them as one."""
        parts = (each if isinstance(each, str) else each.text for each in self.inside)
        return " ".join("".join(parts).split())

    def every(self, name: str, kind: str = "") -> list[Element]:
        """Return the elements of a name, at any depth, and of a class if it is given."""
        found = []
        for each in self.inside:
            if isinstance(each, Element):
                if each.name == name and (not kind or kind in each.attributes.get("class", "").split()):
                    found.append(each)
                found += each.every(name, kind)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(made)
        if tag not in _VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"{tag} ends within {self.open[-1].name}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


@dataclass(frozen=True)
class ReadPage:
    """A page: every element under ``root``."""

    root: Element

    def table(self, title: str) -> list[dict[str, str]]:
        """Return the rows of the table of a title, each a mapping of its heads to its cells."""
        (found,) = (each for each in self.root.every("table") if each.every("caption")[0].text == title)
        heads = [each.text for each in found.every("th")]
        rows = [[cell.text for cell in row.every("td")] for row in found.every("tr")[1:]]
        return [dict(zip(heads, row, strict=True)) for row in rows]

    @property
    def titles(self) -> list[str]:
        """The titles of all tables."""
        return [each.text for each in self.root.every("caption")]

    def plot(self, name: str) -> Element:
        """Return the plot whose ids begin with a name."""
        (found,) = (
            each for each in self.root.every("svg") if each.attributes["aria-labelledby"].startswith(f"{name}-t ")
        )
        return found


def read_page(text: str) -> ReadPage:
    """Read a page; elements that do not end where they should are an error."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, f"{reader.open[-1].name} does not end"
    return ReadPage(reader.root)
