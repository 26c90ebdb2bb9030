import collections
import gzip
import json
import random
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from data_prep.ali_ccp.fields import FIELDS, PUBLISHED_COUNTS, USER
from data_prep.ali_ccp.log import ParsedLog
from data_prep.ali_ccp.preparation import Settings, prepare, summary
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from tests.data_prep.storage.test_writer import read

# Index, then the entries of each field. Test user `a` is not train user `a`.
USERS = {
    "train": [
        ("a", {"101": [1], "121": [5], "109_14": [11, 12, 13]}),
        ("b", {"101": [2], "121": [5]}),
    ],
    "test": [("a", {"101": [1], "121": [9], "109_14": [12, 99]})],
}
# Click, conversion, user, then the entries of each field.
EXPOSURES = {
    "train": [
        (1, 1, "a", {"205": [100], "210": [7, 8]}),
        (0, 0, "a", {"205": [100]}),
        (0, 1, "a", {"205": [300]}),
        (1, 0, "b", {"205": [200], "210": [7], "301": [40]}),
    ],
    "test": [(0, 0, "a", {"205": [200], "210": [8, 70]})],
}


def entries(fields):
    """`feature_num,feature_list`; the n-th entry of a list has the value n.5."""
    texts = [
        f"{field}\x02{number}\x03{place}.5"
        for field, numbers in fields.items()
        for place, number in enumerate(numbers)
    ]
    return f"{len(texts)}," + "\x01".join(texts)


def write_raw(folder, users=USERS, exposures=EXPOSURES):
    folder.mkdir(exist_ok=True)
    for split in ("train", "test"):
        lines = [f"{index},{entries(fields)}\n" for index, fields in users[split]]
        (folder / f"common_features_{split}.csv").write_text("".join(lines))
        lines = [
            f"{number},{click},{conversion},{index},{entries(fields)}\n"
            for number, (click, conversion, index, fields) in enumerate(exposures[split], 1)
        ]
        (folder / f"sample_skeleton_{split}.csv").write_text("".join(lines))
    return folder


def made(**changes):
    """Settings that keep everything of the small made files."""
    return Settings(**{"min_count": 1, "validation_fraction": 0.0, **changes})


def chosen(*sources):
    return tuple(field for field in FIELDS if field.raw_name in sources)


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path / "raw")


def vocabulary(folder, field):
    table = pl.read_parquet(folder / "vocabularies" / f"{field}.parquet")
    return list(table.iter_rows())


def lists(columns, name, part="values"):
    ends = np.cumsum(columns[f"{name}/row_lengths"], dtype=int)[:-1]
    return [part.tolist() for part in np.split(columns[f"{name}/{part}"], ends)]


def test_every_value_of_a_small_example(raw, tmp_path):
    out = tmp_path / "out"
    schema = prepare(raw, out, made(max_values=2))
    assert schema == load_schema(out)
    assert [field.raw_name for field in schema.fields] == [field.raw_name for field in FIELDS]
    assert vocabulary(out, "field_205") == [(100, 2), (200, 1)]  # 300 converted without a click
    assert vocabulary(out, "field_210") == [(7, 2), (8, 1)]
    assert vocabulary(out, "field_109_14") == [(11, 2), (12, 2)]  # once for each row of user a
    assert vocabulary(out, "field_101") == [(1, 2), (2, 1)]
    assert vocabulary(out, "field_121") == [(5, 3)]
    assert vocabulary(out, "field_853") == []
    sizes = {field.name: field.vocabulary_size for field in schema.fields}
    assert (sizes["field_205"], sizes["field_121"], sizes["field_853"]) == (4, 3, 2)

    longest = {field.name: field.max_values for field in schema.fields}
    assert (longest["field_109_14"], longest["field_210"], longest["field_853"]) == (2, 2, 1)

    assert {f.name: f.attended_by for f in schema.fields if f.attended_by} == {
        "field_109_14": "field_206",
        "field_110_14": "field_207",
        "field_127_14": "field_216",
        "field_150_14": "field_210",
    }

    users = read(out / "user")
    assert users["field_101"].tolist() == [2, 3, 2]
    assert users["field_121"].tolist() == [2, 2, 1]
    assert lists(users, "field_109_14") == [[2, 3], [], [3, 1]]

    train = read(out, "train")
    rows = zip(
        train["user_row"].tolist(),
        train["click"].tolist(),
        train["conversion"].tolist(),
        train["field_205"].tolist(),
        lists(train, "field_210"),
        train["field_301"].tolist(),
        strict=True,
    )
    assert sorted(rows) == [(0, 0, 0, 2, [], 0), (0, 1, 1, 2, [2, 3], 0), (1, 1, 0, 3, [2], 2)]
    test = read(out, "test")
    assert test["user_row"].tolist() == [2]
    assert test["field_205"].tolist() == [3]
    assert lists(test, "field_210") == [[3, 1]]

    filters = schema.filters
    assert filters["raw"]["train"] == {
        "users": 2,
        "rows": 4,
        "clicks": 2,
        "conversions": 1,
        "conversions_without_click": 1,
    }
    assert {n: c for n, c in filters["truncated_lists"].items() if c} == {"field_109_14": 1}
    assert not (tmp_path / "out.work").exists()


