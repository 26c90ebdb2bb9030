"""Copies a prepared Criteo twice, with labels of planted tasks: Criteo-R and Criteo-UR."""

import contextlib
import pathlib
from typing import Any

import numpy as np
import tqdm

from data_prep.criteo.fields import AUTO
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
from dcrnn_tf.system.whole_folder import whole_folder

CLICK = "click"
DATASETS = {"criteo_r": RELATED, "criteo_ur": UNRELATED}
CONFIDENCE = "confidence"

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
        facts: Any = schema.source["relations"]
        simulation: Any = schema.source["simulation"]
        total = sum(split.rows for split in schema.splits.values())
        lines += [
            f"{name}: {total:,} rows, {simulation['labels']}",
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
