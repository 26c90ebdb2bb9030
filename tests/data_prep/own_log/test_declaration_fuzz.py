"""Damaged declarations: one that can be used, or a sentence; never another exception."""

import json
import pathlib
import tempfile

import pytest
import yaml
from hypothesis import strategies as st

from data_prep.own_log.declaration import load_declaration, parse_declaration, with_min_count
from data_prep.own_log.joined.tables import read_joins
from data_prep.own_log.parsing.files import LogFile
from data_prep.own_log.row_counts import RowCounts, check_rows, never_met
from data_prep.own_log.rows.row_reader import RowReader
from data_prep.own_log.weighting.negatives import NegativeDraw, StayingRows, staying
from data_prep.storage.bad_rows import BadRows
from tests import hard_names
from tests.data_prep.own_log.test_files_fuzz import declared
from tests.dcrnn_tf.dataset.test_schema_fuzz import changed
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate, result

CONTENT = {
    **declared(",", True, True, True, True).content,
    "time": {"column": "at", "unit": "s", "zone": "Europe/Berlin"},
    "weight": "times",
}
CONTENT["tasks"]["click"] |= {"keep_negatives": 0.5, "weight": "price"}
CONTENT["derived"] = {"late": "times >= 5", "kind": "IF(late, LOWER(item), 'none')"}
CONTENT["joins"] = {
    "items": {
        "files": "items.csv",
        "key": ["id", "kind"],
        "log_key": ["item", "when"],
        "columns": {"brand": "name", "weight": "grams"},
        "repeated": "first",
        "unmatched": "missing",
        "entity": True,
    }
}
CONTENT["fields"] = {
    **CONTENT["fields"],
    "kind": {"kind": "categorical", "min_count": 1},
    "brand": {"kind": "categorical", "min_count": 1},
    "weight": {"kind": "numeric"},
}
CONTENT["fields"]["taste"] = {"kind": "vector", "column": "price", "length": 1, "separator": ";"}
CONTENT["fields"]["seen"] = {
    **{"kind": "multi_categorical", "history_of": "item", "by": "kind", "last": 2},
    **{"where": "click", "delay": "1h", "shares": "kind"},
}
CONTENT["fields"]["item"] |= {"width": 2}
CONTENT["fields"]["liked_before"] = {
    **{"kind": "multi_categorical", "history_of": "item", "by": "kind", "width": 3},
}
BY_TIME = {"by": "time", "files": "x.csv", "train_until": "1970-01-01", "validation_until": 3}
ODD = st.one_of(
    st.sampled_from([None, True, -1, 0, 1.5, 10**30, float("nan"), "", "x", "../x", "a\0", "test"]),
    st.sampled_from([[], {}, [[]], "\ud800", "\n", '"', "\t", "é", ["1", "1"], "item", "numeric"]),
    st.sampled_from([*hard_names.NAMES, "\u3000", "a\nb", "..", "__", "_1", "click_per_exposure"]),
    st.sampled_from(
        [
            "log",
            "group",
            "fraction",
            "file",
            "click",
            "regression",
            "multiclass",
            "huber",
            "1",
            1,
            65536,
            "🙂",
            " ",
        ]
    ),
)

# Numbers, moments and words as YAML and JSON take them, and what is nearly one.
SCALARS = st.one_of(
    st.sampled_from(["07", "010", "0x1F", "0b1", "1_000", "1.10", "22:00", "1:60:99", "-0", "+5"]),
    st.sampled_from(["1e400", "-1e400", ".inf", "-.INF", ".nan", "NaN", "Infinity", "1e5", "1."]),
    st.sampled_from(["2024-01-02", "2024-01-02T03:04:05Z", "2020-13-45", "no", "on", "~", "null"]),
    st.sampled_from(
        ["!!int 07", "!!str 07", "!!float x", "'07'", '"07"', "[]", "{}", "*a", "&a 1"]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=4).map(json.dumps),
    st.text("0123456789.eE+-_:xT ", max_size=8),
)


def parsed(read):
    """The declaration, or None for one that is refused in one line that names the file."""
    declaration, message = result(read)
    assert message is None or ("declaration." in message and "\n" not in message)
    return declaration