def test_min_count_means_at_least(tmp_path):
    exposures = [(0, 0, "a", {"205": [9]})] * 9 + [(0, 0, "a", {"205": [10]})] * 10
    raw = write_raw(tmp_path / "raw", exposures=EXPOSURES | {"train": exposures})
    prepare(raw, tmp_path / "out", made(min_count=10))
    assert vocabulary(tmp_path / "out", "field_205") == [(10, 10)]
    assert sorted(read(tmp_path / "out", "train")["field_205"]) == [1] * 9 + [2] * 10


def test_conversions_without_click_can_be_kept(raw, tmp_path):
    schema = prepare(raw, tmp_path / "out", made(keep_conversions_without_click=True))
    assert schema.split("train").rows == 4
    assert schema.split("train").positives == {"click": 2, "conversion": 2}
    assert (300, 1) in vocabulary(tmp_path / "out", "field_205")


def test_values_can_be_kept_as_weights(raw, tmp_path):
    out = tmp_path / "out"
    schema = prepare(raw, out, made(max_values=2, keep_feature_value=True))
    weighted = {field.raw_name for field in schema.fields if field.weighted}
    assert weighted == {"109_14", "110_14", "127_14", "150_14", "210", "853"}
    assert lists(read(out / "user"), "field_109_14", "weights") == [[0.5, 1.5], [], [0.5, 1.5]]
    assert lists(read(out, "test"), "field_210", "weights") == [[0.5, 1.5]]


def test_fields_can_be_chosen(raw, tmp_path):
    schema = prepare(raw, tmp_path / "out", made(fields=chosen("121", "205")))
    assert [field.name for field in schema.fields] == ["field_121", "field_205"]
    assert set(read(tmp_path / "out")) == {"field_205", "user_row", "click", "conversion"}
    assert set(read(tmp_path / "out" / "user")) == {"field_121"}


def test_a_chosen_list_is_attended_by_a_chosen_field(raw, tmp_path):
    fields = chosen("109_14", "110_14", "206")
    schema = prepare(raw, tmp_path / "out", made(fields=fields))
    assert [field.attended_by for field in schema.fields] == ["field_206", None, None]


def test_without_user_fields_there_is_no_entity_table(raw, tmp_path):
    schema = prepare(raw, tmp_path / "out", made(fields=chosen("205")))
    assert schema.entities == {}
    assert set(read(tmp_path / "out")) == {"field_205", "click", "conversion"}


# ---- a larger random log, against a join in plain Python


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Raw folder, users and exposures of 60 train and 40 test users with 5 to 30 rows each."""
    draw = random.Random(4)

    def fields(side):
        found = {}
        for field in FIELDS:
            if (field.side == USER) == side and draw.random() < 0.7:
                count = draw.randrange(1, 9) if field.multiple else 1
                found[field.raw_name] = [int(draw.paretovariate(0.6)) % 50 for _ in range(count)]
        return found

    users, exposures = {}, {}
    for split, count in (("train", 60), ("test", 40)):
        users[split] = [(f"{number:016x}", fields(True)) for number in range(count)]
        exposures[split] = []
        for index, _ in users[split]:
            for _ in range(draw.randrange(5, 30)):
                click = int(draw.random() < 0.3)
                conversion = int(draw.random() < 0.3)
                exposures[split].append((click, conversion, index, fields(False)))
    raw = write_raw(tmp_path_factory.mktemp("log") / "raw", users, exposures)
    return raw, users, exposures


def joined(log, split, max_values):
    """Kept exposures of a split as (click, conversion, user number, all fields)."""
    _, users, exposures = log
    number = {index: place for place, (index, _) in enumerate(users[split])}
    for click, conversion, index, fields in exposures[split]:
        if click or not conversion:
            together = users[split][number[index]][1] | fields
            cut = {field: ids[:max_values] for field, ids in together.items()}
            yield click, conversion, number[index], cut


def prepared_rows(out, split, first_user):
    """The rows of a prepared split in `joined`'s form, ids as embedding rows."""
    columns, users = read(out, split), read(out / "user")
    table = {}
    for source, kept in [(columns, False), (users, True)]:
        for field in FIELDS:
            if (field.side == USER) == kept:
                name = field.name
                table[field.raw_name] = (
                    lists(source, name) if field.multiple else [[x] for x in source[name].tolist()]
                )
    for place, user in enumerate(columns["user_row"]):
        fields = {
            field.raw_name: table[field.raw_name][user if field.side == USER else place]
            for field in FIELDS
        }
        click, conversion = int(columns["click"][place]), int(columns["conversion"][place])
        yield click, conversion, int(user) - first_user, fields


