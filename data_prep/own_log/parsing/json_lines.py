"""A file with a JSON object in every line."""

import codecs
import decimal
import functools
import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import cleaned
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.parsing.chunks import Chunk, not_text, reading
from data_prep.own_log.parsing.first_bytes import unpacked
from data_prep.own_log.parsing.flat_objects import FlatObjects
from data_prep.own_log.parsing.remote import RawPath
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import DatasetError

BLOCK_BYTES = 8 << 20  # of text a chunk, and at most of a line
_NAMED_BYTES = 1 << 18  # of text in which names of columns are looked for at a time
_MOST_ZEROS = 40  # which a number is written with in the place of its exponent
_BOM = b"\xef\xbb\xbf"
_is_number = re.compile("-?[0-9][0-9.eE+-]*").fullmatch

Faults = dict[int, tuple[str, str]]  # by the number of the line, the reason and what is wrong


class JsonLinesFile:
    """A file of JSON lines, packed or not; `names` are the keys of its objects.

    A key that a row lacks is a missing value. All values come as text: numbers in their shortest
    form, lists as JSON writes them, which is how a cell of a CSV file may hold them too.

    Args:
      path: Path of the file.
      selection: what is read of it.

    Raises:
      DatasetError: It cannot be read, or no line is an object.
    """

    def __init__(self, path: RawPath, selection: Selection):
        self.path = path
        self.bytes = path.stat().st_size
        self._selection = selection
        self._encoding = selection.options.encoding
        names: dict[str, None] = {}
        wanted = set(selection.columns).difference(selection.elsewhere)
        with reading(path), path.open("rb") as raw:
            for number, lines in self._blocks(unpacked(raw), min(_NAMED_BYTES, BLOCK_BYTES)):
                for row in self._objects(number, lines, {}).values():
                    names |= dict.fromkeys(row)
                if wanted <= names.keys():
                    break
        if not names:
            raise DatasetError(
                f"{path} begins like JSON lines, and no line is a JSON object with a key; write "
                "one object a line"
            )
        self.names = tuple(names)

    def chunks(self, bad_rows: BadRows, progress: Progress) -> Iterator[Chunk]:
        """Yields all rows, except lines that are no objects or whose cells are no single values.

        Raises:
          DatasetError: the file is damaged, or has more bad rows than tolerated.
        """
        done = 0
        names = self._selection.among(self.names)
        flat = None
        if names and codecs.lookup(self._encoding).name == "utf-8":
            flat = FlatObjects(names, self._selection.lists, _cell)
        with reading(self.path), self.path.open("rb") as raw:
            for number, lines in self._blocks(unpacked(raw), BLOCK_BYTES):
                faults: Faults = {}
                read = None
                if flat is not None:
                    read = flat(lines).with_columns(pl.col("position") + number)
                    lines = _without(lines, read["position"].to_numpy() - number)
                rows = self._objects(number, lines, faults)
                yield self._chunk(rows, read, faults, bad_rows)
                progress(raw.tell() - done)
                done = raw.tell()

    def _blocks(self, file, size: int) -> Iterator[tuple[int, list[bytes]]]:
        """Yields the lines of about `size` bytes at a time, and the number of the first one."""
        number, rest = 1, b""
        while data := file.read(size):
            data = data.removeprefix(_BOM) if number == 1 and not rest else data
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            if len(rest) > BLOCK_BYTES:
                raise DatasetError(
                    f"{self._place(number + len(lines))}: a line of more than {BLOCK_BYTES:,} "
                    "bytes; write one object a line"
                )
            if lines:
                yield number, lines
            number += len(lines)
        if rest:
            yield number, [rest]

    def _objects(self, first: int, lines: Sequence[bytes], faults: Faults) -> dict[int, dict]:
        """Returns the objects of lines by the numbers of the lines; blank lines are no rows."""
        rows = {}
        for number, line in enumerate(lines, start=first):
            try:
                row = _decode(line.decode(self._encoding))
                if type(row) is dict:
                    rows[number] = row
                else:
                    faults[number] = "not JSON", "the line is no JSON object"
            except UnicodeDecodeError:
                faults[number] = not_text(self._encoding)
            except json.JSONDecodeError as error:
                if line.strip():
                    what = f"{error.msg} at character {error.pos + 1} of a JSON object"
                    faults[number] = "not JSON", what
            except (RecursionError, ValueError):
                faults[number] = "not JSON", "the line is no JSON object that can be read"
        return rows

    def _chunk(
        self, rows: dict[int, dict], read: pl.DataFrame | None, faults: Faults, bad_rows: BadRows
    ) -> Chunk:
        """Makes a chunk of objects, and of the cells of other lines that have been read already."""
        numbers: Sequence[int] = list(rows)
        columns = {}
        for name in self._selection.among(self.names):
            cells = [row.get(name) for row in rows.values()]
            if not set(map(type, cells)) <= {str, type(None)}:
                self._as_text(name, cells, numbers, faults)
            for row in _not_text(cells):
                reason, what = not_text("UTF-8")
                faults.setdefault(numbers[row], (reason, f"column {name!r}: {what}"))
                cells[row] = None
            columns[name] = cells
        for number, (reason, what) in sorted(faults.items()):
            bad_rows.add(reason, functools.partial(self._place, number), what)
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        if faults:
            good = [row for row, number in enumerate(numbers) if number not in faults]
            frame, numbers = frame[good], [numbers[row] for row in good]
        if read is not None and read.height:
            frame = frame.with_columns(position=pl.Series(numbers, dtype=pl.Int64))
            frame = pl.concat([read, frame]) if frame.height else read
            frame = frame.sort("position") if numbers else frame
            numbers = frame["position"].to_list()
            frame = frame.drop("position")
        frame = cleaned(frame, self._selection.options.missing_values)
        return Chunk(frame, lambda row: self._place(int(numbers[row])))

    def _as_text(self, name: str, cells: list, numbers: Sequence[int], faults: Faults) -> None:
        """Writes truth values and lists as text, in place, and notes what cannot be a cell."""
        for row, cell in enumerate(cells):
            if cell is True or cell is False:
                cells[row] = str(cell).lower()
            elif type(cell) in (list, dict):
                refusal = self._refusal(name, cell)
                cells[row] = None if refusal else _list(cell)
                if refusal is not None:
                    what = f"column {name!r} holds {refusal}"
                    faults.setdefault(numbers[row], ("not a single value", what))

    def _refusal(self, name: str, cell: list | dict) -> str | None:
        """Says what a cell is that cannot be read, and what to do; None if it can."""
        if type(cell) is dict:
            return "an object, expected a value; write each part that matters under a key"
        if name not in self._selection.lists:
            return "a list, expected a single value; declare a multi_categorical field of it"
        if any(type(item) in (list, dict) for item in cell):
            return "a list of lists or objects; write lists of single values"
        return None

    def _place(self, number: int) -> str:
        return f"{self.path}, line {number}"


