"""What the site makes of links, of boards, and of the packages, beside values written by hand."""

import csv
import pathlib

import griffe

from docs.hooks import api_reference, doctest_examples, leaderboards, repository_files

ROOT = pathlib.Path(__file__).parents[2]
BOARDS = sorted((ROOT / "docs" / "data" / "leaderboards").glob("*.csv"))

LINE = dict(
    task="click",
    rank="1",
    row="MMoE",
    baseline="MMoE",
    seeds="5",
    auc_mean="0.64312",
    auc_low="0.63554",
    auc_high="0.65066",
    to_first="",
    to_first_low="",
    to_first_high="",
    told_apart_from_first="",
    difference="",
    difference_low="",
    difference_high="",
    p_value="",
    logloss="0.1670512",
    constant_logloss="0.17413",
    calibration="1.0206",
    parameters_other="219906",
    of_baselines="1",
    parameters_embedding="68304",
    rows_per_second="35509.4",
    wall_seconds="7.2",
    processor_seconds="14",
    call_1_ms="1.031",
    call_4096_ms="22.59",
)
SECOND = LINE | dict(
    rank="2",
    row="DCN",
    auc_mean="0.6",
    to_first="-0.0431",
    to_first_low="-0.05",
    to_first_high="0.001",
    told_apart_from_first="False",
    difference="-0.0431",
    difference_low="-0.05",
    difference_high="0.001",
    p_value="0.00012",
)


def cells(line):
    return [cell.strip().replace(leaderboards.NO_BREAK, " ") for cell in line.split("|")[1:-1]]


def test_links_of_the_home_page_lead_to_pages_beside_it():
    text = "[a](docs/data.md#criteo) [b](CONTRIBUTING.md) ![c](docs/images/x.png) [d](examples/y.c)"
    assert repository_files.site_links(text, "index.md") == (
        "[a](data.md#criteo) [b](contributing.md) ![c](images/x.png) [d](examples/y.c)"
    )


def test_links_of_a_page_in_a_folder_lead_out_of_it():
    text = "[a](../data.md) [b](../../examples/y.c) [c](https://x.org/a) [d](#here) [e](f.md)"
    assert repository_files.site_links(text, "leaderboards/board.md") == (
        "[a](../data.md) [b](../examples/y.c) [c](https://x.org/a) [d](#here) [e](f.md)"
    )


def test_links_of_a_page_outside_of_docs_lead_into_the_site():
    text = "[a](docs/data.md) [b](README.md)"
    assert repository_files.site_links(text, "contributing.md") == "[a](data.md) [b](index.md)"


def test_a_board_becomes_two_tables_for_each_task_and_one_of_costs():
    parts = leaderboards.tables([LINE, SECOND, LINE | {"task": "conversion"}])
    headings = [part for part in parts if part.startswith("#")]
    assert headings == [
        *("### click, test split", "### click, further metrics"),
        *("### conversion, test split", "### conversion, further metrics", "### Size and speed"),
    ]
    assert parts[3] == "The best constant prediction has a logloss of 0.17413."
    assert cells(parts[4].splitlines()[0]) == ["", "model", "logloss", "calibration"]
    assert cells(parts[4].splitlines()[2]) == ["1", "MMoE", "0.16705", "1.021"]
    lines = parts[1].splitlines()
    assert cells(lines[0])[6:9] == [
        "told apart from the first",
        "minus MMoE",
        "95 % interval of that",
    ]
    assert cells(lines[2]) == [
        *("1", "MMoE", "0.6431", "0.6355 to 0.6507", "", "", "first", "", "", "", "5"),
    ]
    assert cells(lines[3])[4:10] == [
        *("-0.0431", "-0.0500 to +0.0010", "no", "-0.0431", "-0.0500 to +0.0010", "< 0.001"),
    ]
    assert cells(parts[-1].splitlines()[2]) == [
        *("MMoE", "219,906", "1.00", "68,304", "35,509", "7", "14", "1.03", "22.59"),
    ]


def test_every_board_of_the_documentation_can_be_shown():
    assert len(BOARDS) == 3
    for path in BOARDS:
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        tables = [part for part in leaderboards.tables(lines) if part.startswith("|")]
        assert sum(len(table.splitlines()) - 2 for table in tables[:-1]) == 2 * len(lines)


def test_the_reference_has_packages_with_public_names_and_no_programs():
    modules = api_reference.modules_by_package("dcrnn_tf")
    assert "dcrnn_tf.layers.crossing.crnn" in modules["dcrnn_tf.layers.crossing"]
    assert "data_prep" not in api_reference.modules_by_package("data_prep")  # former names alone
    assert not [
        m for names in modules.values() for m in names if m.endswith(("__main__", "__init__"))
    ]


def test_the_example_of_a_docstring_is_shown_as_code(tmp_path):
    text = (
        'def one():\n    """Returns one.\n\n    Example:\n      >>> [1, 2][0]\n      1\n    """\n'
    )
    (tmp_path / "sample.py").write_text(text, "utf-8")
    extensions = griffe.load_extensions(doctest_examples.DoctestExamples)
    module = griffe.load("sample", search_paths=[tmp_path], extensions=extensions)
    _, section = module["one"].docstring.parse("google")
    assert section.value == [(griffe.DocstringSectionKind.examples, ">>> [1, 2][0]\n1")]
