"""The former name of `python -m experiments.dephn.figures`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("experiments.dephn_figures", "experiments.dephn.figures")
