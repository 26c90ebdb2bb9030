"""Checkpoints: complete or absent, readable or named."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training.checkpoints import Checkpoints, damage


def test_checkpoints_fall_back_and_never_start_from_zero(tmp_path):
    variable = tf.Variable([1.0, 2.0])
    checkpoints = Checkpoints(tmp_path / "c", {"a": variable})
    assert checkpoints.restore() is None
    for step in (10, 20, 30):
        variable.assign([step, step])
        checkpoints.save(step)
    assert checkpoints.steps() == [20, 30]
    variable.assign([0, 0])
    (tmp_path / "c" / "step_000000030" / "variables.index").unlink()
    assert checkpoints.restore() == 20
    np.testing.assert_array_equal(variable, [20, 20])
    data = tmp_path / "c" / "step_000000020" / "variables.data-00000-of-00001"
    data.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"none of the checkpoints in .* can be read"):
        checkpoints.restore()


def test_a_write_that_was_cut_off_is_no_checkpoint(tmp_path):
    variable = tf.Variable(1.0)
    checkpoints = Checkpoints(tmp_path, {"a": variable})
    checkpoints.save(1)
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "variables.index").write_bytes(b"half")
    again = Checkpoints(tmp_path, {"a": variable})
    assert again.steps() == [1]
    again.save(2)
    assert not (tmp_path / "partial").exists()


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    Checkpoints(tmp_path, {"a": tf.Variable(1.0)}).save(1)
    with pytest.raises(DatasetError, match="of another model: it has no b"):
        Checkpoints(tmp_path, {"a": tf.Variable(1.0), "b": tf.Variable(1.0)}).restore()
    with pytest.raises(DatasetError, match=r"dataset: a has shape \[\] there, \[2\] here"):
        Checkpoints(tmp_path, {"a": tf.Variable([1.0, 2.0])}).restore()
    Checkpoints(tmp_path, {"a": tf.Variable(1.0), "b": tf.Variable(1.0)}).save(2)
    (tmp_path / "step_000000001" / "variables.index").unlink()
    with pytest.raises(DatasetError, match="of another model: it has b, which there is none of"):
        Checkpoints(tmp_path, {"a": tf.Variable(1.0)}).restore()
    assert Checkpoints(tmp_path, {"a": tf.Variable(1.0)}, partial=True).restore() == 2


@pytest.mark.parametrize("name", ["exp [v2]", "a*", "why?", "back\\slash", "["])
def test_folders_with_characters_of_patterns(tmp_path, name):
    (tmp_path / "exp v").mkdir()  # which the first name would fit as a pattern
    variable = tf.Variable([1.0, 2.0])
    checkpoints = Checkpoints(tmp_path / name / "c", {"a": variable})
    for step in (10, 20, 30):
        variable.assign([step, step])
        checkpoints.save(step)
    variable.assign([0, 0])
    assert checkpoints.restore() == 30
    np.testing.assert_array_equal(variable, [30, 30])
    assert checkpoints.restore(20) == 20
    np.testing.assert_array_equal(variable, [20, 20])
    folder = tmp_path / name / "c" / "step_000000030"
    assert damage(folder) is None
    (folder / "variables.index").unlink()
    assert damage(folder) is not None
    assert checkpoints.restore() == 20


@pytest.fixture
def two(tmp_path):
    """Checkpoints of steps 1 and 2, and the newer one's files."""
    variable = tf.Variable(np.arange(1000.0))
    checkpoints = Checkpoints(tmp_path, {"a": variable})
    checkpoints.save(1)
    variable.assign_add(tf.ones(1000, tf.float64))
    checkpoints.save(2)
    folder = tmp_path / "step_000000002"
    assert damage(folder) is None
    return checkpoints, variable, folder


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "variables.index").unlink(),
        lambda folder: (folder / "variables.data-00000-of-00001").unlink(),
        lambda folder: flip(folder / "variables.data-00000-of-00001"),
        lambda folder: flip(folder / "variables.index"),
        lambda folder: (folder / "variables.index").write_bytes(b""),
    ],
)
def test_a_damaged_newest_gives_way_to_the_one_before_and_says_so(two, spoil, capsys):
    checkpoints, variable, folder = two
    spoil(folder)
    assert damage(folder) is not None
    assert checkpoints.restore() == 1
    np.testing.assert_array_equal(variable, np.arange(1000.0))
    assert f"Checkpoint {folder} cannot be read (" in capsys.readouterr().out
    with pytest.raises(DatasetError, match=r"step_000000002 cannot be read .*there are: 1, 2"):
        checkpoints.restore(2)


def test_what_is_saved_after_a_fallback_takes_the_damaged_ones_place(tmp_path):
    checkpoints = Checkpoints(tmp_path, {"a": tf.Variable(np.arange(1000.0))})
    checkpoints.save(10)
    checkpoints.save(20)
    flip(tmp_path / "step_000000020" / "variables.index")
    assert checkpoints.restore() == 10
    checkpoints.save(12)
    assert checkpoints.steps() == [10, 12]


def test_a_checkpoint_of_numbers_that_are_not_finite_is_damaged(tmp_path):
    Checkpoints(tmp_path, {"a": tf.Variable([1.0, np.nan])}).save(1)
    assert damage(tmp_path / "step_000000001") == "a holds a number that is not finite"


def test_what_else_lies_in_the_folder_is_no_checkpoint(two):
    checkpoints, _, folder = two
    (folder.parent / "step_old").mkdir()
    assert checkpoints.steps() == [1, 2]


def test_a_step_that_was_never_saved_is_named_with_those_that_were(tmp_path):
    checkpoints = Checkpoints(tmp_path, {"a": tf.Variable(1.0)})
    checkpoints.save(3)
    with pytest.raises(DatasetError, match="has no checkpoint of step 7; there are: 3"):
        checkpoints.restore(7)


def test_a_spared_checkpoint_stays_however_old(tmp_path):
    checkpoints = Checkpoints(tmp_path, {"a": tf.Variable(1.0)}, keep=2)
    for step in (1, 2, 3, 4):
        checkpoints.save(step, spared=1)
    assert checkpoints.steps() == [1, 3, 4]
