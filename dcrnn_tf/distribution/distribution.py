"""Synchronous training on several devices or machines."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from dcrnn_tf.dataset.batch_parts import BatchParts
from dcrnn_tf.distribution import rendezvous
from dcrnn_tf.distribution.heartbeat import Heartbeat
from dcrnn_tf.distribution.replicas import sum_over_replicas
from dcrnn_tf.optimizers import merge_repeated_rows
from dcrnn_tf.system.errors import UserError, WorkerLostError

_STEPS_UNTIL_AGREED = 10  # several workers obey a signal at multiples of this number of steps
_LOST = (  # what TensorFlow says when another worker does not answer
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


class DistributionError(UserError):
    """The description of the devices or machines to train on is wrong."""


class Distribution:
    """The replicas that train a model together; a single one where there is no strategy.

    Each replica holds all variables and computes its part of every batch. Gradients are added up
    over the replicas before any variable changes, and each replica makes the same change, so that a
    step equals that of one process with the whole batch, but for the order in which numbers are
    added.

    Args:
      strategy: `MirroredStrategy` or `MultiWorkerMirroredStrategy`; None for one replica.
      heartbeat: Heartbeat of this process, set at every step.
      parameter_servers: Whether other processes hold variables of this one.

    Attributes:
      replicas: Number of replicas.
      workers: Number of processes that the replicas are in.
      worker: Number of this process, from 0.
      parts: Parts of each batch that this process computes; None where there is no strategy.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        heartbeat: Heartbeat | None = None,
        parameter_servers: bool = False,
    ):
        self._parameter_servers = parameter_servers
        self._strategy: Any = strategy
        self._gatherings: dict[str, Callable] = {}
        self._heartbeat = heartbeat
        self.replicas = self.workers = 1
        self.worker = 0
        self.parts: BatchParts | None = None
        if strategy is None:
            return
        self.replicas = strategy.num_replicas_in_sync
        own = len(strategy.extended.worker_devices)
        self.workers = self.replicas // own
        self.worker = _number_of_worker(strategy.cluster_resolver)
        self._first_replica = self.worker * own
        own_replicas = range(self._first_replica, self._first_replica + own)
        self.parts = BatchParts(tuple(own_replicas), self.replicas)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes files and messages."""
        return self.worker == 0

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context to make models and trainers in, so that each replica has a copy."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def on_replicas(self, step: Callable[..., None]) -> Callable[..., None]:
        """Returns a step as a function of the items of `PreparedDataset.batches(..., parts=parts)`.

        Args:
          step: Function called on each replica, with the features, labels and share of its part,
            and its weights if there are any; without a strategy without a share.
        """
        if self._strategy is None:
            return lambda features, labels, *weights: step(features, labels, None, *weights)

        def on_one(*parts: Sequence):
            return step(*(items[self._position()] for items in parts))

        return lambda *parts: self._strategy.run(on_one, parts)

    def means_of_part(self, losses: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the means over a replica's rows of the losses that Keras gives on it.

        Keras has divided them by the number of replicas, as if all parts were of one size.
        """
        if self.replicas == 1:
            return dict(losses)
        return {name: loss * self.replicas for name, loss in losses.items()}

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Returns all workers' arrays one after the other, on every worker.

        Args:
          array: `(length,)`, float32 or int64; lengths may differ.
        """
        if self.workers == 1:
            return array
        kind = array.dtype.name
        if kind not in self._gatherings:
            # Traced for any length at once: workers that traced anew at different times would take
            # one another's messages for others.
            traced = tf.function(self._gather_on_replicas, autograph=False)
            spec = tf.TensorSpec((None,), array.dtype)
            self._gatherings[kind] = traced.get_concrete_function(spec)
        result = self._gatherings[kind](tf.convert_to_tensor(array))
        return self._strategy.experimental_local_results(result)[0].numpy()

    def _gather_on_replicas(self, own: tf.Tensor):
        def on_one(own: tf.Tensor) -> tf.Tensor:
            # One replica of a worker sends its array.
            own = tf.identity(own) if self._position() == 0 else own[:0]
            return tf.distribute.get_replica_context().all_gather(own, axis=0)

        return self._strategy.run(on_one, (own,))

    def check_same(self, step: int | None) -> None:
        """Compares the steps that the workers continue from.

        Raises:
          DistributionError: The steps differ.
        """
        steps = self.gather(np.array([-1 if step is None else step]))
        if len(set(steps.tolist())) > 1:
            names = ", ".join("none" if s < 0 else str(s) for s in steps.tolist())
            raise DistributionError(
                f"the workers find checkpoints of different steps ({names}); run_dir must be in a "
                "file system that all of them share"
            )

    def agreed(self, number: int | None, step: int = 0) -> int | None:
        """Returns the signal that all workers obey at this step, if one of them has received any.

        Args:
          number: Number of the signal that this worker has received.
          step: Step that this worker is at; workers exchange signals at some steps only.
        """
        if self.workers == 1:
            return number
        if step % _STEPS_UNTIL_AGREED:
            return None
        return int(self.gather(np.array([number or 0])).max()) or None

    def wait(self) -> None:
        """Waits until every worker has called this method."""
        self.gather(np.zeros(1, np.int64))

    def beat(self) -> None:
        """Records that this process makes progress."""
        if self._heartbeat is not None:
            self._heartbeat.beat()

    @contextlib.contextmanager
    def naming_lost_workers(self) -> Iterator[None]:
        """Turns TensorFlow's errors about workers that do not answer into one sentence.

        Raises:
          WorkerLostError: Another worker does not answer.
        """
        try:
            yield
        except (*_LOST, TypeError) as error:
            # Keras, while a model is built, turns some of them into a TypeError of its own making.
            if not isinstance(error, _LOST) and not isinstance(error.__context__, _LOST):
                raise
            if self.workers == 1 and not self._parameter_servers:
                raise
            raise WorkerLostError(
                f"this process cannot go on, since another one does not answer "
                f"({_in_one_line(error)}); start all of them again: they go on from the last "
                "checkpoint"
            ) from None

    def _position(self) -> int:
        """Number of the replica within this process, from 0; known when a step is traced."""
        context = tf.distribute.get_replica_context()
        number = int(tf.get_static_value(context.replica_id_in_sync_group))
        return number - self._first_replica


def build(
    name: str,
    heartbeat_file: str | None = None,
    parameter_servers: Sequence[str] = (),
    join_seconds: float = 600.0,
) -> Distribution:
    """Returns a distribution by name; called before TensorFlow computes anything.

    Args:
      name: `none`; `mirrored`, over this machine's GPUs; or `multi_worker`, over the processes
        that the environment variable TF_CONFIG names, which all run the same program.
      heartbeat_file: Path of a file whose age is the time since the last step.
      parameter_servers: addresses of running parameter servers, whose devices become
        `/job:ps/task:0` and so on; for `none` alone.
      join_seconds: Longest time to wait for the other processes; for `multi_worker` alone.

    Raises:
      DistributionError: TF_CONFIG is missing or has another form.
      WorkerLostError: The processes cannot connect to each other.
    """
    heartbeat = Heartbeat(heartbeat_file) if heartbeat_file else None
    if name == "none":
        if parameter_servers:
            _connect(parameter_servers)
        return Distribution(None, heartbeat, bool(parameter_servers))
    if name == "mirrored":
        return Distribution(tf.distribute.MirroredStrategy(), heartbeat)
    own, others = _addresses(os.environ.get("TF_CONFIG"))
    rendezvous.wait_for(own, others, join_seconds)
    logging.set_verbosity(logging.WARNING)  # at INFO, every collective operation is logged
    try:
        return Distribution(tf.distribute.MultiWorkerMirroredStrategy(), heartbeat)
    except tf.errors.OpError as error:
        raise WorkerLostError(
            f"this worker cannot listen at its address in TF_CONFIG, or does not find the others "
            f"({_in_one_line(error)}); start all of them again"
        ) from None


def _connect(parameter_servers: Sequence[str]) -> None:
    try:
        tf.config.experimental_connect_to_host(list(parameter_servers), job_name="ps")
    except (tf.errors.OpError, ValueError) as error:
        raise WorkerLostError(
            f"the parameter servers {', '.join(parameter_servers)} cannot be reached "
            f"({_in_one_line(error)}); start them before this program"
        ) from None


def weigh(
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None], share: tf.Tensor
) -> list[tf.Tensor | tf.IndexedSlices | None]:
    """Returns the contributions of a replica's gradients to those of the batch.

    Losses are means, so that the batch's is `sum_r share_r loss_r`. Repeated rows of a table are
    summed, since every slice is sent to all replicas; the optimizer sums again what it receives.

    Args:
      gradients: Gradients of the loss of the replica's part.
      share: Share of that part in the rows of the batch.
    """
    weighed = []
    for gradient in gradients:
        if isinstance(gradient, tf.IndexedSlices):
            merged = merge_repeated_rows(gradient)
            gradient = tf.IndexedSlices(
                merged.values * tf.cast(share, merged.values.dtype),
                merged.indices,
                merged.dense_shape,
            )
        elif gradient is not None:
            gradient *= tf.cast(share, gradient.dtype)
        weighed.append(gradient)
    return weighed


def batch_means(scalars, share: tf.Tensor):
    """Returns the scalars of the whole batch, `sum_r share_r scalar_r`, from those of its parts.

    Args:
      scalars: Scalars in dicts, lists or tuples.
      share: Share of the replica's part in the rows of the batch.

    Returns:
      The same structure, float64.
    """
    flat = [tf.cast(scalar, tf.float64) for scalar in tf.nest.flatten(scalars)]
    means = sum_over_replicas(tf.stack(flat) * tf.cast(share, tf.float64))
    return tf.nest.pack_sequence_as(scalars, tf.unstack(means, num=len(flat)))


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _number_of_worker(resolver: tf.distribute.cluster_resolver.ClusterResolver | None) -> int:
    if resolver is None or not resolver.task_type:
        return 0
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)


def _addresses(config: str | None) -> tuple[str, list[str]]:
    """Returns the address of this process and those of the others, which TF_CONFIG describes."""
    example = (
        '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        described = json.loads(config or "")
        cluster, task = described["cluster"], described["task"]
        kind, index = task["type"], task["index"]
        own = cluster[kind][index]
        addresses = [address for job in cluster.values() for address in job]
        for address in addresses:
            rendezvous.split(address)
        if (
            set(cluster) - {"chief", "worker"}
            or isinstance(index, bool)
            or index < 0
            or len(set(addresses)) < len(addresses)
        ):
            raise ValueError
        return own, [address for address in addresses if address != own]
    except (ValueError, TypeError, LookupError, AttributeError):
        raise DistributionError(
            "the strategy multi_worker needs the environment variable TF_CONFIG, such as "
            f"{example}, and it is {config!r}; set it in the environment of every process"
        ) from None