def _number(text: str) -> str:
    """Returns a number with a point or an exponent as its shortest text, 1000 for 1e3."""
    if "e" in text or "E" in text:
        number = decimal.Decimal(text)
        if abs(number.adjusted()) > _MOST_ZEROS:
            return text
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_decode = json.JSONDecoder(parse_float=_number, parse_int=str, parse_constant=str).decode


def _list(items: list[str | bool | None]) -> str:
    """Returns a list as JSON writes it, numbers without quotes if it has nothing else."""
    numbers = [item for item in items if isinstance(item, str) and _is_number(item)]
    if len(numbers) == len(items):
        return f"[{', '.join(numbers)}]"
    return json.dumps(items, ensure_ascii=False)


def _cell(value: str) -> str:
    """Returns what a cell has of a number or a list."""
    decoded = _decode(value)
    return decoded if type(decoded) is str else _list(decoded)


def _without(lines: list[bytes], positions: np.ndarray) -> list[bytes]:
    """Returns lines, blank ones in the place of some."""
    left = np.ones(len(lines), bool)
    left[positions] = False
    if not left.any():
        return []
    blank: list[bytes] = [b""] * len(lines)
    for position in np.flatnonzero(left).tolist():
        blank[position] = lines[position]
    return blank


def _not_text(cells: Sequence[str | None]) -> list[int]:
    """Returns which cells hold half of a character, which JSON can write and no text has."""
    try:
        "".join(filter(None, cells)).encode()
    except UnicodeEncodeError:
        return [n for n, cell in enumerate(cells) if cell and re.search("[\ud800-\udfff]", cell)]
    return []
