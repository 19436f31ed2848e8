"""A small tree of an HTML page, made with the standard library's parser."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "hr", "input"}
_INLINE = {"a", "abbr", "b", "code", "data", "small", "span", "strong", "tspan"}


@dataclass
class Element:
    """An element with its attributes, its parent and what is in it."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    content: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, with single spaces; blocks stand apart."""
        return " ".join(self._raw_text().split())

    def _raw_text(self) -> str:
        inside = "".join(c if isinstance(c, str) else c._raw_text() for c in self.content)
        return inside if self.tag in _INLINE else f" {inside} "

    def all(self, tag: str = "", css_class: str = "") -> "list[Element]":
        """Elements inside with a tag name and class."""
        return [
            e
            for e in self.walk()
            if tag in ("", e.tag)
            and (not css_class or css_class in e.attributes.get("class", "").split())
        ]

    def one(self, tag: str = "", css_class: str = "") -> "Element":
        """The only such element."""
        (found,) = self.all(tag, css_class)
        return found

    def by_id(self, identifier: str) -> "Element | None":
        """The element with an id."""
        return next((e for e in self.walk() if e.attributes.get("id") == identifier), None)

    def walk(self) -> "Iterator[Element]":
        """Every element inside, in document order."""
        for part in self.content:
            if isinstance(part, Element):
                yield part
                yield from part.walk()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.here = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.content.append(element)
        if tag not in _VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.here.tag != tag:
            raise AssertionError(f"</{tag}> closes <{self.here.tag}>, line {self.getpos()[0]}")
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.content.append(data)


def parse(html: str) -> Element:
    """Parse a page; elements that are not closed in order are an error."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.here is builder.root, f"<{builder.here.tag}> is never closed"
    return builder.root


def sections(page: Element) -> list[str]:
    """Headings of the sections, in order."""
    return [s.all(css_class="section")[0].text for s in page.all("section")]
