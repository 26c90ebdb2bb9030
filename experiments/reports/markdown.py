"""The Markdown of a page's parts, and the escaping of text for it."""

import re
from collections.abc import Iterable, Sequence


class Trusted(str):
    """Words of this project, none of them from data, that are Markdown already."""


def escape(text: str) -> str:
    """Returns text that Markdown takes literally, on one line; `Trusted` text as it is."""
    if isinstance(text, Trusted):
        return text
    return re.sub(r"([\\|*`\[\]]|[<&](?=\S)|^[#>]|\b_|_\b)", r"\\\1", " ".join(text.split()))


def bullets(sentences: Iterable[str]) -> str:
    """Returns a list with an item for each sentence."""
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def table(header: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[bool]) -> str:
    """Returns a table, padded so that it reads well as plain text too.

    Args:
      header: the columns' headings.
      lines: the cells, line by line.
      left: Whether each column is aligned to the left; the others are to the right.
    """
    lines = [[escape(cell) for cell in line] for line in (header, *lines)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    columns = list(zip(widths, left, strict=True))
    lines.insert(1, ["-" * width if left else "-" * (width - 1) + ":" for width, left in columns])
    padded = (
        [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, (width, left) in zip(line, columns, strict=True)
        ]
        for line in lines
    )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)
