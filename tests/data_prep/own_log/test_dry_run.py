"""The first rows of each file are tried without writing anything; summaries are JSON as well."""

import json
import pathlib

import pytest

from data_prep.own_log.__main__ import Settings, main
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.proposal.dry_run import dry_run
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.command_line import UsageError

FIELDS = {
    "city": {"kind": "categorical", "min_count": 1},
    "tags": {"kind": "multi_categorical", "min_count": 1},
    "price": {"kind": "numeric", "scaling": "none"},
}
SPLIT = {"by": "file", "train": "train.csv", "test": "test.csv"}


@pytest.fixture
def log(tmp_path):
    """Five good rows in each file, then a bad one."""
    rows = (
        "city,tags,price,click,note\nrome,a;b,1,1,\noslo,a,2.5,0,\nrome,,,0,\nx,x,9,1,\nx,x,9,0,\n"
    )
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(rows + "x,x,bad,1,\n")
    return tmp_path


def declared(split=SPLIT, tasks=None, fields=FIELDS):
    content = {"name": "shop", "split": split, "fields": fields, "tasks": tasks or {"click": {}}}
    return parse_declaration(content, pathlib.Path("shop.yaml"))


def test_the_first_rows_are_shown_as_they_would_be_prepared(log):
    before = sorted(log.iterdir())
    assert dry_run(declared(), log, 3).splitlines() == [
        "shop: the first 3 rows of each of 2 files",
        "  train: 3 rows",
        "  test: 3 rows",
        "  columns not used: note",
        "  bad rows left out: none",
        "  field city (categorical, 4 embedding rows): 'rome' -> 2, 'oslo' -> 3, 'rome' -> 2",
        "  field tags (multi_categorical, 4 embedding rows): "
        "'a;b' -> [2, 3], 'a' -> [2], None -> []",
        "  field price (numeric): 1.0 -> 1, 2.5 -> 2.5, None -> 0",
        "  task click: '1' -> 1, '0' -> 0, '0' -> 0",
        "  split of these rows: train, train, train",
    ]
    assert sorted(log.iterdir()) == before


def test_bad_rows_beyond_the_first_rows_are_not_met(log):
    assert "test: 5 rows" in dry_run(declared(), log, 5)
    with pytest.raises(DatasetError, match=r"train.csv, line 7: field price: column 'price' holds"):
        dry_run(declared(), log, 6)
    assert "bad rows left out: not a number 2" in dry_run(declared(), log, 6, max_bad_rows=2)


def test_what_the_first_rows_lack_is_a_note(log):
    split = {"by": "column", "files": "*.csv", "column": "city", "test": ["x", "y"]}
    text = dry_run(declared(split), log, 3)
    assert "  note: split: test: no row has 'x'; column 'city' holds 'rome' (4 rows)" in text
    assert text.splitlines()[-1].startswith("  note: shop.yaml: the split leaves no test rows")


def settings(log, **flags):
    (log / "shop.json").write_text(json.dumps(declared().content))
    return Settings(str(log / "shop.json"), str(log / "out"), str(log), max_bad_rows=2, **flags)


def test_a_dry_run_alone_needs_no_folder_to_write(log):
    with pytest.raises(UsageError, match="--out_dir must be given"):
        Settings("shop.yaml").check()
    Settings("shop.yaml", dry_run=5).check()


def test_the_program_writes_its_summary_as_json_and_nothing_in_a_dry_run(log, capsys):
    main(settings(log, dry_run=2))
    assert "shop: the first 2 rows of each of 2 files" in capsys.readouterr().out
    assert not (log / "out").exists()
    main(settings(log, summary=str(log / "summary.json")))
    assert "shop: 10 rows" in capsys.readouterr().out
    content = json.loads((log / "summary.json").read_text())
    assert content["splits"]["train"] == {
        "rows": 5,
        "positives": {"click": 2},
        "defined": {"click": 5},
    }
    assert content["fields"]["city"] == {"kind": "categorical", "embedding_rows": 5}
    assert content["bad_rows"] == {"not a number": 2}
    assert content["missing_by_split"]["test"] == {"city": 0, "price": 1, "tags": 1}
    assert (
        "field price: no value in 1 of 5 rows of train (20%), 1 of 5 rows of test (20%)"
        in (content["notes"])
    )


def test_a_summary_that_cannot_be_written_is_refused_before_the_preparation(log):
    with pytest.raises(UsageError, match=r"--summary=.*summary.json: its folder does not exist"):
        main(settings(log, summary=str(log / "none" / "summary.json")))
    assert not (log / "out").exists()
