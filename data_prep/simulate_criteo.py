"""The former name of `python -m data_prep.criteo.simulate`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("data_prep.simulate_criteo", "data_prep.criteo.simulate")
