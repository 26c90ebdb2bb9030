"""A page as one structure that is written as HTML, as Markdown and as CSV."""

import csv
import dataclasses
import functools
import io
import pathlib
from collections.abc import Sequence
from typing import Literal

import jinja2

from dcrnn_tf.system.whole_file import whole_file
from experiments.reports.blocks import Block
from experiments.reports.grid import Grid
from experiments.reports.markdown import escape


@dataclasses.dataclass(frozen=True)
class Section:
    """Blocks under a heading.

    Attributes:
      heading: above the blocks; none if empty.
      blocks: Blocks from top to bottom; a string is a paragraph.
      only: the one form of the page that has the section; both if empty.
    """

    heading: str
    blocks: Sequence[Block | str]
    only: Literal["", "html", "markdown"] = ""

    @classmethod
    def of(cls, grid: Grid) -> "Section":
        """Returns the section of a grid, under its title."""
        return cls(grid.title, [grid])

    def markdown(self) -> str:
        """Returns the heading and the blocks that Markdown holds; nothing if there is none."""
        texts = [escape(b) if isinstance(b, str) else b.markdown() for b in self.blocks]
        text = "\n\n".join(filter(None, texts))
        return f"## {escape(self.heading)}\n\n{text}" if text and self.heading else text


@dataclasses.dataclass(frozen=True)
class Document:
    """A page.

    Attributes:
      title: heading of the page.
      lead: first section; Markdown has it right below the title, without its heading.
      sections: the other sections.
      warning: words that must stand above everything, such as "Simulated data".
      remark: sentence behind the warning.
      source: What the page is modelled on, such as "Published figures: a paper".
      incomplete: Clauses that each name something the page lacks.
      data: the values behind the page, for CSV.
    """

    title: str
    lead: Section
    sections: Sequence[Section] = ()
    warning: str = ""
    remark: str = ""
    source: str = ""
    incomplete: Sequence[str] = ()
    data: Grid | None = None

    def html(self) -> str:
        """Returns an HTML page that needs no other file."""
        sections = [self.lead, *self.sections]
        shown = [section for section in sections if section.blocks and section.only != "markdown"]
        return _template().render(page=self, sections=shown)

    def markdown(self) -> str:
        """Returns a Markdown page, which reads well as plain text too."""
        remark = f" {escape(self.remark)}" if self.remark else ""
        parts = [
            f"**{escape(self.warning)}.**{remark}" if self.warning else "",
            f"# {escape(self.title)}",
            f"**Incomplete.** {escape('; '.join(self.incomplete))}." if self.incomplete else "",
            dataclasses.replace(self.lead, heading="").markdown(),
            f"{escape(self.source)}." if self.source else "",
            *(section.markdown() for section in self.sections if section.only != "html"),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

    def csv(self) -> str:
        """Returns a line for each record of the data; a value that does not exist is empty.

        Raises:
          ValueError: The page has no data.
        """
        if self.data is None:
            raise ValueError(f"the page {self.title!r} has no data for CSV; give it some")
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.data.keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.data.records())
        return text.getvalue()

    def write(self, *paths: str | pathlib.Path) -> None:
        """Writes the page to each path, in the form that its suffix names."""
        forms = {".html": self.html, ".md": self.markdown, ".csv": self.csv}
        for path in map(pathlib.Path, paths):
            text = forms[path.suffix]()
            with whole_file(path, newline="") as file:
                file.write(text)


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")
