"""What the WeChat challenge's two files hold, row by row and cell by cell."""

import re

from data_prep.wechat.fields import (
    EXPOSURE_IDS,
    FEED_ID,
    FEED_IDS,
    LISTS,
    PUBLISHED_DAYS,
    SCORED_LIST,
    SECONDS,
)
from tests.data_prep.references.csv_records import Record
from tests.data_prep.references.own_log import NUMBER, WHITE_SPACE, declared_cells

WHOLE = re.compile(r"[+-]?[0-9]+")
WHOLE_WITH_POINT = re.compile(r"([+-]?[0-9]+)\.0+")
SMALL = "a number from 0 to 1,000,000"
SCORED = "an integer and a score from 0 to 1,000,000, such as 5 0.25"

Fault = tuple[int, str]  # a line and a reason


def whole(text: str | None) -> int | None:
    """The whole number that a text stands for, if int64 can hold it."""
    match = WHOLE_WITH_POINT.fullmatch(text or "")
    text = match[1] if match else text
    if text is None or not WHOLE.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def small(text: str) -> float | None:
    """The number from 0 to a million that a text stands for."""
    value = float(text) if NUMBER.fullmatch(text) else -1.0
    return value if 0 <= value <= 1e6 else None


def read_actions(
    records: list[Record], names: list[str], tasks: list[str]
) -> tuple[list[dict], list[Fault]]:
    """The exposures, and the faulty rows."""
    columns = dict.fromkeys((*EXPOSURE_IDS, FEED_ID, "date_", *tasks))
    return _read(records, names, columns, lambda row: _action(row, tasks))


def read_feeds(
    records: list[Record], names: list[str], max_values: int
) -> tuple[list[dict], list[Fault]]:
    """The feeds, lists cut, and the faulty rows."""
    columns = dict.fromkeys((*FEED_IDS, SECONDS, *LISTS))
    return _read(records, names, columns, lambda row: _feed(row, max_values))


def _read(records, names, columns, convert) -> tuple[list[dict], list[Fault]]:
    rows, faults = [], []
    for record in records:
        row = None
        if len(record.cells) != len(names):
            result = "wrong number of cells"
        else:
            cells = dict(zip(names, record.cells, strict=True))
            row = declared_cells(cells, columns, ("",))
            result = "not UTF-8" if row is None else convert(row)
        if isinstance(result, str):
            faults.append((record.line, result))
        else:
            rows.append(result | {"line": record.line})
    return rows, faults


def _action(row: dict, tasks: list[str]) -> dict | str:
    result = {name: whole(text) for name, text in row.items()}
    for name in (*EXPOSURE_IDS, FEED_ID):
        if result[name] is None:
            return f"{name} is not an integer"
    if result["date_"] not in range(1, PUBLISHED_DAYS + 1):
        return f"date_ is not a day from 1 to {PUBLISHED_DAYS}"
    for task in tasks:
        if result[task] not in (0, 1):
            return f"{task} is not 0 or 1"
    return result


def _feed(row: dict, max_values: int) -> dict | str:
    result = {}
    for name in FEED_IDS:
        result[name] = whole(row[name])
        if result[name] is None and (row[name] is not None or name == FEED_ID):
            return f"{name} is not an integer"
    result[SECONDS] = None
    if row[SECONDS] is not None:
        result[SECONDS] = small(row[SECONDS])
        if result[SECONDS] is None:
            return f"{SECONDS} is not {SMALL}"
    for name in LISTS:
        entries = [entry.strip(WHITE_SPACE) for entry in (row[name] or "").split(";")]
        values = [_entry(name, entry) for entry in entries if entry]
        if None in values:
            return f"{name} is not {SCORED if name == SCORED_LIST else 'an integer'}"
        result[name] = values[:max_values]
    return result


def _entry(name: str, text: str) -> tuple[int, float | None] | None:
    """The id and the score of an entry; None if it is none."""
    if name != SCORED_LIST:
        value = whole(text)
        return None if value is None else (value, None)
    parts = [part for part in re.split(f"[{WHITE_SPACE}]+", text)]
    if len(parts) != 2 or whole(parts[0]) is None or small(parts[1]) is None:
        return None
    return whole(parts[0]), small(parts[1])