def frozen(rows, encode):
    return collections.Counter(
        (
            click,
            conversion,
            user,
            tuple(tuple(encode(field, fields.get(field.raw_name))) for field in FIELDS),
        )
        for click, conversion, user, fields in rows
    )


def test_same_as_a_join_in_plain_python(log, tmp_path):
    out = tmp_path / "out"
    settings = Settings(max_values=3, min_count=4, validation_fraction=0.2, seed=9)
    schema = prepare(log[0], out, settings)
    rows = {split: list(joined(log, split, 3)) for split in ("train", "test")}
    held_out = set(read(out, "validation")["user_row"].tolist())
    expected = {
        "train": [row for row in rows["train"] if row[2] not in held_out],
        "validation": [row for row in rows["train"] if row[2] in held_out],
        "test": rows["test"],
    }
    assert len(expected["validation"]) == round(0.2 * len(rows["train"]))
    assert "validation: whole users with 0.2" in summary(schema)

    row_of = {}
    for field in FIELDS:
        counts = collections.Counter(
            number for row in expected["train"] for number in row[3].get(field.raw_name, [])
        )
        known = [item for item in counts.items() if item[1] >= 4]
        known.sort(key=lambda item: (-item[1], item[0]))
        assert vocabulary(out, field.name) == known
        row_of[field] = {number: place for place, (number, _) in enumerate(known, 2)}

    def encode(field, ids):
        if ids is None:
            return [] if field.multiple else [0]
        return [row_of[field].get(number, 1) for number in ids]

    for split, first_user in (("train", 0), ("validation", 0), ("test", 60)):
        found = frozen(prepared_rows(out, split, first_user), lambda field, ids: ids)
        assert found == frozen(expected[split], encode)
        clicks = sum(row[0] for row in expected[split])
        conversions = sum(row[1] for row in expected[split])
        assert schema.split(split).positives == {"click": clicks, "conversion": conversions}
    whole = {split: list(joined(log, split, 99)) for split in rows}
    long = sum(len(row[3].get("853", [])) > 3 for split in whole for row in whole[split])
    assert schema.filters["truncated_lists"]["field_853"] == long


def test_same_seed_same_dataset_whatever_the_compression(log, tmp_path):
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in log[0].iterdir():
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    settings = Settings(min_count=2, rows=300, seed=1)
    one = prepare(log[0], tmp_path / "one", settings)
    two = prepare(log[0], tmp_path / "two", settings)
    three = prepare(packed, tmp_path / "three", settings)
    assert one.fingerprint == two.fingerprint
    assert one.splits == three.splits
    assert one.entities == three.entities
    other = prepare(log[0], tmp_path / "other", Settings(min_count=2, rows=300, seed=2))
    assert other.splits != one.splits


def test_rows_are_sampled_without_replacement(log, tmp_path):
    settings = made(min_count=1, rows=250, max_values=99)
    schema = prepare(log[0], tmp_path / "out", settings)
    for split, first_user in (("train", 0), ("test", 60)):
        assert schema.split(split).rows == 250
        names = {
            field.raw_name: [number for number, _ in vocabulary(tmp_path / "out", field.name)]
            for field in FIELDS
        }
        if split == "train":  # every id is known, so that rows can be compared
            decoded = [
                (
                    click,
                    conversion,
                    user,
                    {f: [names[f][i - 2] for i in ids if i] for f, ids in fields.items()},
                )
                for click, conversion, user, fields in prepared_rows(
                    tmp_path / "out", split, first_user
                )
            ]
            sampled = frozen(decoded, lambda field, ids: ids or [])
            available = frozen(joined(log, split, 99), lambda field, ids: ids or [])
            assert sampled <= available
    assert schema.split("train").rows + schema.split("test").rows == 500


