"""Evaluates a trained run on a split: prints every metric of each task.

Example:
  python -m experiments.evaluate --run_dir=runs/dcrnn --split=test
"""

import json

from absl import flags

from dcrnn_tf.system import command_line

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
    from dcrnn_tf.training import evaluation
    from experiments.runs import trained_runs

    command_line.use_threads(FLAGS.threads)
    run = trained_runs.load(FLAGS.run_dir, FLAGS.data_dir, FLAGS.step)
    run.dataset.schema.split(FLAGS.split)
    labels, logits = run.predictor.predict(run.dataset, FLAGS.split, FLAGS.batch_size)
    derived_outputs = run.model.derived_outputs(run.dataset.schema.tasks)
    figures = evaluation.evaluate(labels, logits, derived_outputs)
    print(json.dumps({"step": run.step, "split": FLAGS.split, "metrics": figures}, indent=2))


if __name__ == "__main__":
    command_line.run(main)
