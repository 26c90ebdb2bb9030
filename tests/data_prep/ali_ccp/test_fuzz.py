"""Damaged Ali-CCP files against a plain reader: the same rows, every other line by its fault."""

import collections
import contextlib
import gzip
import io
import pathlib
import random
import tempfile

from hypothesis import strategies as st

from data_prep.ali_ccp.chunks import load_chunk
from data_prep.ali_ccp.log import ParsedLog
from data_prep.ali_ccp.parser import COMMON, SKELETON, parse_block
from data_prep.ali_ccp.settings import Settings
from data_prep.storage.work_folder import WorkFolder
from tests.data_prep.ali_ccp.test_parser import as_lists, random_line
from tests.data_prep.references.ali_ccp import read_line, read_log
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate, result

SEPARATORS = b",\x01\x02\x03"


def columns_of(rows, layout, keep_values):
    """The reference's rows in the form of `as_lists`."""
    names = [name for name in ("click", "conversion") if name in layout.cells]
    columns = {"index": [row["common_feature_index"].encode() for row in rows]}
    columns |= {name: [row[name] for row in rows] for name in names}
    for field in layout.fields:
        columns[field.name] = [row[field.name] for row in rows]
        if field.multiple and not keep_values:
            columns[field.name] = [[number for number, _ in row[field.name]] for row in rows]
    return columns


def check_block(seed, mutations, layout, max_values, keep_values, first_line):
    draw = random.Random(seed)
    lines = [random_line(draw, layout) for _ in range(draw.randrange(1, 30))]
    text = mutate(b"\n".join(lines), mutations, SEPARATORS)
    parsed, faults = parse_block(
        first_line, text + b"\n", layout, layout.fields, max_values, keep_values
    )
    rows = [read_line(line, layout, max_values, keep_values) for line in text.split(b"\n")]
    numbered = list(enumerate(rows, first_line))
    wrong = [(number, row) for number, row in numbered if isinstance(row, str)]
    assert [(fault.line, fault.reason) for fault in faults] == wrong
    good = [row for row in rows if not isinstance(row, str)]
    assert parsed.line.tolist() == [number for number, row in numbered if isinstance(row, dict)]
    assert as_lists(parsed) == columns_of(good, layout, keep_values)
    return "faults" if wrong else "clean"


@cases(quick=12, slow=4000)
def test_damaged_blocks(examples):
    fuzz(
        check_block,
        examples,
        {"faults", "clean"},
        seed=SEEDS,
        mutations=MUTATIONS,
        layout=st.sampled_from([COMMON, SKELETON]),
        max_values=st.sampled_from([1, 3, 50]),
        keep_values=st.booleans(),
        first_line=st.sampled_from([1, 77]),
    )


def valid_log(seed):
    """A common file and a skeleton whose lines name its users."""
    draw = random.Random(seed)
    users = [random_line(draw, COMMON) for _ in range(draw.randrange(1, 6))]
    indices = [user.split(b",")[0] for user in users]
    exposures = []
    for _ in range(draw.randrange(1, 20)):
        cells = random_line(draw, SKELETON).split(b",")
        cells[3] = draw.choice(indices)
        exposures.append(b",".join(cells))
    end = draw.choice([b"", b"\n"])
    return b"\n".join(users) + end, b"\n".join(exposures) + end


def write(path, content, packing, seed):
    """Writes a file, plain, packed or packed and cut."""
    if packing:
        content = gzip.compress(content)
        content = content[: seed % len(content)] if packing == "cut" else content
        path = path.with_name(path.name + ".gz")
    path.write_bytes(content)
    return path


def check_log(seed, of_users, of_exposures, limit, packing, keep_values):
    users, exposures = valid_log(seed)
    users, exposures = (
        mutate(users, of_users, SEPARATORS),
        mutate(exposures, of_exposures, SEPARATORS),
    )
    settings = Settings(
        max_values=3, validation_fraction=0.0, max_bad_lines=limit, keep_feature_value=keep_values
    )
    layouts = (COMMON, SKELETON)
    expected_users, expected, faults = read_log(users, exposures, layouts, 3, keep_values)
    kept = [(row, user) for row, user in expected if row["click"] or not row["conversion"]]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        common, skeleton = "common_features_{}.csv", "sample_skeleton_{}.csv"
        files = {
            common.format("train"): write(folder / "users.csv", users, packing, seed),
            skeleton.format("train"): write(folder / "exposures.csv", exposures, "", seed),
            common.format("test"): write(folder / "users_test.csv", b"a,0,", "", seed),
            skeleton.format("test"): write(folder / "test.csv", b"1,0,0,a,0,", "", seed),
        }
        with contextlib.redirect_stdout(io.StringIO()):
            work = WorkFolder(folder / "work", {})
        log, message = result(lambda: ParsedLog(files, work, settings, lambda count: None))
        if packing == "cut" or not users or not exposures:
            assert message, "a file was read that cannot be"
            return "refused"
        if len(faults) > limit:
            file, line, _ = faults[limit]
            path = list(files.values())[file]
            assert message.startswith(f"{path}, line {line}: ")
            so_far = collections.Counter(reason for _, _, reason in faults[: limit + 1])
            listed = ", ".join(f"{count:,} {name}" for name, count in so_far.items())
            assert message.endswith(f"(bad lines so far: {listed})")
            return "line named"
        if not kept:
            assert message.endswith("holds no row that can be kept; fetch it again")
            return "refused"
        assert message is None
        assert log.bad_lines == collections.Counter(reason for _, _, reason in faults)
        counts = log.counts["train"]
        assert counts["users"] == len(expected_users)
        assert counts["rows"] == len(expected)
        assert log.rows["train"] == len(kept)
        left_out = counts["conversions_without_click"]
        assert counts["rows"] == log.rows["train"] + left_out
        lines = [content.count(b"\n") + (content[-1:] != b"\n") for content in (users, exposures)]
        assert sum(lines) == counts["users"] + counts["rows"] + log.bad_lines.total()
        chunks = [load_chunk(path) for path, _ in log.chunks("train")]
        for name in ("click", "conversion", "field_205"):
            got = [value for chunk in chunks for value in chunk[name].tolist()]
            assert got == [row[name] for row, _ in kept]
        got = [value for chunk in chunks for value in chunk["user_row"].tolist()]
        assert got == [user for _, user in kept]
        return "read"


@cases(quick=8, slow=2000)
def test_damaged_logs(examples):
    fuzz(
        check_log,
        examples,
        {"read", "line named", "refused"},
        seed=SEEDS,
        of_users=MUTATIONS,
        of_exposures=MUTATIONS,
        limit=st.sampled_from([0, 1, 10**6]),
        packing=st.sampled_from(["", "", "", "gz", "cut"]),
        keep_values=st.booleans(),
    )
