"""Customised gate control, CGC: experts of each task beside shared ones (PLE)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.experts.experts import Experts
from dcrnn_tf.layers.experts.mixture import mixture
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class GateControl(Layer):
    """One level of progressive layered extraction (Tang et al., RecSys 2020, Eq. 1 to 3).

    Task t mixes its P experts and the S shared ones, by a gate on its input x_t:
    `g_t = softmax(x_t W_t)`, without bias, and `out_t = sum_e g_t[e] f_e(x_e)`, where x_e is the
    input of the group that expert e belongs to. The shared gate, where there is one, mixes all
    `E = T P + S` experts by the input of the shared group. Experts are ReLU perceptrons.

    At the first level all groups read one input, and the first layers of all experts are one
    matrix product, as are the gates. All mixtures are one product with the shares, which are 0
    where a gate does not have an expert.

    Args:
      num_tasks: Number of tasks, T.
      num_shared_experts: Number of shared experts, S.
      num_task_experts: Number of experts of each task, P.
      units: Widths of the layers of an expert.
      shared_gate: Whether there is a shared gate; the last level has none.
      dropout: Share of the outputs of every layer of an expert that is dropped in training.
      normalization: Normalisation in these layers: `none`, `batch` or `layer`.

    Call arguments:
      inputs: One input for all groups, `(batch, d)`, or one for each task and then that of the
        shared experts, `(T + 1, batch, d)`.
      compiled: Whether a compiled operation may mix; see `MultiTaskModel.takes_compiled`.

    Returns:
      The mixture of each task and, with `shared_gate`, the shared one, `(G, batch, units[-1])` with
      `G = T + shared_gate`.

    Raises:
      ValueError: There are no shared experts, or none of a task.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> level = layers.GateControl(num_tasks=2, units=[8, 4], shared_gate=True)
      >>> level(tf.ones((5, 6))).shape  # of two tasks, and the shared one
      TensorShape([3, 5, 4])
    """

    def __init__(
        self,
        num_tasks: int,
        num_shared_experts: int = 4,
        num_task_experts: int = 2,
        units: Sequence[int] = (128, 64),
        shared_gate: bool = False,
        dropout: float = 0.0,
        normalization: str = "none",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_shared_experts < 1 or num_task_experts < 1:
            raise ValueError(
                f"num_shared_experts={num_shared_experts} and num_task_experts={num_task_experts} "
                "must be at least 1"
            )
        self.num_tasks = num_tasks
        self.num_shared_experts = num_shared_experts
        self.num_task_experts = num_task_experts
        self.num_experts = num_tasks * num_task_experts + num_shared_experts
        self.units = tuple(units)
        self.shared_gate = shared_gate
        self.dropout = dropout
        self.normalization = normalization
        self.experts: tuple[Experts, ...] = ()

    def build(self, input_shape) -> None:
        """Creates the experts, of all groups in one or group by group, and the gates' kernels.

        That of the tasks' gates is `(d, T * (P + S))` for one input and `(T, d, P + S)` for
        several, that of the shared one is `(d, E)`.
        """
        depth = input_shape[-1]
        self.one_input = len(input_shape) == 2
        groups = {"experts": self.num_experts}
        if not self.one_input:
            groups = {f"experts_{t}": self.num_task_experts for t in range(self.num_tasks)}
            groups["shared_experts"] = self.num_shared_experts
        self.experts = tuple(
            Experts(
                number,
                self.units,
                self.dropout,
                self.normalization,
                name=name,
                dtype=self.dtype_policy,
            )
            for name, number in groups.items()
        )
        for experts in self.experts:
            experts.build((None, depth))
        width = self.num_task_experts + self.num_shared_experts
        shape: tuple[int, ...] = (self.num_tasks, depth, width)
        if self.one_input:
            shape = (depth, self.num_tasks * width)
        initializer = blockwise(
            keras.initializers.GlorotUniform, self.num_tasks, axis=1 if self.one_input else 0
        )
        self.task_gates = self.add_weight(name="task_gates", shape=shape, initializer=initializer)
        self.shared_gate_kernel = None
        if self.shared_gate:
            self.shared_gate_kernel = self.add_weight(
                name="shared_gate", shape=(depth, self.num_experts), initializer="glorot_uniform"
            )

    def call(self, inputs: tf.Tensor, compiled: bool = False) -> tf.Tensor:
        """Returns the mixtures."""
        if not self.one_input:
            inputs = tf.unstack(inputs, num=self.num_tasks + 1)
        return mixture(self._shares(inputs), self._outputs(inputs), compiled)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(G, batch, units[-1])`."""
        return (self.num_tasks + self.shared_gate, input_shape[-2], self.units[-1])

    def outputs(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the experts' outputs, `(E, batch, units[-1])`, in the order of `shares`."""
        inputs = tf.cast(inputs, self.compute_dtype)
        return self._outputs(
            inputs if self.one_input else tf.unstack(inputs, num=self.num_tasks + 1)
        )

    def _outputs(self, inputs) -> tf.Tensor:
        outputs = [experts(x) for experts, x in zip(self.experts, self._each(inputs), strict=True)]
        return outputs[0] if self.one_input else tf.concat(outputs, axis=0)

    def shares(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the gates, `(batch, G, E)`, 0 where a gate does not have an expert.

        The experts' order: the first task's, the second's, and so on, then the shared ones.
        """
        inputs = tf.cast(inputs, self.compute_dtype)
        return self._shares(
            inputs if self.one_input else tf.unstack(inputs, num=self.num_tasks + 1)
        )

    def _each(self, inputs) -> Sequence[tf.Tensor]:
        return [inputs] if self.one_input else inputs

    def _shares(self, inputs) -> tf.Tensor:
        """Returns the `shares` of the input, or of the list of inputs."""
        tasks, own = self.num_tasks, self.num_task_experts
        task, shared = self._scores(inputs)
        task = tf.nn.softmax(task)
        mine, common = tf.split(task, [own, self.num_shared_experts], axis=2)
        own_columns = tf.eye(tasks, dtype=task.dtype)[:, :, None]
        mine = tf.reshape(mine[:, :, None, :] * own_columns, (-1, tasks, tasks * own))
        shares = tf.concat([mine, common], axis=2)
        if shared is not None:
            shares = tf.concat([shares, tf.nn.softmax(shared)[:, None]], axis=1)
        return shares

    def _scores(self, inputs) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns the scores before the softmax.

        Those of the tasks' gates are `(batch, T, P + S)`, those of the shared gate `(batch, E)`.
        """
        tasks = self.num_tasks
        width = self.num_task_experts + self.num_shared_experts
        kernel = tf.cast(tf.convert_to_tensor(self.task_gates), self.compute_dtype)
        shared = None
        if self.shared_gate:
            shared = tf.cast(tf.convert_to_tensor(self.shared_gate_kernel), self.compute_dtype)
        if not self.one_input:
            scores = [
                x @ own for x, own in zip(inputs, tf.unstack(kernel, num=tasks), strict=False)
            ]
            shared = inputs[-1] @ shared if self.shared_gate else None
            return tf.stack(scores, axis=1), shared
        # One product for all gates: the input then gets two gradients, of experts and of gates.
        kernels = kernel if shared is None else tf.concat([kernel, shared], axis=1)
        scores = product(inputs, kernels)
        if shared is not None:
            scores, shared = tf.split(scores, [tasks * width, self.num_experts], axis=1)
        return tf.reshape(scores, (-1, tasks, width)), shared
