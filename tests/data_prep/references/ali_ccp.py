"""What Ali-CCP's lines hold, character by character."""

import re

import numpy as np

NUMBER = re.compile(r"[ \t\r\v\f]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\r\v\f]*")


def is_id(text: str) -> bool:
    """Whether a text is 1 to 16 digits."""
    return 1 <= len(text) <= 16 and all(character in "0123456789" for character in text)


def is_value(text: str) -> bool:
    """Whether a text of at most 32 characters is a number that float32 can hold."""
    if len(text) > 32 or not NUMBER.fullmatch(text):
        return False
    return abs(float(text)) <= float(np.finfo(np.float32).max)


def read_line(line: bytes, layout, max_values: int, keep_values: bool) -> dict | str:
    """The columns of a line, lists as pairs of id and weight, or what kind of fault it has."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if any(ord(character) > 127 or character == "\0" for character in text):
        return "not ASCII"
    cells = text.split(",")
    if len(cells) != len(layout.cells) + 1:
        return "wrong number of cells"
    *named, feature_list = cells
    row = dict(zip(layout.cells, named, strict=True))
    for name in ("sample_id", "feature_num"):
        if name in row and not is_id(row[name]):
            return f"malformed {name}"
    for name in ("click", "conversion"):
        if name in row:
            if row[name] not in ("0", "1"):
                return f"malformed {name}"
            row[name] = int(row[name])
    index = row["common_feature_index"]
    if index == "" or any(character in index for character in "\x01\x02\x03"):
        return "malformed common_feature_index"
    multiple = {field.raw_name: field.multiple for field in layout.fields}
    found: dict[str, list] = {}
    entries = feature_list.split("\x01") if feature_list else []
    for entry in entries:
        match = re.fullmatch("([^\x02]*)\x02([^\x02\x03]*)\x03([^\x02\x03]+)", entry, re.DOTALL)
        if match is None:
            return "malformed entry"
        field, number, value = match.groups()
        if field not in multiple:
            return "unknown field"
        if not is_id(number):
            return "malformed entry"
        if field in found and not multiple[field]:
            return "repeated field"
        if keep_values and multiple[field] and not is_value(value):
            return "malformed entry"
        weight = float(np.float32(float(value))) if keep_values and multiple[field] else None
        found.setdefault(field, []).append((int(number), weight))
    if int(row.pop("feature_num")) != len(entries):
        return "wrong feature_num"
    row.pop("sample_id", None)
    for field in layout.fields:
        values = found.get(field.raw_name, [])
        if field.multiple:
            row[field.name] = values[:max_values]
        else:
            row[field.name] = values[0][0] if values else -1
    return row


def read_log(
    commons: bytes, skeletons: bytes, layouts, max_values: int, keep_values: bool
) -> tuple[list[dict], list[tuple[dict, int]], list[tuple[int, int, str]]]:
    """Users, exposures with the number of their user, and faults (file 0 or 1, line, kind)."""
    faults: list[tuple[int, int, str]] = []
    users: list[dict] = []
    number_of: dict[str, int] = {}
    exposures = []
    for file, (content, layout) in enumerate(zip((commons, skeletons), layouts, strict=True)):
        lines = content.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        for number, line in enumerate(lines, start=1):
            row = read_line(line, layout, max_values, keep_values)
            if isinstance(row, str):
                faults.append((file, number, row))
                continue
            index = row["common_feature_index"]
            if file == 0 and index in number_of:
                faults.append((file, number, "repeated common_feature_index"))
            elif file == 0:
                number_of[index] = len(users)
                users.append(row)
            elif index not in number_of:
                faults.append((file, number, "unknown common_feature_index"))
            else:
                exposures.append((row, number_of[index]))
    return users, exposures, faults
