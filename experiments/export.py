r"""Exports the model of a run as a SavedModel for TensorFlow Serving.

  python -m experiments.export --run_dir=runs/dcrnn --export_dir=models/dcrnn

makes `models/dcrnn/1/`, the next time `models/dcrnn/2/`: raw features in, named probabilities out.
docs/serving.md tells the signatures, and how clients ask.
"""

import dataclasses
import pathlib
import shutil

from absl import logging

from dcrnn_tf.system import command_line
from dcrnn_tf.system.plain_path import check_plain
from dcrnn_tf.system.settings import required, setting
from experiments.runs import forms, run_folder

USER = "user"  # the entity table whose fields are the user's by default


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which model is exported, and in which form."""

    run_dir: str = required("Folder of a run of experiments.train.")
    export_dir: str = required(
        "Folder of the model's versions; its name is the model's name in requests."
    )
    data_dir: str | None = setting(None, "Prepared dataset; that of the run by default.")
    checkpoint: str = setting(
        "best",
        "best: the step with the best value of the metric that the run monitors, else with the "
        "highest AUC on the validation split, mean over tasks. last: the newest checkpoint. Or the "
        "number of a step.",
    )
    version: int | None = setting(
        None, "Number of the version; the next one by default.", lower=1, upper=2**63 - 1
    )
    user_fields: tuple[str, ...] | None = setting(
        None,
        "Names of the fields that are the user's in requests to rank; the fields of the entity "
        "table user by default.",
    )
    gate: bool = setting(
        True,
        "Whether the version is compared with the one before it, and refused where its signatures "
        "differ, or its answers to that one's golden requests are not finite or much worse.",
    )
    largest_fall: float = setting(
        0.02,
        "Largest fall of a task's primary metric, AUC for most, on the golden requests.",
        lower=0,
    )
    onnx: bool = setting(
        False,
        "Whether the signature encoded_features is written as an ONNX file too, "
        "assets.extra/model.onnx; needs the extra onnx.",
    )
    table_precision: str = setting(
        "float32",
        "Type in which embedding tables are stored: bfloat16 takes half of the bytes, int8 little "
        "more than a quarter. What is lost on validation rows is printed and written.",
        choices=("float32", "bfloat16", "int8"),
    )
    largest_difference: float = setting(
        0.01,
        "Largest difference of a probability for which tables may be stored in another type than "
        "float32.",
        lower=0,
    )
    mixed_precision: str | None = setting(
        None,
        "Type of the computation as in experiments.train; that of the training by default.",
        choices=forms.PRECISIONS,
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    step: int | str | None = run_folder.checkpoint_of(settings.checkpoint)
    check_plain(settings.export_dir, "--export_dir")
    from dcrnn_tf.dataset.schema import VOCABULARY_FOLDER
    from dcrnn_tf.layers.embedding.compact_rows import FLOAT32
    from dcrnn_tf.serving import export, field_statistics, gate, precision
    from dcrnn_tf.serving.onnx import onnx_file
    from dcrnn_tf.serving.serving_model import ENCODED, ServingModel
    from experiments.runs import trained_runs
    from experiments.runs.pages import model_card

    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every file it writes
    command_line.use_threads(0)
    run_folder.read(settings.run_dir, run_folder.CONFIG_FILE)  # else it is no run
    if settings.onnx:
        onnx_file.check_packages()
    if settings.version is not None:
        export.check_version(settings.version, settings.export_dir)
    if step == "best" and (step := trained_runs.best_step(settings.run_dir)) is None:
        print("No step with a checkpoint was validated: the newest is exported.")
    run = trained_runs.load(settings.run_dir, settings.data_dir, step, settings.mixed_precision)
    schema = run.dataset.schema
    user_fields = settings.user_fields
    if user_fields is None:
        user_fields = tuple(f.name for f in schema.fields if f.entity == USER)
        if len(user_fields) == len(schema.fields):
            user_fields = ()
    serving_model = ServingModel(
        run.model,
        schema,
        run.dataset.vocabularies(),
        run.positive_weights,
        user_fields,
        settings.table_precision,
    )
    loss = None
    if settings.table_precision != FLOAT32:
        loss = precision.measured(serving_model, run.dataset)
        loss.check(settings.largest_difference)
    onnx = onnx_file.converted(serving_model, run.dataset) if settings.onnx else None

    def write_extra(extra: pathlib.Path) -> None:
        schema.save(extra)
        if onnx is not None:
            (extra / onnx_file.FILE).write_bytes(onnx)
        if loss is not None:
            loss.write(extra)
        gate.write_golden(extra, serving_model, run.dataset)
        field_statistics.write(extra, run.dataset)
        shutil.copytree(run.dataset.folder / VOCABULARY_FOLDER, extra / VOCABULARY_FOLDER)
        model_card.write(extra, settings.run_dir, run, serving_model)

    def compare(new: pathlib.Path, before: pathlib.Path) -> None:
        for fall in gate.check(new, before, schema, settings.largest_fall):
            print(f"Golden requests of version {before.name}: {fall}.")

    written = export.save(
        serving_model,
        settings.export_dir,
        settings.version,
        write_extra,
        run.dataset,
        compare if settings.gate else None,
    )
    name = written.resolve().parent.name
    print(f"Step {run.step} of {settings.run_dir} written to {written}: model {name!r},")
    print(f"signatures {', '.join(serving_model.signatures())}.")
    if loss is not None:
        print(f"Tables in {loss.table_precision}, on {loss.rows:,} rows:")
        for line in (*loss.differences, *loss.changes):
            print(f"  {line}")
    if onnx is not None:
        file = written / export.EXTRA_FOLDER / onnx_file.FILE
        print(f"The signature {ENCODED} is an ONNX file too: {file}.")
    if settings.user_fields is None and not user_fields:
        print(
            "There is no signature rank: the dataset has no entity table user. Name the user's "
            "fields by --user_fields to get one."
        )


if __name__ == "__main__":
    command_line.run(main, Settings)
