"""ESM2: a conversion through an action after the click, or without one."""

import itertools
from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.layers import Experts, Tower, fork, joint_logit
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("esm2", label="ESM2", width="network_units")
class ESM2(MultiTaskModel):
    """A click, an action after it, and a conversion after either (Wen et al., SIGIR 2020).

    The paths to a conversion are multiplied out, so that all networks are trained on all exposures.
    With the networks' logits a to d:

        p(click) = sigmoid(a)
        p(action) = sigmoid(a) sigmoid(b)
        p(conversion) = sigmoid(a) (sigmoid(b) sigmoid(c) + (1 - sigmoid(b)) sigmoid(d))

    An action is what makes a conversion likely, such as a cart or a wish list; sigmoid(c) is the
    probability of a conversion after an action, sigmoid(d) of one without. An action and a
    conversion need a click, a conversion needs no action. With two tasks, click and conversion, it
    is ESMM. Everything is computed on logits.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of two or three tasks, the first of which all others need.
      network_units: Widths of the first layers of a network.
      tower_units: Widths of its last hidden layers.
      tasks_in_sequence: Whether the probabilities after the first task are derived outputs.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There are neither two nor three tasks, or there is no layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> tasks = (Task("click"), Task("cart"), Task("order"))
      >>> model = models.build("esm2", Schema("shop", fields, tasks, splits={}))
      >>> model.network_names
      ('click', 'cart_after_click', 'order_after_cart', 'order_without_cart')
    """

    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        network_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        tasks_in_sequence: bool = True,
        **kwargs,
    ):
        super().__init__(fields, tasks, tasks_in_sequence=tasks_in_sequence, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        if len(self.tasks) not in (2, 3):
            raise ValueError(
                "it needs two or three tasks, such as click, cart and order, and the dataset has "
                f"{len(self.tasks)}: {', '.join(self.tasks)}"
            )
        names = ascii_names(self.network_names).values()
        self.networks = Experts(len(names), network_units, name="networks", **self.dense_options)
        self.tower_units = tuple(tower_units)
        self.towers = tuple(
            Tower(self.tower_units, name=f"{name}_tower", **self.dense_options) for name in names
        )

    @property
    def network_names(self) -> tuple[str, ...]:
        """The names of what the networks predict."""
        click, *actions, last = self.tasks
        if not actions:
            return click, f"{last}_after_{click}"
        (action,) = actions
        return (
            click,
            f"{action}_after_{click}",
            f"{last}_after_{action}",
            f"{last}_without_{action}",
        )

    @property
    def bounds_tasks(self) -> bool:
        """True: the other tasks' probabilities are parts of the first one's."""
        return True

    @property
    def needed_tasks(self) -> tuple[tuple[str, str], ...]:
        """The first task, which each other one needs."""
        return tuple(itertools.product(self.tasks[:1], self.tasks[1:]))

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the logits of the tasks, per exposure."""
        hidden = tf.unstack(self.networks(self.flattened(embeddings)), num=len(self.towers))
        click, *others = (
            tf.cast(tower(own), self.variable_dtype)
            for tower, own in zip(self.towers, hidden, strict=True)
        )
        copies = fork(click, len(self.tasks))
        if len(self.tasks) == 2:
            return [copies[0], joint_logit(copies[1], others[0])]
        action, after, without = others
        action, share = fork(action, 2)
        conversion = _either(share, after, without)
        return [copies[0], joint_logit(copies[1], action), joint_logit(copies[2], conversion)]


def _either(share: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the logit of `s sigmoid(one) + (1 - s) sigmoid(other)`, s being `sigmoid(share)`."""
    positive, negative = fork(tf.stack([share, -share]), 2)
    ones, others = fork(tf.stack([one, other]), 2)
    yes = tf.math.log_sigmoid(positive) + tf.math.log_sigmoid(ones)
    no = tf.math.log_sigmoid(negative) + tf.math.log_sigmoid(-others)
    return tf.reduce_logsumexp(yes, axis=0) - tf.reduce_logsumexp(no, axis=0)
