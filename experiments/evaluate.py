"""Evaluates a trained run on a split: exact AUC, logloss, calibration per task.

Example:
  python -m experiments.evaluate --run_dir=runs/dcrnn --split=test
"""

import json

from absl import flags

from dcrnn_tf import command_line

FLAGS = flags.FLAGS

flags.DEFINE_string("run_dir", None, "Folder of a run of experiments.train.", required=True)
flags.DEFINE_string("split", "test", "Split to evaluate.")
flags.DEFINE_string("data_dir", None, "Prepared dataset; the one of the run if not given.")
flags.DEFINE_integer("step", None, "Step of the checkpoint; the newest if not given.")
flags.DEFINE_integer("batch_size", 4096, "Rows scored at a time.", lower_bound=1)
flags.DEFINE_integer(
    "threads", 0, "Processor threads TensorFlow may use; 0 takes all.", lower_bound=0
)


def main() -> None:
    """Runs the program."""
    import pathlib

    from dcrnn_tf import evaluation, models
    from dcrnn_tf.checkpoints import Checkpoints, numbered
    from dcrnn_tf.data import PreparedDataset
    from dcrnn_tf.schema import DatasetError
    from experiments import run_folder

    command_line.use_threads(FLAGS.threads)
    run_dir = pathlib.Path(FLAGS.run_dir)
    config = run_folder.read_json(run_dir / run_folder.CONFIG_FILE)
    weights = run_folder.read_json(run_dir / run_folder.RUN_FILE)["positive_weights"]
    dataset = PreparedDataset(FLAGS.data_dir or config["data_dir"], config.get("fields"))
    if dataset.schema.fingerprint != config["dataset_fingerprint"]:
        raise DatasetError(
            f"{dataset.folder} is not the dataset that {run_dir} was trained on "
            "(fingerprints differ), so ids would mean something else; give that one as --data_dir"
        )
    dataset.schema.split(FLAGS.split)
    run_folder.use_precision(config.get("mixed_precision", "none"))
    model = models.build(config["model"], dataset.schema, **config["settings"])
    checkpoints = Checkpoints(
        run_dir / "checkpoints", numbered("model", model.variables), partial=True
    )
    step = checkpoints.restore(FLAGS.step)
    if step is None:
        raise DatasetError(f"{run_dir} has no checkpoint yet; train first")
    predictor = evaluation.Predictor(model, weights)
    figures = evaluation.evaluate(*predictor.predict(dataset, FLAGS.split, FLAGS.batch_size))
    print(json.dumps({"step": step, "split": FLAGS.split, "metrics": figures}, indent=2))


if __name__ == "__main__":
    command_line.run(main)
