"""Partial parameter sharing: each task reads its own part of one sequence (Algorithm 1)."""

import tensorflow as tf


def sequence_length(num_tasks: int, subsequence_length: int, interval: int) -> int:
    """Returns the number of steps of the whole sequence, `S = L + (n - 1) I`.

    Args:
      num_tasks: Number of tasks, n.
      subsequence_length: Number of steps that each task reads, L.
      interval: Number of steps from the start of one task's part to the next one's, I. 0 is hard
        sharing (all tasks read the same steps), L is soft sharing (no step in common).

    Raises:
      ValueError: The interval is not in `[0, L]`, or `n` or `L` is below 1.

    Example:
      >>> from dcrnn_tf import layers
      >>> layers.sequence_length(num_tasks=2, subsequence_length=3, interval=1)
      4
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
    """Returns the steps of the sequence that each task reads: `i I` to `i I + L - 1` for task i.

    Args:
      num_tasks: Number of tasks, n.
      subsequence_length: Number of steps that each task reads, L.
      interval: Number of steps from the start of one task's part to the next one's, I.

    Raises:
      ValueError: As for `sequence_length`.

    Example:
      >>> from dcrnn_tf import layers
      >>> layers.subsequence_steps(num_tasks=2, subsequence_length=3, interval=1)
      [range(0, 3), range(1, 4)]
    """
    sequence_length(num_tasks, subsequence_length, interval)
    return [range(i * interval, i * interval + subsequence_length) for i in range(num_tasks)]


def subsequences(
    sequence: tf.Tensor, num_tasks: int, subsequence_length: int, interval: int
) -> list[tf.Tensor]:
    """Cuts a sequence into one overlapping part for each task (Algorithm 1).

    Args:
      sequence: Sequence `(batch, S, d)`, with S as `sequence_length` computes it.
      num_tasks: Number of tasks, n.
      subsequence_length: Number of steps that each task reads, L.
      interval: Number of steps from the start of one task's part to the next one's, I.

    Returns:
      n tensors `(batch, L, d)`; that of task i is `sequence[:, i I : i I + L]`.

    Raises:
      ValueError: As for `sequence_length`, or the sequence has not S steps.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> sequence = tf.reshape(tf.range(4), (1, 4, 1))
      >>> [part.numpy().ravel().tolist() for part in layers.subsequences(sequence, 2, 3, 1)]
      [[0, 1, 2], [1, 2, 3]]
    """
    steps = sequence_length(num_tasks, subsequence_length, interval)
    if sequence.shape[1] != steps:
        raise ValueError(f"the sequence has {sequence.shape[1]} steps, expected {steps}")
    parts = subsequence_steps(num_tasks, subsequence_length, interval)
    return [sequence[:, part.start : part.stop] for part in parts]
