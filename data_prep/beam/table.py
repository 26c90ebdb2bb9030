"""The former name of `python -m data_prep.beam.own_log`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("data_prep.beam.table", "data_prep.beam.own_log")
