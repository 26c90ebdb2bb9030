"""Grids: values under typed columns, which say how the values are printed and recorded."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from experiments.reports import markdown, words


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a grid; its subclasses are the types that columns have.

    Attributes:
      label: heading of the column.
      of: function that gives the value of an item, or the value's key in a mapping; for `Grid.of`.
      key: Name of the column in records; `label` if empty.
      missing: Text that is printed where there is no value.
    """

    is_text: ClassVar[bool] = False

    label: str
    of: Callable[[Any], object] | str = ""
    key: str = dataclasses.field(default="", kw_only=True)
    missing: str = dataclasses.field(default=words.NOT_AVAILABLE, kw_only=True)

    def value(self, item: Any) -> object:
        """Returns the column's value of an item."""
        return item.get(self.of) if isinstance(self.of, str) else self.of(item)

    def through(self, get: Callable[[Any], Any]) -> "Column":
        """Returns the column of items whose `get` is what this column takes its values from."""
        return dataclasses.replace(self, of=lambda item: self.value(get(item)))

    def printed(self, value: object) -> str:
        """Returns a value as it is printed; a string in a column of numbers is printed as it is."""
        if value is None:
            return self.missing
        return value if isinstance(value, str) else self._print(value)

    def record(self, value: object) -> Mapping[str, object]:
        """Returns what records hold of a value, by their keys."""
        return {self.key or self.label: value}

    def _print(self, value: Any) -> str:
        return str(value)


@dataclasses.dataclass(frozen=True)
class Text(Column):
    """A column of words, and of numbers that are names; aligned to the left."""

    is_text: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True)
class Number(Column):
    """A column of numbers, aligned to the right.

    Attributes:
      form: format of the numbers, or a function that prints one.
    """

    form: str | Callable[[Any], str] = ""

    def _print(self, value: Any) -> str:
        return format(value, self.form) if isinstance(self.form, str) else self.form(value)


@dataclasses.dataclass(frozen=True)
class Interval(Number):
    """A column of pairs of numbers, the low and the high end of an interval."""

    def record(self, value: object) -> Mapping[str, object]:
        """Returns the ends under the keys `KEY_low` and `KEY_high`."""
        low, high = value if isinstance(value, tuple) else (None, None)
        key = self.key or self.label
        return {f"{key}_low": low, f"{key}_high": high}

    def _print(self, value: Any) -> str:
        return " to ".join(super(Interval, self)._print(end) for end in value)


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table of a page.

    Attributes:
      title: Subject of the table.
      columns: the columns.
      lines: the values, line by line.
    """

    kind: ClassVar[str] = "grid"

    title: str
    columns: Sequence[Column]
    lines: Sequence[Sequence[object]]

    @classmethod
    def of(cls, title: str, columns: Sequence[Column], items: Iterable[Any]) -> "Grid":
        """Returns a grid with a line for each item, whose values the columns' functions give."""
        return cls(title, columns, [[column.value(item) for column in columns] for item in items])

    @property
    def header(self) -> tuple[str, ...]:
        """The columns' headings."""
        return tuple(column.label for column in self.columns)

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The values as they are printed, line by line."""
        return tuple(
            tuple(column.printed(value) for column, value in zip(self.columns, line, strict=True))
            for line in self.lines
        )

    @property
    def keys(self) -> list[str]:
        """The keys of records."""
        return [key for column in self.columns for key in column.record(None)]

    def repeats(self, line: int) -> bool:
        """Returns whether a line is about the same thing as the one above.

        The first of several columns of words then says the same as above.
        """
        several = all(column.is_text for column in self.columns[:2])
        return several and line > 0 and self.lines[line][0] == self.lines[line - 1][0]

    def records(self) -> Iterator[dict[str, object]]:
        """Yields the values of each line by their columns' keys."""
        for line in self.lines:
            record: dict[str, object] = {}
            for column, value in zip(self.columns, line, strict=True):
                record |= column.record(value)
            yield record

    def markdown(self) -> str:
        """Returns the grid as a Markdown table."""
        left = [column.is_text for column in self.columns]
        return markdown.table(self.header, self.cells, left)