def test_more_rows_than_there_are_means_all(raw, tmp_path):
    schema = prepare(raw, tmp_path / "out", made(rows=3))
    assert schema.split("train").rows == 3
    assert schema.split("test").rows == 1


# ---- bad input


def damaged(raw, file, line, text):
    """Replaces a line, counted from 1, of one of the raw files."""
    path = raw / f"{file}.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = text + b"\n"
    path.write_bytes(b"".join(lines))


def refusal(raw, tmp_path, **changes):
    with pytest.raises(DatasetError) as error:
        prepare(raw, tmp_path / "out", made(**changes))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.work").exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("file", "line", "text", "message"),
    [
        ("sample_skeleton_train", 3, b"3,0,0,a,2,205\x021\x031", "feature_num is 2"),
        ("sample_skeleton_test", 1, b"1,7,0,a,0,", "the label click is '7', not 0 or 1"),
        ("sample_skeleton_train", 2, b"2,0,0,c,0,", "no common_feature_index c in the common file"),
        ("common_features_train", 2, b"\xfe,0,", "byte 1 is 0xfe, not UTF-8"),
        ("common_features_train", 2, b"a,0,", "common_feature_index a stands in an earlier line"),
        ("common_features_test", 1, b"a;0;", "1 comma-separated cells, expected 3"),
    ],
)
def test_a_bad_line_is_named(raw, tmp_path, file, line, text, message):
    damaged(raw, file, line, text)
    said = refusal(raw, tmp_path)
    assert said.startswith(f"{raw / file}.csv, line {line}: ")
    assert message in said
    assert "--max_bad_lines" in said


def test_tolerated_lines_are_counted_by_reason(raw, tmp_path):
    damaged(raw, "sample_skeleton_train", 1, b"1,0,0,c,0,")
    damaged(raw, "sample_skeleton_train", 3, b"3,0,x,a,0,")
    damaged(raw, "sample_skeleton_train", 4, b"3,0,y,b,0,")
    schema = prepare(raw, tmp_path / "out", made(max_bad_lines=3))
    assert schema.filters["bad_lines"] == {
        "unknown common_feature_index": 1,
        "malformed conversion": 2,
    }
    assert schema.filters["raw"]["train"]["rows"] == 1
    assert "2 malformed conversion" in summary(schema)


def test_one_bad_line_too_many(raw, tmp_path):
    damaged(raw, "sample_skeleton_train", 1, b"1,0,0,c,0,")
    damaged(raw, "sample_skeleton_train", 3, b"3,0,x,a,0,")
    said = refusal(raw, tmp_path, max_bad_lines=1)
    assert "sample_skeleton_train.csv, line 3" in said
    assert "1 unknown common_feature_index, 1 malformed conversion" in said


def test_a_file_of_bad_lines_alone(raw, tmp_path):
    damaged(raw, "sample_skeleton_test", 1, b"?")
    said = refusal(raw, tmp_path, max_bad_lines=9)
    assert "sample_skeleton_test.csv holds no row that can be kept" in said


def test_a_missing_file_is_named(raw, tmp_path):
    (raw / "common_features_test.csv").unlink()
    assert "neither common_features_test.csv nor common_features_test.csv.gz" in refusal(
        raw, tmp_path
    )


def test_a_file_in_two_forms_is_refused(raw, tmp_path):
    (raw / "common_features_test.csv.gz").write_bytes(b"")
    assert "both common_features_test.csv and common_features_test.csv.gz" in refusal(raw, tmp_path)


def test_an_empty_file_is_named(raw, tmp_path):
    (raw / "sample_skeleton_test.csv").write_bytes(b"")
    assert "sample_skeleton_test.csv is empty" in refusal(raw, tmp_path)


def test_an_existing_folder_is_refused(raw, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DatasetError, match="out exists already"):
        prepare(raw, tmp_path / "out", made())


def test_what_another_preparation_left_is_removed(raw, tmp_path, capsys):
    (tmp_path / "out.work").mkdir()
    (tmp_path / "out.work" / "half").write_text("half a file")
    prepare(raw, tmp_path / "out", made())
    assert "out.work, left behind by a preparation of something else" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


KILL = """
import os, signal, sys
from data_prep.ali_ccp import log, preparation
place, name = sys.argv.pop().split(":")
owner = {"log": log.ParsedLog, "program": preparation}[place]
inner, calls = getattr(owner, name), []
def kill(*args, **kwargs):
    calls.append(0)
    if len(calls) == CALL:
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(*args, **kwargs)
setattr(owner, name, kill)
preparation.prepare(*sys.argv[1:3], log.Settings(min_count=2))
"""


