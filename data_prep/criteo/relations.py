r"""Makes Criteo-R and Criteo-UR: two tasks whose relation is known, on Criteo's features.

  python -m data_prep.criteo.relations --data_dir=data/criteo --out_dir=data/criteo_relations

OUT/criteo_r has the tasks base and related, OUT/criteo_ur base and unrelated. A small feed-forward
network is trained on the clicks of a prepared Criteo; its logit is the confidence c of a row. The
labels say where c, `related(c)` and `unrelated(c)` are above 0; the features stay as they are.
Beside the shards, `confidence_SPLIT.npy` holds each row's c, float32, in the dataset's order.

The functions are not linear, so that the range of c decides everything: for |c| below 1 both labels
are nearly the base label, for large |c| the exponential term of the one and the waves of the other
take over. DEPHN's authors print the correlations of c with both functions over their rows (0.9877
and 0.5288) and not the range. `--confidence_scale` multiplies c. `auto` looks at the first 131,072
training rows and at factors from 1/16 to 16: from the one at which c's correlation with
`unrelated(c)` is highest it goes up to where that has come down to theirs; where it never does, it
takes the factor that comes nearest.
"""

import contextlib
import dataclasses
import math
import pathlib

import numpy as np
import tqdm
from absl import logging

from data_prep.criteo.planting import (
    BASE,
    RELATED,
    SIGN_OF_BOTH,
    UNRELATED,
    choose_scale,
    measure,
    plant,
    source_of,
)
from data_prep.storage.dataset_folder import check_absent
from data_prep.storage.work_folder import WorkFolder
from data_prep.storage.writer import DatasetWriter
from dcrnn_tf.dataset.schema import (
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Schema,
    Task,
    load_schema,
)
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from dcrnn_tf.system.whole_folder import whole_folder

CLICK = "click"
DATASETS = {"criteo_r": RELATED, "criteo_ur": UNRELATED}
CONFIDENCE = "confidence"
AUTO = "auto"

NETWORK = {"embedding_dim": 16, "bottom_units": [64, 32], "tower_units": []}
TRAINING = {"batch_size": 512, "learning_rate": 1e-3}
READ_ROWS = 1 << 16
SCALE_ROWS = 1 << 17  # the first training rows, by which `auto` chooses the scale


def make(
    data_dir: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    noise: float = 0.1,
    confidence_scale: float | str = 1.0,
    epochs: int = 2,
    seed: int = 0,
) -> dict[str, Schema]:
    """Makes both datasets.

    Args:
      data_dir: prepared dataset with the task click alone, such as `data_prep.criteo` makes it.
      out_dir: folder to make; must not exist.
      noise: standard deviation of the noise in `related`.
      confidence_scale: factor on the network's logit, or `auto`.
      epochs: passes of the network over the training rows.
      seed: Seed of the network, the noise and the shuffle.

    Returns:
      The schemas by name; the `relations` of their `source` hold what was measured.

    Raises:
      DatasetError: the input is not as it must be, `out_dir` exists, or a label would be constant.
    """
    out_dir = pathlib.Path(out_dir)
    check_absent(out_dir)
    schema = load_schema(data_dir)
    _check_input(data_dir, schema)
    network = {"model": NETWORK, **TRAINING, "epochs": epochs, "seed": seed}
    work = WorkFolder(
        out_dir.with_name(out_dir.name + ".work"),
        {"dataset": schema.fingerprint, "network": network},
    )
    logits, network_auc = _confidences(data_dir, work, network)
    scale = confidence_scale
    if scale == AUTO:
        scale = choose_scale(logits["train"][:SCALE_ROWS])
    confidences = {split: values * np.float32(scale) for split, values in logits.items()}
    planted = {task: plant(task, confidences, noise, seed) for task in DATASETS.values()}
    settings = {
        "noise": noise,
        "confidence_scale": confidence_scale,
        "epochs": epochs,
        "seed": seed,
    }
    sources = {}
    for name, task in DATASETS.items():
        facts = measure(task, confidences, planted[task])
        facts |= {"confidence_scale": round(float(scale), 6), "network_auc": network_auc}
        sources[name] = source_of(schema, settings, facts, confidences, planted[task])
    with whole_folder(out_dir) as partial:
        schemas = _write(data_dir, partial, seed, confidences, planted, sources)
        # Before the dataset appears: what is there is not made again, and nobody would remove it.
        work.remove()
    return schemas


def summary(schemas: dict[str, Schema]) -> str:
    """Says in a few lines what was planted."""
    lines = []
    for name, schema in schemas.items():
        facts = schema.source["relations"]
        total = sum(split.rows for split in schema.splits.values())
        lines += [
            f"{name}: {total:,} rows, {schema.source['simulation']['labels']}",
            f"  correlation of c with {facts['task']}(c): {facts['correlation']:.4f} "
            f"(published {facts['published_correlation']})"
            + (
                f"; with the sign over both terms {facts[SIGN_OF_BOTH]:.4f}"
                if SIGN_OF_BOTH in facts
                else ""
            ),
            f"  both labels agree on {facts['agreement']:.4f} of the rows; positive: "
            + ", ".join(f"{task} {rate:.4f}" for task, rate in facts["positive_rates"].items()),
        ]
        spread = facts["confidence"]
    lines.append(
        f"c, scaled by {facts['confidence_scale']:.4f}: mean {spread['mean']:.3f}, standard "
        f"deviation {spread['standard_deviation']:.3f}, from {spread['least']:.3f} to "
        f"{spread['largest']:.3f}; the network's AUC of click: "
        + ", ".join(
            f"{split} {value:.4f}"
            for split, value in facts["network_auc"].items()
            if value is not None
        )
    )
    return "\n".join(lines)