def used(declaration):
    """Reads a small file with it, each row of which must be counted or a bad one."""
    if declaration is None:
        return "refused"
    with_min_count(declaration, 3)
    names = list(declaration.options.column_names or declaration.file_columns)
    bad_rows, counts = BadRows(10), RowCounts(declaration)

    rows_stay = StayingRows(NegativeDraw.of(declaration, 0))

    def read():
        file = LogFile(path, declaration.selection)
        folder = path.parent
        for join in declaration.joins:
            columns = list(dict.fromkeys([*join.key, *join.columns.values()]))
            cells = [columns, ["1"] * len(columns), ["7"] * len(columns)]
            text = "\n".join(map(join.options.separator.join, cells))
            (folder / "items.csv").write_bytes(text.encode(errors="replace"))
        tables = read_joins(declaration.joins, declaration, folder, BadRows(10)).tables
        reader = RowReader(declaration, tables)
        for frame, splits, labels in reader(file, 0, bad_rows, lambda done: None):
            counts.add(*staying(frame, splits, labels, rows_stay(splits, labels)))

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "log.csv")
        rows = [names, *([value] * len(names) for value in ("1", "0", "07", "yes"))]
        lines = [declaration.options.separator.join(cells) for cells in rows]
        path.write_bytes("\n".join(lines).encode(errors="replace"))
        _, message = result(read)
    if message is not None:
        return "taken"
    rows = len(lines) - (declaration.options.column_names is None)
    assert counts.rows.sum() + bad_rows.counts.total() + rows_stay.left_out == rows
    for values in never_met(declaration, counts).values():
        assert all("holds" in held for held in values.values())
    _, message = result(lambda: check_rows(declaration, counts))
    assert message is None or message.startswith(f"{declaration.path}: ")
    return "taken"


def check_text(mutations, suffix):
    text = yaml.safe_dump(CONTENT) if suffix == "yaml" else json.dumps(CONTENT)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"declaration.{suffix}")
        path.write_bytes(mutate(text.encode(), mutations, b":,{}[]'\""))
        return used(parsed(lambda: load_declaration(path)))


def check_scalar(scalar, part, suffix):
    """Writes a scalar, quoted or not, in the place of a value."""
    marked = yaml.safe_dump(CONTENT) if suffix == "yaml" else json.dumps(CONTENT)
    mark = {"test": "'3'", "positive": "'yes'", "negative": "'no'", "missing": "'-'"}[part]
    mark = mark if suffix == "yaml" else mark.replace("'", '"')
    assert mark in marked
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"declaration.{suffix}")
        path.write_text(marked.replace(mark, scalar, 1), encoding="utf-8")
        return used(parsed(lambda: load_declaration(path)))


def check_content(changes, by_time):
    content = {**CONTENT, "split": BY_TIME} if by_time else CONTENT
    for change in changes:
        content = changed(content, *change)
    return used(parsed(lambda: parse_declaration(content, pathlib.Path("declaration.yaml"))))


@cases(quick=100, slow=5_000)
def test_damaged_text(examples):
    outcomes = {"taken", "refused"}
    fuzz(
        check_text,
        examples,
        outcomes,
        mutations=MUTATIONS.map(lambda mutations: mutations[:2]),
        suffix=st.sampled_from(["yaml", "json"]),
    )


@cases(quick=100, slow=10_000)
def test_scalars_in_the_place_of_values(examples):
    fuzz(
        check_scalar,
        examples,
        {"taken", "refused"},
        scalar=SCALARS,
        part=st.sampled_from(["test", "positive", "negative", "missing"]),
        suffix=st.sampled_from(["yaml", "yaml", "json"]),
    )


@cases(quick=150, slow=5_000)
def test_changed_content(examples):
    change = st.tuples(SEEDS, ODD, st.sampled_from(["replace", "replace", "remove", "add"]))
    changes = st.lists(change, max_size=3)
    fuzz(check_content, examples, {"taken", "refused"}, changes=changes, by_time=st.booleans())


@pytest.mark.parametrize("part", ["fields", "tasks", "derived"])
def test_a_name_that_breaks_lines_is_refused_in_one_line(part):
    content = {**CONTENT, part: {**CONTENT[part], "a\nb": "\n"}}
    assert parsed(lambda: parse_declaration(content, pathlib.Path("declaration.yaml"))) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3_000,
        "- " * 2_000 + "1",
        "a: &a [*a]",
        # Nine times nine lists of nine lists: a page of text, a gigabyte once it is written out.
        "a0: &a0 [x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
        "name: *a",
        "!!python/object/apply:os.system [id]",
        "? [a]\n: 1",
        "!!map x",
        "!!bool x",
        "!!timestamp x",
        "name: 2020-13-45",
        "name: 0x",
        "name: 1:60:99:",
    ],
)
def test_hostile_yaml_is_refused(text, tmp_path):
    path = tmp_path / "declaration.yaml"
    path.write_text(text)
    assert parsed(lambda: load_declaration(path)) is None
    path.write_text("name: d\nfields:\n  x:\n    kind: " + text.replace("\n", "\n      "))
    assert parsed(lambda: load_declaration(path)) is None
