r"""Exports the model of a run as a SavedModel for TensorFlow Serving.

  python -m experiments.export --run_dir=runs/dcrnn --export_dir=models/dcrnn

makes `models/dcrnn/1/`, the next time `models/dcrnn/2/`: raw features in, named probabilities out.
docs/serving.md tells the signatures, and how clients ask.
"""

import pathlib

from absl import flags, logging

from dcrnn_tf.system import command_line
from experiments.runs import run_folder

FLAGS = flags.FLAGS


def _define_flags() -> None:
    flags.DEFINE_string("run_dir", None, "Folder of a run of experiments.train.", required=True)
    flags.DEFINE_string(
        "export_dir",
        None,
        "Folder of the model's versions; its name is the model's name in requests.",
        required=True,
    )
    flags.DEFINE_string("data_dir", None, "Prepared dataset; the one of the run if not given.")
    flags.DEFINE_string(
        "checkpoint",
        "best",
        "best: the epoch with the highest AUC on the validation split, mean over tasks. last: the "
        "newest. Or the number of a step.",
    )
    flags.DEFINE_integer(
        "version", None, "Number of the version; the next one if not given.", lower_bound=1
    )
    flags.DEFINE_list(
        "user_fields",
        None,
        "Fields that are the user's in requests to rank, by name; those of the entity table user "
        "if not given.",
    )
    flags.DEFINE_enum(
        "mixed_precision",
        None,
        run_folder.PRECISIONS,
        "As in experiments.train; as in training if not given.",
    )


def main() -> None:
    """Runs the program."""
    step = _step(FLAGS.checkpoint)
    from dcrnn_tf.serving import export, warmup
    from experiments.reports import model_card
    from experiments.runs import trained_runs

    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every file it writes
    command_line.use_threads(0)
    run_folder.read_json(pathlib.Path(FLAGS.run_dir, run_folder.CONFIG_FILE))  # else it is no run
    if step == "best":
        step = trained_runs.best_step(FLAGS.run_dir)
        if step is None:
            print("No step with a checkpoint was validated: the newest is exported.")
    run = trained_runs.load(FLAGS.run_dir, FLAGS.data_dir, step, FLAGS.mixed_precision)
    schema = run.dataset.schema
    user_fields = FLAGS.user_fields
    if user_fields is None:
        user_fields = [f.name for f in schema.fields if f.entity == export.USER]
    if len(user_fields) == len(schema.fields):
        user_fields = []
    serving_model = export.ServingModel(
        run.model, schema, run.vocabularies(), run.positive_weights, user_fields
    )
    name = pathlib.Path(FLAGS.export_dir).resolve().name

    def write_extra(extra: pathlib.Path) -> None:
        warmup.write(extra, name, serving_model.samples())
        schema.save(extra)
        model_card.write(extra, FLAGS.run_dir, run, serving_model)

    written = export.save(serving_model, FLAGS.export_dir, FLAGS.version, write_extra)
    print(f"Step {run.step} of {FLAGS.run_dir} written to {written}: model {name!r},")
    print(f"signatures {', '.join(serving_model.signatures())}.")
    if FLAGS.user_fields is None and not user_fields:
        print(
            "There is no signature rank: the dataset has no entity table user. Name the user's "
            "fields by --user_fields to get one."
        )


def _step(checkpoint: str) -> int | str | None:
    if checkpoint == "last":
        return None
    if checkpoint == "best":
        return checkpoint
    if checkpoint.isdecimal():
        return int(checkpoint)
    raise command_line.UsageError(
        f"--checkpoint={checkpoint} must be best, last, or the number of a step"
    )


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
