r"""Says what a training step of each model spends its time on, by kind of operation.

  python -m benchmarks.step_profile --prepared=data/benchmark/W/prepared --models=mmoe,dephn

A step runs on one thread, and of each operation in it the least time over all steps counts. The
times add up to a step's processor time but for what TensorFlow takes between operations. Other work
on the machine shows in operations that take longer than the time that a thread is left alone.
"""

import collections
import dataclasses
import itertools
import pathlib
import re
import tempfile
from collections.abc import Mapping

from benchmarks.workload import BATCH, EMBEDDING_DIM, MODELS
from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import required, setting
from experiments.reports.grid import Column, Grid, Number, Text

# The kinds in their order, and the operations of each; what is in none is elementwise.
KINDS = {
    "products": r".*MatMul.*|Einsum",
    "embedding rows": r"ResourceGather|DcrnnPooledRows.*|SparseSegment.*|Unique.*",
    "Adam": r"Dcrnn.*Adam.*|DcrnnCatchUp|.*ResourceApply.*|ResourceScatter.*",
    "recurrent steps": r"Dcrnn(Lstm|Gru).*",
    "mixtures": r"DcrnnMixture.*",
    "Dice and lists": r"DcrnnDice.*|DcrnnList.*|.*Segment(Sum|Max).*",
    "copies": r"Transpose|Concat.*|Pack|Unpack|Split.*|.*Slice.*|Pad.*|Tile|GatherV2|Where",
    "sums": r"Sum|Mean|BiasAddGrad|AddN|L2Loss",
}
REST = "other elementwise"
_EVENT = re.compile(r"[\w./>\-]+:[A-Z_]\w+(#.*)?")  # of an operation, `name:Type`
_PREPARING = 4  # steps before the first that counts


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models are profiled, and on which data."""

    prepared: str = required("Folder of a prepared dataset.")
    models: tuple[str, ...] = setting(
        ("mmoe", "dcrnn_ada", "dephn"),
        "Names of models: those of the benchmark, with its settings, or any with default ones.",
    )
    steps: int = setting(20, "Number of steps of which the least times are taken.", lower=1)
    operations: int = setting(0, "How many operations that take the most time are named.", lower=0)


def kind_of(operation: str) -> str:
    """Returns the kind of a type of operations."""
    return next((k for k, pattern in KINDS.items() if re.fullmatch(pattern, operation)), REST)


def least_times(folder: pathlib.Path) -> dict[str, float]:
    """Returns milliseconds of a step by type of operation, of a trace that TensorFlow wrote.

    Args:
      folder: Folder of the trace of some steps.

    Raises:
      UserError: There is no trace.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    file = next(folder.rglob("*.xplane.pb"), None)
    if file is None:
        raise UserError(f"TensorFlow wrote no trace to {folder}; free some room on its disk")
    times: dict[str, list[float]] = collections.defaultdict(list)
    for plane in xplane_pb2.XSpace.FromString(file.read_bytes()).planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for event in itertools.chain.from_iterable(line.events for line in plane.lines):
            if _EVENT.fullmatch(name := names[event.metadata_id]):
                times[name.split("#")[0]].append(event.duration_ps / 1e9)
    by_operation: dict[str, float] = collections.defaultdict(float)
    for name, found in times.items():
        by_operation[name.split(":")[1]] += min(found)
    return dict(by_operation)


def profile(settings: Settings, name: str) -> dict[str, float]:
    """Returns milliseconds of a model's step by type of operation.

    Args:
      settings: Dataset and number of steps.
      name: Name of the model.
    """
    import keras
    import tensorflow as tf

    from dcrnn_tf import models
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.training import losses
    from dcrnn_tf.training.trainer import Trainer, TrainingSettings

    dataset = PreparedDataset(settings.prepared)
    batches = list(itertools.islice(dataset.batches("train", BATCH, seed=1, epoch=0), 8))
    keras.utils.set_random_seed(1)
    kind, given = MODELS.get(name, (name, {}))
    model = models.build(kind, dataset.schema, embedding_dim=EMBEDDING_DIM, **given)
    weights = losses.positive_weights(dataset.schema, "auto")
    training = TrainingSettings(batch_size=BATCH, learning_rate=1e-4)
    with tempfile.TemporaryDirectory() as run, tempfile.TemporaryDirectory() as trace:
        trainer = Trainer(model, dataset, training, weights, run)
        for batch in itertools.islice(itertools.cycle(batches), _PREPARING):
            trainer.train_step(*batch)
        tf.profiler.experimental.start(trace)
        for batch in itertools.islice(itertools.cycle(batches[:1]), settings.steps):
            trainer.train_step(*batch)
        tf.profiler.experimental.stop()
        return least_times(pathlib.Path(trace))


def table(by_model: Mapping[str, Mapping[str, float]]) -> Grid:
    """Returns milliseconds by kind, one column a model."""
    found = {
        model: {
            kind: sum(ms for operation, ms in times.items() if kind_of(operation) == kind)
            for kind in (*KINDS, REST)
        }
        for model, times in by_model.items()
    }
    lines = [kind for kind in (*KINDS, REST) if any(times[kind] > 0.05 for times in found.values())]
    columns: list[Column] = [Text("milliseconds of a step", lambda kind: kind)]
    for model, times in found.items():
        whole = times | {"all": sum(times.values())}
        columns.append(Number(model, whole.__getitem__, ".1f"))
    return Grid.of("A step", columns, [*lines, "all"])


def main(settings: Settings) -> None:
    """Runs the program."""
    import tensorflow as tf

    command_line.use_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    by_model = {model: profile(settings, model) for model in settings.models}
    print(table(by_model).markdown())
    for model, times in by_model.items() if settings.operations else ():
        most = sorted(times.items(), key=lambda item: -item[1])[: settings.operations]
        print(f"{model}: {', '.join(f'{operation} {ms:.2f}' for operation, ms in most)}")


if __name__ == "__main__":
    command_line.run(main, Settings)
