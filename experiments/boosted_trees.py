"""The former name of `python -m experiments.baselines.boosted_trees`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("experiments.boosted_trees", "experiments.baselines.boosted_trees")
