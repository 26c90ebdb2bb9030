"""The blocks of a page: lists, facts, pictures and links; grids have a module of their own.

A block prints itself as Markdown; what Markdown cannot hold is empty there. Its `kind` is the name
of the macro in `page.html.jinja` that prints it as HTML. A string is a paragraph.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Protocol

from experiments.reports import markdown


class Block(Protocol):
    """A part of a section."""

    kind: ClassVar[str]

    def markdown(self) -> str:
        """Returns the block as Markdown, or an empty string."""


@dataclasses.dataclass(frozen=True)
class Bullets:
    """A list of sentences, in small print if `small`."""

    kind: ClassVar[str] = "bullets"

    sentences: Sequence[str]
    small: bool = False

    def markdown(self) -> str:
        """Returns the list."""
        return markdown.bullets(self.sentences)


@dataclasses.dataclass(frozen=True)
class Facts:
    """Pairs of a name and what is to be said of it."""

    kind: ClassVar[str] = "facts"

    pairs: Sequence[tuple[str, str]]

    def markdown(self) -> str:
        """Returns the pairs as a list."""
        return markdown.bullets(f"{name}: {value}" for name, value in self.pairs)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image as a data URI, and what it shows in words."""

    description: str
    image: str


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures side by side, below a caption in small print; Markdown holds neither."""

    kind: ClassVar[str] = "pictures"

    pictures: Sequence[Picture]
    caption: str = ""

    def markdown(self) -> str:
        """Returns nothing: a Markdown page is one file, and read as plain text."""
        return ""


@dataclasses.dataclass(frozen=True)
class Links:
    """Pairs of a name and its `(text, address)`es, relative to the HTML page."""

    kind: ClassVar[str] = "links"

    pairs: Sequence[tuple[str, Sequence[tuple[str, str]]]]

    def markdown(self) -> str:
        """Returns nothing: the links lead from one HTML page to another."""
        return ""
