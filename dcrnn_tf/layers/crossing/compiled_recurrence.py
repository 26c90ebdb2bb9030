"""The recurrence of networks side by side, each step and its gradient one compiled operation."""

import tensorflow as tf

from dcrnn_tf.kernels import operations

CELLS = ("gru", "lstm")


def last_hidden(
    cell: str,
    inputs: tf.Tensor,
    offsets: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor | None,
) -> tf.Tensor:
    """Returns the hidden states after the last of L steps of R networks, `(R, batch, h)`.

    Args:
      cell: One of `CELLS`.
      inputs: Products of the inputs, the same at every step, `(batch, R * gates * h)`.
      offsets: What each step adds to them for all examples, `(L, R * gates * h)`.
      recurrent_kernel: Kernels of the hidden states, `(R, h, gates * h)`.
      recurrent_bias: Biases of their products, `(R * gates * h,)`; None for an LSTM.
    """
    networks, units, _ = recurrent_kernel.shape
    if recurrent_bias is None:
        recurrent_bias = tf.zeros(0)
    library = operations.library()
    step = getattr(library, f"dcrnn_{cell}_step")
    step_gradient = getattr(library, f"dcrnn_{cell}_step_gradient")
    nothing = tf.zeros((0, 0, 0))

    @tf.custom_gradient
    def recurrence(inputs, offsets, kernel, recurrent_bias):
        states: list[tf.Tensor] = [nothing]
        hidden: list[tf.Tensor] = []
        steps: list[tf.Tensor] = []
        for offset in tf.unstack(offsets):
            recurrent = hidden[-1] @ kernel if hidden else nothing
            arguments = (inputs, offset, recurrent, recurrent_bias, states[-1])
            new, state, kept = step(*arguments, networks=networks, first=not hidden)
            hidden.append(tf.ensure_shape(new, (networks, None, units)))
            states.append(state)
            steps.append(kept)

        def gradient(upstream):
            transposed = tf.transpose(kernel, (0, 2, 1))
            by_hidden, by_state, by_inputs = upstream, nothing, tf.zeros((0, 0))
            by_offsets, by_kernel, by_recurrent_bias = [], None, None
            for number in reversed(range(len(steps))):
                by_inputs, by_offset, by_product, by_bias, by_state = step_gradient(
                    by_hidden,
                    by_state,
                    steps[number],
                    states[number],
                    states[number + 1],
                    by_inputs,
                    first=number == 0,
                )
                by_offsets.append(by_offset)
                by_recurrent_bias = _plus(by_recurrent_bias, by_bias)
                if number:
                    product = tf.matmul(hidden[number - 1], by_product, transpose_a=True)
                    by_kernel = _plus(by_kernel, product)
                    by_hidden = by_product @ transposed
            if by_kernel is None:  # of a single step
                by_kernel = tf.zeros_like(kernel)
            # A product with a tensor of unknown rank would be a batched one, which is slower.
            by_inputs = tf.ensure_shape(by_inputs, inputs.shape)
            return by_inputs, tf.stack(by_offsets[::-1]), by_kernel, by_recurrent_bias

        return hidden[-1], gradient

    return recurrence(inputs, offsets, recurrent_kernel, recurrent_bias)


def _plus(total: tf.Tensor | None, more: tf.Tensor) -> tf.Tensor:
    return more if total is None else total + more
