"""Declarations of Census-Income."""

import gzip
import pathlib

from data_prep.own_log.declaration import load_declaration
from tests.data_prep.own_log.small_shop import rows_of

ROOT = pathlib.Path(__file__).parents[3]


def test_census_income_example_prepares_rows_in_the_form_of_uci(tmp_path):
    names = load_declaration(ROOT / "examples" / "census_income.yaml").options.column_names
    assert len(names) == 42

    def line(age, married, income):
        cells = dict.fromkeys(names, " Not in universe") | {
            "age": str(age),
            "marital_status": f" {married}",
            "weight": " 1700.09",
            "income": f" {income}",
        }
        for name in ("wage_per_hour", "capital_gains", "capital_losses", "dividends"):
            cells[name] = " 0"
        cells |= {"employer_size": " 2", "weeks_worked": " 52"}
        return ",".join(cells[name] for name in names)

    people = [(20, "Never married", "- 50000."), (40, "Divorced", "50000+.")] * 20
    text = "\n".join(line(*person) for person in people) + "\n"
    (tmp_path / "census-income.data.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "census-income.test").write_text(line(30, "Widowed", "50000+.") + "\n")
    declaration = load_declaration(ROOT / "examples" / "census_income.yaml")
    rows, table = rows_of(tmp_path, declaration)
    assert table.ignored_columns == ["weight"]
    labels = [(row["age"], row["income"], row["never_married"]) for row in rows]
    assert labels == [(20.0, 0, 1), (40.0, 1, 0)] * 20 + [(30.0, 1, 0)]
    inputs = {field.column for field in declaration.fields}
    assert inputs == set(names) - {"marital_status", "income", "weight"}


def test_nominal_census_income_example_has_32_inputs_and_no_label_among_them():
    declaration = load_declaration(ROOT / "examples" / "census_income_nominal.yaml")
    columns = [field.column for field in declaration.fields]
    assert len(columns) == 32
    assert not {"att8", "class"} & set(columns)
    assert {task.column for task in declaration.tasks} == {"att8", "class"}


def test_the_second_group_of_tasks_has_no_label_among_its_inputs():
    nominal = load_declaration(ROOT / "examples" / "census_income_nominal.yaml")
    education = load_declaration(ROOT / "examples" / "census_income_education.yaml")
    assert {task.column for task in education.tasks} == {"att5", "att8"}
    columns = {field.column for field in education.fields}
    assert columns == {field.column for field in nominal.fields} - {"att5"}
    assert len(columns) == 31
