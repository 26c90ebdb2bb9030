"""The page on encodings: its example runs, and its table holds what the encodings give."""

import doctest
import pathlib
import shutil

import polars as pl
import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "encodings.md"


@pytest.fixture(scope="module")
def example():
    """The names that the page's example defines, after its outputs were compared."""
    text = PAGE.read_text("utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    report = []
    results = doctest.DocTestRunner().run(test, out=report.append, clear_globs=False)
    assert results.attempted > 10
    assert not results.failed, "".join(report)
    yield test.globs
    shutil.rmtree(test.globs["folder"])


def table():
    """The lines of the table of raw values: field, raw value, result."""
    lines = PAGE.read_text("utf-8").partition("| field | raw value |")[2].splitlines()[2:]
    for line in lines[: lines.index("")]:
        field, raw, result = line.split("|")[1:4]
        raw = raw.strip()  # the white space of a raw value stands between its quotes
        yield field.strip(" `"), raw[1:-1] if raw else "", result.strip()


def test_each_raw_value_becomes_what_the_table_says(example):
    lines = list(table())
    assert {field for field, _, _ in lines} == {f.name for f in example["schema"].fields}
    shown = []
    for field, raw, _ in lines:
        column = {f.name: f.raw_name for f in example["schema"].fields}[field]
        raws = {"city": "", "tags": "", "price": ""} | {column: raw}
        value = example["encoder"](pl.DataFrame({name: [raw] for name, raw in raws.items()}))[
            field
        ][0]
        shown.append(f"{value:.4f}" if value.dtype.kind == "f" else str(value.tolist()))
    assert [result for _, _, result in lines] == shown
