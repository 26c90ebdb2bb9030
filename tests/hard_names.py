"""A small log whose fields, tasks and name are hard for graphs, files, pages and Python."""

import pathlib

import numpy as np
import polars as pl

from data_prep.own_log.declaration import Declaration, parse_declaration

DATASET = "店铺 <b>/..:日志"
NAMES = (
    *("class", "lambda", "None", "self", "training", "inputs", "mask", "name", "examples"),
    *("Item", "item", "ITEM", "item_2", "a", "a_ids", "a_mask", "a/values", "a/row_lengths"),
    *("商品类目", "الفئة", "می‌خواهم", "👨‍👩‍👧", "caf\u00e9", "cafe\u0301", "u5546u54c1u7c7bu76ee"),
    *("_id", "__x", "2nd", "with space", " ends ", "a.b", "..", "1/2:3\\4", "%s%d", "100%", "con"),
    *(
        "\"quoted\" 'names'",
        "[list]{dict}(call)",
        "<b>bold</b>&amp;",
        "|pipe|`code`*",
        "$x^2$",
        "é,=;",
    ),
    *("x" * 300, "类" * 200, "labels of the batch", "\u3000wide\u00a0space"),
)
FEW = (
    "class",
    "self",
    "Item",
    "item",
    "商品类目",
    "_id",
    "a/values",
    "<b>bold</b>&amp;",
    "x" * 300,
)
TASKS = ("点击", "buy <i>now</i>/|$x_1", "Class", "class ")
ROWS = 400


def raw_rows() -> pl.DataFrame:
    """The log, with a column for each field and task in their order."""
    random = np.random.default_rng(5)
    columns = {"day": np.arange(ROWS) % 4}
    for number in range(len(NAMES)):
        if number % 3 == 0:
            columns[f"f{number}"] = random.integers(0, 5, ROWS)
        elif number % 3 == 1:
            columns[f"f{number}"] = random.normal(size=ROWS).round(3)
        else:
            lists = random.integers(0, 5, (ROWS, 2)).astype(str)
            columns[f"f{number}"] = [";".join(one[: n % 3]) for n, one in enumerate(lists)]
    for number in range(len(TASKS)):
        columns[f"t{number}"] = random.integers(0, 2, ROWS)
    columns["f1"] = np.arange(ROWS) / 8  # tells the rows apart
    columns["t1"] *= columns["t0"]
    return pl.DataFrame(columns)


def declaration(folder: pathlib.Path) -> Declaration:
    """Writes the log into a folder, and declares it."""
    raw_rows().write_csv(folder / "rows.csv")
    kinds = ("categorical", "numeric", "multi_categorical")
    fields: dict[str, dict] = {}
    for number, name in enumerate(NAMES):
        fields[name] = {"kind": kinds[number % 3], "column": f"f{number}"}
        fields[name] |= {} if number % 3 == 1 else {"min_count": 1}
        fields[name] |= {"max_values": 2} if number % 3 == 2 else {}
    tasks: dict[str, dict] = {name: {"column": f"t{n}"} for n, name in enumerate(TASKS)}
    tasks[TASKS[1]]["only_where"] = TASKS[0]
    split = {"by": "column", "files": "rows.csv", "column": "day", "test": [3], "validation": [2]}
    content = {"name": DATASET, "split": split, "fields": fields, "tasks": tasks}
    return parse_declaration(content, folder / "hard.yaml")
