"""Ali-CCP on Beam, against the preparation on one machine."""

import gzip

import pytest

pytest.importorskip("apache_beam")

from data_prep.ali_ccp import prepare as prepare_alone
from data_prep.ali_ccp import summary
from data_prep.ali_ccp_chunks import Settings
from data_prep.beam import ali_ccp_reading, counting
from data_prep.beam.ali_ccp_preparation import prepare
from tests.data_prep.beam.same import assert_same
from tests.data_prep.test_ali_ccp import chosen, damaged, log, made, raw, write_raw  # noqa: F401

BLOCK_BYTES = 3000  # the random log's skeleton has about a hundred such blocks


def copied(folder, target, pack=False):
    target.mkdir()
    for path in folder.iterdir():
        if pack:
            (target / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        else:
            (target / path.name).write_bytes(path.read_bytes())
    return target


def with_bad_lines(folder):
    """Four faults in the training files and two in the test files; returns how many."""
    skeleton = (folder / "sample_skeleton_train.csv").read_bytes().splitlines()
    common = (folder / "common_features_train.csv").read_bytes().splitlines()
    damaged(folder, "sample_skeleton_train", 40, skeleton[39].replace(b",0000", b",zzzz"))
    damaged(folder, "sample_skeleton_train", 41, skeleton[40].replace(b",", b";", 1))
    damaged(folder, "sample_skeleton_train", 600, b"600,0,2,0,0,")
    damaged(folder, "common_features_train", 7, common[2])  # user 2 again, and 6 not at all
    damaged(folder, "common_features_test", 9, b"\xff,0,")
    with open(folder / "sample_skeleton_test.csv", "ab") as file:
        file.write(b"1,0,0,no line feed")
    return folder


def test_same_as_on_one_machine_bad_lines_and_all(log, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ali_ccp_reading, "PARTITION_BYTES", 40_000)
    monkeypatch.setattr(counting, "ROWS_PER_PARTITION", 300)
    plain = with_bad_lines(copied(log[0], tmp_path / "plain"))
    settings = Settings(
        max_values=3, min_count=2, validation_fraction=0.2, seed=9, max_bad_lines=200
    )
    alone = prepare_alone(plain, tmp_path / "alone", settings)
    assert len(alone.filters["bad_lines"]) > 3
    schema = prepare(plain, tmp_path / "beam", settings, block_bytes=BLOCK_BYTES)
    assert_same(tmp_path / "alone", tmp_path / "beam")
    assert summary(schema) == summary(alone)

    packed = copied(plain, tmp_path / "packed", pack=True)
    other = prepare(packed, tmp_path / "other", settings, block_bytes=BLOCK_BYTES)
    assert other.splits == schema.splits  # to the bit
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("alone", "beam", "other", "packed", "plain")
    ]