def _check_input(data_dir: str | pathlib.Path, schema: Schema) -> None:
    if schema.task_names != (CLICK,):
        raise DatasetError(
            f"{data_dir} has the tasks {', '.join(schema.task_names)}, expected {CLICK} alone; "
            "give a dataset that data_prep.criteo has made"
        )
    odd = [f.name for f in schema.fields if f.kind == MULTI_CATEGORICAL or f.entity]
    if odd:
        raise DatasetError(
            f"{data_dir}: field {odd[0]} is a list or of an entity table, expected single values; "
            "give a dataset that data_prep.criteo has made"
        )


def _confidences(data_dir: str | pathlib.Path, work: WorkFolder, network: dict):
    """Each split's logits in the order on disk, and their AUC; trains unless that is done."""
    done = work.load("network.json")
    if done is None:
        # Imported late, so that --help and a mistyped flag are answered at once.
        import keras

        from dcrnn_tf import models
        from dcrnn_tf.dataset.reader import PreparedDataset
        from dcrnn_tf.training.trainer import Trainer, TrainingSettings

        dataset = PreparedDataset(data_dir)
        keras.utils.set_random_seed(network["seed"])
        model = models.build("shared_bottom", dataset.schema, **network["model"])
        chosen = {name: value for name, value in network.items() if name != "model"}
        trainer = Trainer(
            model, dataset, TrainingSettings(**chosen), {CLICK: 1.0}, work.path / "network"
        )
        trainer.restore()
        trainer.train()
        done = {}
        for split in dataset.schema.splits:
            labels, logits = trainer.predictor.predict(dataset, split)
            np.save(work.path / f"{split}.npy", logits[CLICK])
            done[split] = auc(labels[CLICK], logits[CLICK])
        work.save("network.json", done)
    return {split: np.load(work.path / f"{split}.npy", allow_pickle=False) for split in done}, done


def _write(
    data_dir: str | pathlib.Path,
    out_dir: pathlib.Path,
    seed: int,
    confidences: dict,
    planted: dict,
    sources: dict,
) -> dict[str, Schema]:
    """Writes both datasets, the rows of both in the same order."""
    from dcrnn_tf.dataset.reader import PreparedDataset

    dataset = PreparedDataset(data_dir)
    schema = dataset.schema
    largest = max(split.rows for split in schema.splits.values())
    total = sum(split.rows for split in schema.splits.values())
    with contextlib.ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                DatasetWriter(
                    out_dir / name,
                    name,
                    schema.fields,
                    (Task(BASE), Task(task)),
                    seed,
                    largest,
                    (CONFIDENCE,),
                )
            )
            for name, task in DATASETS.items()
        }
        for field in schema.fields:
            if field.kind != NUMERIC:
                vocabulary = load_vocabulary(data_dir, field)
                for writer in writers.values():
                    writer.add_vocabulary(field.name, vocabulary.ids, vocabulary.counts)
        with _bar("planting", total) as bar:
            for split, confidence in confidences.items():
                start = 0
                for features, _ in dataset.batches(split, READ_ROWS):
                    columns = {name: column.numpy() for name, column in features.items()}
                    rows = slice(start, start := start + len(next(iter(columns.values()))))
                    columns[CONFIDENCE] = confidence[rows]
                    columns[BASE] = confidence[rows] > 0
                    for name, task in DATASETS.items():
                        label = {task: planted[task][split][rows] > 0}
                        writers[name].add_rows(split, columns | label)
                    bar.update(len(columns[BASE]))
        with _bar("shuffling", len(writers) * total) as bar:
            return {
                name: writer.finish(sources[name], schema.settings, schema.filters, bar.update)
                for name, writer in writers.items()
            }


def _bar(name: str, total: int) -> tqdm.tqdm:
    return tqdm.tqdm(desc=name, total=total, unit=" rows", unit_scale=True, dynamic_ncols=True)


def _scale(given: str) -> float | str:
    if given == AUTO:
        return AUTO
    try:
        scale = float(given)
    except ValueError:
        scale = math.nan
    if not 0 < scale <= 1000:
        raise command_line.UsageError(
            f"--confidence_scale={given} must be {AUTO} or a number above 0 and at most 1000"
        )
    return scale


@dataclasses.dataclass(frozen=True)
class Settings:
    """The prepared Criteo, and what is planted in it."""

    data_dir: str = required("Prepared dataset of Criteo.")
    out_dir: str = required("Folder of criteo_r and criteo_ur; must not exist.")
    noise: float = setting(0.1, "Standard deviation of the noise in related.", lower=0.0)
    confidence_scale: str = setting(
        "1.0",
        "Factor on the network's logit before anything is planted, or auto: chosen so that the "
        "correlation with unrelated is the published one.",
    )
    epochs: int = setting(2, "Number of passes of the network over the training rows.", lower=1)
    seed: int = setting(
        0, "Seed of the network, the noise and the shuffle.", lower=0, upper=2**32 - 1
    )
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    scale = _scale(settings.confidence_scale)
    command_line.use_threads(settings.threads)
    schemas = make(
        settings.data_dir,
        settings.out_dir,
        settings.noise,
        scale,
        settings.epochs,
        settings.seed,
    )
    print(summary(schemas))
    print(f"Written to {settings.out_dir}.")


if __name__ == "__main__":
    command_line.run(main, Settings)
