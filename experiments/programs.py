"""Starts the programs of this project, whatever packages the working folder holds.

An installed command such as `dcrnn-train` runs `main`. Programs that start others run this file,
`python .../experiments/programs.py MODULE --flag=value`: after `python -m`, a package of the user's
that is called `experiments` or `data_prep` would be found first.
"""

import os
import pathlib
import runpy
import sys
from collections.abc import Sequence

COMMANDS = {
    "dcrnn-declare": "data_prep.declare",
    "dcrnn-prepare-own-log": "data_prep.own_log",
    "dcrnn-prepare-ali-ccp": "data_prep.ali_ccp",
    "dcrnn-prepare-criteo": "data_prep.criteo",
    "dcrnn-prepare-wechat": "data_prep.wechat",
    "dcrnn-simulate-ali-ccp": "data_prep.ali_ccp.simulate",
    "dcrnn-simulate-criteo": "data_prep.criteo.simulate",
    "dcrnn-simulate-wechat": "data_prep.wechat.simulate",
    "dcrnn-simulate-radio": "data_prep.radio.simulate",
    "dcrnn-simulate-drift": "data_prep.drift.simulate",
    "dcrnn-train": "experiments.train",
    "dcrnn-tune": "experiments.tune",
    "dcrnn-launch": "experiments.launch",
    "dcrnn-evaluate": "experiments.evaluate",
    "dcrnn-predict": "experiments.predict",
    "dcrnn-embeddings": "experiments.embeddings",
    "dcrnn-importance": "experiments.importance",
    "dcrnn-daily": "experiments.daily",
    "dcrnn-export": "experiments.export",
    "dcrnn-skew": "experiments.skew",
    "dcrnn-verify": "experiments.verify",
    "dcrnn-benchmark-models": "experiments.benchmark_models",
    "dcrnn-leaderboard": "experiments.leaderboard",
    "dcrnn-reproduce": "experiments.reproduce",
}
_THIS_FILE = pathlib.Path(__file__).resolve()


def main() -> None:
    """Runs the program whose command was given."""
    _find_own_packages_first()
    runpy.run_module(COMMANDS[pathlib.Path(sys.argv[0]).stem], run_name="__main__", alter_sys=True)


def shielded(command: Sequence[str]) -> list[str]:
    """Returns a command that does what `python -m MODULE ...` does, by way of this file.

    Args:
      command: Words of the command, from the interpreter on.
    """
    python, _, *program = command
    return [python, str(_THIS_FILE), *program]


def _find_own_packages_first() -> None:
    """Lets modules of the working folder be found, such as models, but last."""
    root = str(_THIS_FILE.parents[1])
    if root not in sys.path:
        sys.path.insert(0, root)
    sys.path.append(os.getcwd())


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    _find_own_packages_first()
    del sys.argv[0]
    sys.orig_argv[1:] = ["-m", *sys.argv]  # what the record of a run repeats
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
