"""Trains on several processes of this machine, and starts them again when one dies or hangs.

Example:
  python -m experiments.launch --workers=2 -- --data_dir=data/ali_ccp --run_dir=runs/dcrnn \\
      --model=dcrnn

What follows `--` are the flags of `experiments.train`. The same command again goes on from the last
checkpoint, as it does there.
"""

import dataclasses
import json
import os
import pathlib
import random
import sys
from collections.abc import Sequence

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from experiments.programs import shielded
from experiments.runs.supervisor import Supervisor, Worker


@dataclasses.dataclass(frozen=True)
class Settings:
    """How many processes train, and when they are started again."""

    workers: int = setting(2, "Number of processes that train together.", lower=1)
    hang_seconds: float = setting(
        600.0,
        "Seconds without a step after which a worker counts as hung; more than start-up, the "
        "longest checkpoint and the metrics of a split take.",
        lower=0.0,
    )
    max_restarts: int = setting(3, "Number of restarts after which training is given up.", lower=0)


def main(settings: Settings, train_flags: Sequence[str]) -> None:
    """Runs the program, with the flags of `experiments.train`."""
    own = ("--strategy", "--heartbeat_file")
    if taken := [flag for flag in train_flags if flag.split("=")[0].replace("--no", "--") in own]:
        raise command_line.UsageError(f"{taken[0]} is set by experiments.launch itself")

    train = (sys.executable, "-m", "experiments.train", *train_flags)

    def workers(heartbeat_files: Sequence[pathlib.Path]) -> list[Worker]:
        addresses = [f"127.0.0.1:{port}" for port in _ports(settings.workers)]
        return [
            Worker(
                shielded([*train, "--strategy=multi_worker", f"--heartbeat_file={beat}"]),
                os.environ | {"TF_CONFIG": _cluster(addresses, number)},
            )
            for number, beat in enumerate(heartbeat_files)
        ]

    Supervisor(workers, settings.workers, settings.hang_seconds, settings.max_restarts).run()


def _cluster(addresses: Sequence[str], number: int) -> str:
    task = {"type": "worker", "index": number}
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": task})


def _ports(count: int) -> list[int]:
    """Ports below those that systems give away; a worker whose port is taken leads to a restart."""
    return random.SystemRandom().sample(range(10_000, 32_000), count)


if __name__ == "__main__":
    middle = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    own, others = sys.argv[:middle], sys.argv[middle + 1 :]
    sys.argv[:] = own
    command_line.run(lambda settings: main(settings, others), Settings)
