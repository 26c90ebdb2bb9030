"""CRNN: a recurrent network for each task crosses the features, computed for all tasks together."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.crossing import compiled_recurrence
from dcrnn_tf.layers.crossing.subsequences import sequence_length, subsequence_steps
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product
from dcrnn_tf.layers.shared_rows import SharedRows

GATES = {"simple_rnn": 1, "gru": 3, "lstm": 4}


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class CRNN(Layer):
    """The cross recurrent network of DCRNN, one for each task (Eq. 5).

    `H_t = phi(X_t W + H_{t-1} W_h + b)`, where phi is the cell and `X_t = X_0 + A_t` the steps of
    the task's part of the sequence (Algorithm 1 and Eq. 7). As every X_t is X_0 plus a vector, a
    step is a function of `(X_0, H_{t-1})`: the network crosses features.

    The sequence is never made. `X_t W = X_0 W + A_t W`: the input product is the same at every
    step, so `X_0` and the rows of A go through one product with the kernels of all tasks and
    directions side by side, and only `H_{t-1} W_h` is left inside the recurrence. Outputs and
    gradients are those of `keras.layers.SimpleRNN`, `LSTM`, `GRU` (with `reset_after`) and
    `Bidirectional` on the explicit sequences, and so are the gates' order and the initial weights.

    Args:
      num_tasks: Number of tasks, n.
      units: Width of the state, h.
      subsequence_length: Number of steps of each task, L.
      interval: Number of steps from the start of one task's part to the next one's, I, with
        `0 <= I <= L`.
      cell: Kind of the cell: `lstm`, `gru` or `simple_rnn`.
      bidirectional: Whether a second network reads the part backwards.
      jit_compile: Whether XLA compiles the recurrence (not the input product).

    Call arguments:
      x0: Embeddings of all fields side by side, X_0, `(batch, d)`, a tensor or `SharedRows`.
      adaptation: Vectors A of the steps, `(S, d)` with `S = L + (n - 1) I`; None if every X_t is
        X_0.
      compiled: Whether an LSTM or GRU may take compiled operations; see
        `MultiTaskModel.takes_compiled`.

    Returns:
      The states after the last step, `(n, batch, h)`; with `bidirectional` `(n, batch, 2 h)`, the
      last forward and the last backward state side by side.

    Raises:
      ValueError: The interval is not in `[0, L]`, the cell is unknown, or the adaptation has
        another length.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> crnn = layers.CRNN(num_tasks=2, units=8, subsequence_length=3, interval=1, cell="gru")
      >>> crnn.sequence_length  # the second task starts one step later
      4
      >>> crnn(tf.ones((5, 6)), adaptation=tf.zeros((4, 6))).shape
      TensorShape([2, 5, 8])
    """

    def __init__(
        self,
        num_tasks: int,
        units: int,
        subsequence_length: int,
        interval: int,
        cell: str = "lstm",
        bidirectional: bool = False,
        jit_compile: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if cell not in GATES:
            raise ValueError(f"cell={cell!r} is not one of {', '.join(GATES)}")
        if units < 1:
            raise ValueError(f"units={units} must be at least 1")
        self.sequence_length = sequence_length(num_tasks, subsequence_length, interval)
        self.num_tasks = num_tasks
        self.units = units
        self.subsequence_length = subsequence_length
        self.interval = interval
        self.cell = cell
        self.bidirectional = bidirectional
        self.jit_compile = jit_compile
        self.networks = num_tasks * (2 if bidirectional else 1)
        self._recurrence = self._last_states
        if jit_compile:
            self._recurrence = tf.function(self._last_states, jit_compile=True)

    def build(self, x0_shape, adaptation_shape=None) -> None:
        """Creates the weights of all R = tasks x directions networks.

        The kernel is `(d, R * gates * h)`, the recurrent kernel `(R, h, gates * h)`, the biases are
        `(R * gates * h,)`.
        """
        width = GATES[self.cell] * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(x0_shape[-1], self.networks * width),
            initializer=blockwise(keras.initializers.GlorotUniform, self.networks, axis=1),
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.networks, self.units, width),
            initializer=blockwise(keras.initializers.Orthogonal, self.networks, axis=0),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.networks * width,), initializer=self._initial_bias
        )
        self.recurrent_bias = None
        if self.cell == "gru":
            self.recurrent_bias = self.add_weight(
                name="recurrent_bias", shape=(self.networks, 1, width), initializer="zeros"
            )

    def call(
        self,
        x0: tf.Tensor | SharedRows,
        adaptation: tf.Tensor | None = None,
        compiled: bool = False,
    ) -> tf.Tensor:
        """Returns the last states."""
        steps = None
        kernel = tf.convert_to_tensor(self.kernel)
        if adaptation is None:
            projected = product(x0, kernel)
        else:
            if adaptation.shape[0] != self.sequence_length:
                raise ValueError(
                    f"the adaptation has {adaptation.shape[0]} rows, expected one for each of the "
                    f"{self.sequence_length} steps"
                )
            projected, steps = self._projected(x0, adaptation, kernel)
        last = self._states(projected, steps, compiled)
        if self.bidirectional:
            batch = tf.shape(projected)[0]
            last = tf.reshape(last, (self.num_tasks, 2, batch, self.units))
            last = tf.transpose(last, (0, 2, 1, 3))
            last = tf.reshape(last, (self.num_tasks, batch, 2 * self.units))
        return last

    def _states(self, projected, steps, compiled):
        """Returns the states after the last step, `(R, batch, h)`, of the input products."""
        recurrent_kernel = tf.convert_to_tensor(self.recurrent_kernel)
        recurrent_bias = None
        if self.recurrent_bias is not None:
            recurrent_bias = tf.convert_to_tensor(self.recurrent_bias)
        if not compiled or self.jit_compile or self.cell not in compiled_recurrence.CELLS:
            projected = tf.nn.bias_add(projected, self.bias)
            return self._recurrence(projected, steps, recurrent_kernel, recurrent_bias)
        offsets = tf.tile(self.bias[None], (self.subsequence_length, 1))
        if steps is not None:
            by_network = tf.reshape(steps, (self.sequence_length, self.networks, -1))
            reads = tf.einsum("lrs,srg->lrg", self._step_reads(steps.dtype), by_network)
            offsets += tf.reshape(reads, offsets.shape)
        if recurrent_bias is not None:
            recurrent_bias = tf.reshape(recurrent_bias, (-1,))
        return compiled_recurrence.last_hidden(
            self.cell, projected, offsets, recurrent_kernel, recurrent_bias
        )

    def compute_output_shape(self, x0_shape, adaptation_shape=None) -> tuple:
        """Returns `(n, batch, h)`, or `(n, batch, 2 h)`."""
        return (self.num_tasks, x0_shape[0], self.units * (2 if self.bidirectional else 1))

    def _projected(self, x0, adaptation, kernel):
        """Returns the products of X_0 and of A with the kernel."""
        if isinstance(x0, SharedRows):
            return product(x0, kernel), adaptation @ kernel
        # The rows of A under X_0: their gradient, a sum over the batch, is then a product too.
        projected = product(tf.concat([x0, adaptation], axis=0), kernel)
        return tf.split(projected, [tf.shape(x0)[0], self.sequence_length], axis=0, num=2)

    def _last_states(self, projected, steps, recurrent_kernel, recurrent_bias):
        """Returns the states after the last step, `(R, batch, h)`."""

        def gates_first(rows):
            """Returns `(batch, R * gates * h)` as `(gates, R, batch, h)`, gates apart in memory."""
            rows = tf.reshape(rows, (-1, self.networks, GATES[self.cell], self.units))
            return tf.transpose(rows, (2, 1, 0, 3))

        inputs = gates_first(projected)
        recurrent_kernel = gates_first(tf.transpose(recurrent_kernel, (1, 0, 2)))
        if recurrent_bias is not None:
            recurrent_bias = gates_first(recurrent_bias)
        if steps is not None:
            steps = tf.einsum("lrs,grsh->lgrh", self._step_reads(steps.dtype), gates_first(steps))
            steps = tf.unstack(steps[:, :, :, None])
        advance = {"simple_rnn": _simple_rnn, "gru": _gru, "lstm": _lstm}[self.cell]
        hidden = state = tf.zeros((), inputs.dtype)
        for number in range(self.subsequence_length):
            step_inputs, inputs = fork(inputs, 2)
            if steps is not None:
                step_inputs += steps[number]
            recurrent = None  # the state before the first step is zero
            if number:
                kernel, recurrent_kernel = fork(recurrent_kernel, 2)
                recurrent = hidden @ kernel
            if recurrent_bias is not None:
                bias, recurrent_bias = fork(recurrent_bias, 2)
                recurrent = bias if recurrent is None else recurrent + bias
            hidden, state = advance(step_inputs, recurrent, hidden, state)
        return hidden

    def _step_reads(self, dtype) -> tf.Tensor:
        """Returns 1 where a network reads a step of the sequence, `(L, R, S)`.

        A product with it picks the steps, and its gradients are one sum.
        """
        return tf.one_hot(self._step_orders(), self.sequence_length, dtype=dtype)

    def _step_orders(self) -> list[list[int]]:
        """Returns, for each step of the recurrence, the steps that the networks read."""
        networks = []
        for part in subsequence_steps(self.num_tasks, self.subsequence_length, self.interval):
            networks.append(list(part))
            if self.bidirectional:
                networks.append(list(reversed(part)))
        return [list(order) for order in zip(*networks, strict=True)]

    def _initial_bias(self, shape, dtype=None):
        """Returns zeros, and ones for the forget gates."""
        bias = tf.zeros((self.networks, GATES[self.cell], self.units), dtype)
        if self.cell == "lstm":
            forget = tf.one_hot(1, GATES[self.cell], dtype=bias.dtype)
            bias += forget[:, None]
        return tf.reshape(bias, shape)


def _simple_rnn(inputs, recurrent, hidden, state):
    hidden = tf.tanh(_sum(inputs, recurrent)[0])
    return hidden, hidden


def _gru(inputs, recurrent, hidden, state):
    update_x, reset_x, candidate_x = tf.unstack(inputs, 3)
    update_h, reset_h, candidate_h = tf.unstack(recurrent, 3)
    update = tf.sigmoid(update_x + update_h)
    candidate = tf.tanh(candidate_x + tf.sigmoid(reset_x + reset_h) * candidate_h)
    hidden = update * hidden + (1 - update) * candidate
    return hidden, hidden


def _lstm(inputs, recurrent, hidden, state):
    entry, forget, candidate, output = tf.unstack(_sum(inputs, recurrent), 4)
    state = tf.sigmoid(forget) * state + tf.sigmoid(entry) * tf.tanh(candidate)
    return tf.sigmoid(output) * tf.tanh(state), state


def _sum(inputs, recurrent):
    return inputs if recurrent is None else inputs + recurrent