# While the test split is read; while ids are counted; while the dataset is written.
@pytest.mark.parametrize(
    ("place", "call", "parsed"),
    [("log:_read_exposures", 2, 1), ("program:_count", 1, 2), ("program:_write", 1, 2)],
)
def test_a_killed_preparation_goes_on(log, tmp_path, capsys, monkeypatch, place, call, parsed):
    arguments = [str(log[0]), str(tmp_path / "out"), place]
    program = [sys.executable, "-c", KILL.replace("CALL", str(call)), *arguments]
    killed = subprocess.run(program, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()

    read = []
    inner = ParsedLog._read_exposures
    monkeypatch.setattr(ParsedLog, "_read_exposures", lambda *a: (read.append(a[2]), inner(*a))[1])
    prepare(log[0], tmp_path / "out", Settings(min_count=2))
    assert "out.work, left behind by a preparation that was interrupted" in capsys.readouterr().out
    assert read == ["train", "test"][parsed:]
    prepare(log[0], tmp_path / "whole", Settings(min_count=2))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert not (tmp_path / "out.work").exists()


def test_other_settings_do_not_go_on_with_it(log, tmp_path, capsys):
    arguments = [str(log[0]), str(tmp_path / "out"), "program:_write"]
    subprocess.run([sys.executable, "-c", KILL.replace("CALL", "1"), *arguments], check=False)
    prepare(log[0], tmp_path / "out", Settings(min_count=3))
    assert "out.work, left behind by a preparation of something else" in capsys.readouterr().out
    prepare(log[0], tmp_path / "whole", Settings(min_count=3))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


# ---- summary and program


def test_simulated_data_is_called_simulated(raw, tmp_path):
    (raw / "simulation.json").write_text(json.dumps({"seed": 8}))
    schema = prepare(raw, tmp_path / "out", made())
    assert schema.simulated
    assert schema.source["simulation"] == {"seed": 8}
    assert summary(schema).startswith("simulated data\n")


def test_damaged_simulation_file_is_named(raw, tmp_path):
    (raw / "simulation.json").write_text("{")
    assert "simulation.json is not JSON" in refusal(raw, tmp_path)
    for content in ("null", "3", "[]"):
        (raw / "simulation.json").write_text(content)
        said = refusal(raw, tmp_path)
        assert f"simulation.json is damaged: it is {content}, expected a JSON object" in said
    (raw / "simulation.json").write_bytes(b'{"a": "\xff"}')
    assert "simulation.json is not JSON" in refusal(raw, tmp_path)


def test_the_full_data_is_compared_with_the_published_counts(raw, tmp_path):
    schema = prepare(raw, tmp_path / "out", made())
    assert not schema.simulated
    assert "published" not in summary(schema)  # four rows are not the full data
    counts = schema.filters["raw"]
    for split, published in PUBLISHED_COUNTS.items():
        counts[split] = {
            "rows": published.rows,
            "clicks": published.clicks,
            "conversions": published.conversions,
            "conversions_without_click": published.conversions_without_click,
            "users": published.users,
        }
    counts["test"]["clicks"] -= 1
    said = summary(schema)
    assert "train files: all counts are the published ones" in said
    assert "WARNING: test files: 1,673,446 clicks, published are 1,673,447" in said
    assert said.count("WARNING") == 1


def run(*arguments):
    command = [sys.executable, "-m", "data_prep.ali_ccp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_prepares_and_says_so(raw, tmp_path):
    done = run(f"--raw_dir={raw}", f"--out_dir={tmp_path / 'out'}", "--fields=205,301", "--rows=2")
    assert done.returncode == 0, done.stderr
    assert "train split: 2 rows" in done.stdout
    assert "2 fields" in done.stdout
    schema = load_schema(tmp_path / "out")
    assert schema.settings["rows"] == 2
    assert [field.raw_name for field in schema.fields] == ["205", "301"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--fields=205,999", "Error: --fields names 999; the fields are 101, 109_14,"),
        ("--raw_dir=nowhere", "Error: nowhere has neither common_features_train.csv nor"),
        ("--min_count=0", "Error: --min_count=0 must be an integer of at least 1"),
    ],
)
def test_a_mistake_gets_one_sentence(raw, tmp_path, argument, message):
    done = run(f"--raw_dir={raw}", f"--out_dir={tmp_path / 'out'}", argument)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
