"""A CSV file's records, character by character."""

import dataclasses

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclasses.dataclass(frozen=True)
class Record:
    """One record: the number of its first line, from 1, its cells, and its length in bytes."""

    line: int
    cells: list[bytes]
    bytes: int


def read_records(data: bytes, separator: str, quoted: bool) -> tuple[list[Record], bool]:
    """Reads all records, and whether a quote is left open at the end; blank lines are none.

    A quote opens where a cell begins; two of them within are one; what follows the closing one up
    to the separator belongs to the cell. A line ends in LF, CR LF or CR.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    between = separator.encode()
    records = []
    place, line = 0, 1
    while place < len(data):
        start, first_line = place, line
        cells, cell = [], bytearray()
        inside, cell_begins, ended, any_character = False, True, False, False
        while place < len(data) and not ended:
            character = data[place]
            place += 1
            following = data[place] if place < len(data) else -1
            if character in b"\r\n" and not (character == 13 and following == 10):
                line += 1
            if inside:
                if character != ord('"'):
                    cell.append(character)
                elif following == ord('"'):
                    cell.append(character)
                    place += 1
                else:
                    inside = False
                continue
            if character in b"\r\n":
                if character == 13 and following == 10:
                    place += 1
                    line += 1
                ended = True
                continue
            any_character = True
            if quoted and cell_begins and character == ord('"'):
                inside = True
            elif data.startswith(between, place - 1):
                place += len(between) - 1
                cells.append(bytes(cell))
                cell = bytearray()
                cell_begins = True
                continue
            else:
                cell.append(character)
            cell_begins = False
        if any_character:
            records.append(Record(first_line, [*cells, bytes(cell)], place - start))
        if inside:
            return records, True
    return records, False
