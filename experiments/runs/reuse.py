"""Copies runs that another table has made already, instead of making them again.

Tables of one folder, `FOLDER/TABLE/runs/ROW/seed_N`, often share models: Table II of DEPHN holds
most of Table I. So does a table inside the folder of something larger, as that of the models of
DCRNN's online experiment.
"""

import pathlib
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence

from dcrnn_tf.system import code_identity
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.system.whole_folder import whole_folder
from experiments.runs import run_folder
from experiments.runs.run import load_run

_WITHOUT_EFFECT = ("--run_dir=", "--threads=")


def take_over(command: Sequence[str], folder: pathlib.Path, fingerprint: str) -> bool:
    """Copies the finished run of a table beside this one that the same command made, if any.

    The commands must agree in all words but the run's folder and the number of threads. The content
    of the dataset, the code of this project and the versions of the libraries must be the same too.
    A run of a model of the user's own, whose code may have changed, is not copied, nor is one whose
    files are damaged, which is said.

    Args:
      command: Command of the run, from the interpreter on.
      folder: Absolute folder of the run, `FOLDER/TABLE/runs/ROW/seed_N`, which must not exist.
      fingerprint: Fingerprint of the dataset.

    Returns:
      Whether such a run was found and copied.
    """
    if any(word.startswith("--model=") and ":" in word for word in command):
        return False
    beside = f"*/runs/*/{folder.name}/{run_folder.RUN_FILE}"
    for path in sorted(path for above in folder.parents[3:5] for path in above.glob(beside)):
        if not run_folder.finished(path.parent):
            continue
        try:
            record = load_run(path.parent).record
        except DatasetError as error:
            print(f"{error}; it is not taken over.", file=sys.stderr)
            continue
        if (
            made_by(path.parent, command)
            and record["dataset"]["fingerprint"] == fingerprint
            and same_code(record)
            and record.get("versions") == run_folder.versions()
        ):
            _copy(path.parent, folder)
            return True
    return False


def same_code(record: Mapping) -> bool:
    """Whether the run of a `run.json` was made by code of the same content as this one."""
    code = record.get("code")
    return isinstance(code, Mapping) and code.get("digest") == code_identity.identity()["digest"]


def remark(folder: pathlib.Path) -> str:
    """Returns a sentence on a run that other code than this has made or begun; else nothing."""
    record = run_folder.read(folder, run_folder.RUN_FILE)
    return "" if same_code(record) else " It was begun by other code than this."


def made_by(folder: pathlib.Path, command: Sequence[str]) -> bool:
    """Whether a run was made by a command, but for its folder and the number of threads."""
    made = run_folder.read(folder, run_folder.RUN_FILE)["command"]
    if _deciding(made.split()) == _deciding(" ".join(command).split()):  # without its quotes
        return True
    try:
        return _deciding(shlex.split(made)) == _deciding(command)
    except ValueError:  # a quote is left open
        return False


def _deciding(words: Sequence[str]) -> list[str]:
    """The words that decide the result: neither the interpreter nor the program's package do."""
    words = [word for word in words[1:] if not word.startswith(_WITHOUT_EFFECT)]
    return [words[0], words[1].rpartition(".")[2], *words[2:]] if len(words) > 1 else words


def _copy(source: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies a folder, whole or not at all."""
    with whole_folder(folder, folder.with_name(f".{folder.name}.partial")) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)
