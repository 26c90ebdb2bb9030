"""The former name of `python -m experiments.baselines.constant`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("experiments.constant", "experiments.baselines.constant")
