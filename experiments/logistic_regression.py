"""The former name of `python -m experiments.baselines.logistic_regression`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed(
        "experiments.logistic_regression", "experiments.baselines.logistic_regression"
    )
