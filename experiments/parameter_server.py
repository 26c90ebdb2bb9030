"""Keeps shards of an embedding table in this machine's memory, for a training on another one.

Example:
  python -m experiments.parameter_server --address=host1:2222       # on host1
  python -m experiments.train ... --set=table_shards=2 \\
      --parameter_servers=host1:2222 --table_devices=CPU:0,/job:ps/task:0

It serves until it is ended, one training at a time, and whoever can reach its port: keep it in a
private network.
"""

import dataclasses
import time

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the server listens."""

    address: str = required("HOST:PORT to listen at.")
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    import tensorflow as tf

    command_line.use_threads(settings.threads)
    try:
        server = tf.distribute.Server({"ps": [settings.address]}, job_name="ps", task_index=0)
    except (tf.errors.OpError, ValueError) as error:
        raise command_line.UsageError(
            f"--address={settings.address} cannot be listened at ({error}); it must be HOST:PORT "
            "of this machine, with a port that is free"
        ) from None
    print(f"Serving at {server.target.removeprefix('grpc://')}.", flush=True)
    while True:  # the server's own join would hear of no signal
        time.sleep(3600)


if __name__ == "__main__":
    command_line.run(main, Settings)
