import numpy as np
import pytest

from dcrnn_tf.layers import sequence_length, subsequence_steps, subsequences


@pytest.mark.parametrize(
    ("num_tasks", "length", "interval", "steps", "total"),
    [
        (2, 3, 1, [[0, 1, 2], [1, 2, 3]], 4),  # the paper's Ali-CCP setting
        (2, 5, 2, [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]], 7),  # and that of Xiaomi Radio
        (3, 2, 0, [[0, 1], [0, 1], [0, 1]], 2),  # hard sharing
        (3, 2, 2, [[0, 1], [2, 3], [4, 5]], 6),  # soft sharing
        (1, 1, 0, [[0]], 1),
    ],
)
def test_steps_and_parts(num_tasks, length, interval, steps, total):
    assert sequence_length(num_tasks, length, interval) == total
    assert [list(part) for part in subsequence_steps(num_tasks, length, interval)] == steps
    sequence = np.arange(2 * total * 3).reshape(2, total, 3)
    parts = subsequences(sequence, num_tasks, length, interval)
    assert len(parts) == num_tasks
    for part, own in zip(parts, steps, strict=True):
        np.testing.assert_array_equal(part, sequence[:, own])


@pytest.mark.parametrize("interval", [-1, 4])
def test_interval_outside_0_to_length_is_refused(interval):
    with pytest.raises(ValueError, match=f"interval={interval} must lie between 0 and .*=3"):
        subsequence_steps(2, 3, interval)


@pytest.mark.parametrize(("num_tasks", "length"), [(0, 3), (2, 0)])
def test_no_task_or_no_step_is_refused(num_tasks, length):
    with pytest.raises(ValueError, match="must be at least 1"):
        sequence_length(num_tasks, length, 0)


def test_sequence_of_another_length_is_refused():
    with pytest.raises(ValueError, match="has 5 steps, expected 4"):
        subsequences(np.zeros((2, 5, 3)), 2, 3, 1)
