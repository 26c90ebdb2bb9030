"""Lends its memory to a training on another machine, for shards of the embedding table.

Example:
  python -m experiments.parameter_server --address=host1:2222       # on host1
  python -m experiments.train ... --set=table_shards=2 \\
      --parameter_servers=host1:2222 --table_devices=CPU:0,/job:ps/task:0

It serves until it is ended, one training at a time, and whoever can reach its port: keep it in a
private network.
"""

import time

from absl import flags

from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS

flags.DEFINE_string("address", None, "HOST:PORT to listen at.", required=True)
flags.DEFINE_integer(
    "threads", 0, "Processor threads TensorFlow may use; 0 takes all.", lower_bound=0
)


def main() -> None:
    """Runs the program."""
    import tensorflow as tf

    command_line.use_threads(FLAGS.threads)
    try:
        server = tf.distribute.Server({"ps": [FLAGS.address]}, job_name="ps", task_index=0)
    except (tf.errors.OpError, ValueError) as error:
        raise command_line.UsageError(
            f"--address={FLAGS.address} cannot be listened at ({error}); it must be HOST:PORT of "
            "this machine, with a port that is free"
        ) from None
    print(f"Serving at {server.target.removeprefix('grpc://')}.", flush=True)
    while True:  # the server's own join would hear of no signal
        time.sleep(3600)


if __name__ == "__main__":
    command_line.run(main)
