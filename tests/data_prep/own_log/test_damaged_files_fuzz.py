"""Damaged Parquet files and packings: the rows, or a sentence that names the file."""

import pathlib
import random
import tempfile

import pyarrow as pa
import pyarrow.parquet
from hypothesis import strategies as st

from data_prep.own_log.parsing.files import LogFile
from data_prep.storage.bad_rows import BadRows
from tests.data_prep.own_log.test_files_fuzz import declared, valid_text
from tests.data_prep.own_log.test_first_bytes import packed
from tests.data_prep.own_log.test_parquet_types import LISTS, SINGLE
from tests.fuzzing import SEEDS, cases, fuzz, result

COLUMNS = ["when", "item", "click", "tags", "price", "times", "buy", "spend"]
DAMAGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), max_size=3)
PACKED = ("gzip", "bzip2", "zstd", "lz4")


def damaged(content, damages, cut):
    """The content with some bytes changed, and cut off at a place if `cut` is one."""
    data = bytearray(content)
    for place, change in damages:
        data[place % len(data)] ^= change
    return bytes(data[: cut % len(data)] if cut else data)


def parquet(draw, folder):
    """A Parquet file whose columns have any types, and its number of rows."""
    rows = draw.randrange(1, 20)
    columns = {}
    for name in COLUMNS:
        kinds = LISTS if name == "tags" and draw.random() < 0.7 else SINGLE
        values, _ = draw.choice(list(kinds.values()))
        indices = pa.array([draw.randrange(len(values)) for _ in range(rows)])
        columns[name] = pa.concat_arrays([values[i.as_py() : i.as_py() + 1] for i in indices])
    path = folder / "log.any"
    pa.parquet.write_table(
        pa.table(columns),
        path,
        store_schema=draw.random() < 0.5,
        compression=draw.choice(["none", "zstd", "snappy"]),
        data_page_version=draw.choice(["1.0", "2.0"]),
        write_page_checksum=True,
        row_group_size=draw.choice([3, 100]),
    )
    return path, rows


def check_file(seed, kind, damages, cut):
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        rows = None
        if kind == "parquet":
            path, rows = parquet(draw, pathlib.Path(folder))
            content = path.read_bytes()
        else:
            path = pathlib.Path(folder, "log.any")
            content = packed(kind, valid_text(seed, ",", True, True))
        path.write_bytes(damaged(content, damages, cut))
        bad_rows = BadRows(10**6)

        def read():
            file = LogFile(path, declared(",", True, True, False).selection)
            return sum(chunk.frame.height for chunk in file.chunks(bad_rows, lambda done: None))

        found, message = result(read)
    if message is not None:
        assert str(path) in message
        assert "\n" not in message
        types = ("expected single values", "expected numbers")  # of whole files, all that is wrong
        assert damages or cut or any(expected in message for expected in types)
        return "refused"
    if rows is not None and not damages and not cut:
        assert found + bad_rows.counts.total() == rows
    return "read"


@cases(quick=120, slow=20_000)
def test_damaged_files(examples):
    fuzz(
        check_file,
        examples,
        {"read", "refused"},
        seed=SEEDS,
        kind=st.sampled_from(["parquet", "parquet", "parquet", *PACKED]),
        damages=st.one_of(st.just([]), DAMAGES),
        cut=st.one_of(st.just(0), st.just(0), st.integers(1, 2**20)),
    )
