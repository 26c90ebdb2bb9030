"""The former name of `python -m experiments.dcrnn.study`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("experiments.dcrnn_study", "experiments.dcrnn.study")
