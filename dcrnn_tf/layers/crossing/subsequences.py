"""Partial parameter sharing: each task reads its own part of one sequence (Algorithm 1)."""

import tensorflow as tf


def sequence_length(num_tasks: int, subsequence_length: int, interval: int) -> int:
    """`S = L + (n - 1) I`, the steps of the whole sequence.

    Args:
      num_tasks: n.
      subsequence_length: L, the steps that each task reads.
      interval: I, the steps from the start of one task's part to the next one's. 0 is hard
        sharing (all tasks read the same steps), L is soft sharing (no step in common).

    Raises:
      ValueError: not `0 <= I <= L`, or `n` or `L` is below 1.
    """
    if num_tasks < 1 or subsequence_length < 1:
        raise ValueError(
            f"num_tasks={num_tasks} and subsequence_length={subsequence_length} must be at least 1"
        )
    if not 0 <= interval <= subsequence_length:
        raise ValueError(
            f"interval={interval} must lie between 0 and subsequence_length={subsequence_length}"
        )
    return subsequence_length + (num_tasks - 1) * interval


def subsequence_steps(num_tasks: int, subsequence_length: int, interval: int) -> list[range]:
    """The steps of the sequence that each task reads: `i I` to `i I + L - 1` for task i."""
    sequence_length(num_tasks, subsequence_length, interval)
    return [range(i * interval, i * interval + subsequence_length) for i in range(num_tasks)]


def subsequences(
    sequence: tf.Tensor, num_tasks: int, subsequence_length: int, interval: int
) -> list[tf.Tensor]:
    """Cuts a sequence into one overlapping part per task (Algorithm 1).

    Args:
      sequence: `(batch, S, d)`, with S as `sequence_length` gives it.
      num_tasks: n.
      subsequence_length: L.
      interval: I.

    Returns:
      n tensors `(batch, L, d)`; that of task i is `sequence[:, i I : i I + L]`.

    Raises:
      ValueError: not `0 <= I <= L`, or the sequence has not S steps.
    """
    steps = sequence_length(num_tasks, subsequence_length, interval)
    if sequence.shape[1] != steps:
        raise ValueError(f"the sequence has {sequence.shape[1]} steps, expected {steps}")
    parts = subsequence_steps(num_tasks, subsequence_length, interval)
    return [sequence[:, part.start : part.stop] for part in parts]
