"""The former name of `python -m data_prep.ali_ccp.simulate`."""

from dcrnn_tf.system import command_line

if __name__ == "__main__":
    command_line.run_renamed("data_prep.simulate_ali_ccp", "data_prep.ali_ccp.simulate")
