"""What all programs share: how they start, and how they speak of a user's mistake."""

import pathlib
import re
import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from absl import app, flags, logging

from dcrnn_tf.system import flags as settings_flags
from dcrnn_tf.system import interruption, memory, process_start
from dcrnn_tf.system.errors import UsageError, UserError
from dcrnn_tf.system.whole_file import full_disk

_SIDE_BY_SIDE = 2  # operations at a time
_OUTPUT_FLAGS = ("export_dir", "out_dir", "run_dir", "work_dir")


def run(
    main: Callable[..., None],
    *settings: type,
    translate: Callable[[dict], dict] | None = None,
) -> None:
    """Runs a program: parses flags, calls `main`, turns a user's mistake into one sentence.

    What the system refuses, such as to write to a full disk or to give more memory, is one sentence
    too.

    Args:
      main: gets an instance of each of the `settings`.
      settings: dataclasses that the program's flags are made from.
      translate: see `flags.read`.

    Exit codes: 0 done, 1 a mistake in flags or data, or a file that cannot be read or written, 75
    another process of the same training is gone, 130 interrupted from the keyboard (SIGINT), 143
    told to end (SIGTERM).
    """
    interruption.raise_on_signals()
    process_start.prepare()
    settings_flags.define(*settings)

    def start(arguments: list[str]) -> None:
        if len(arguments) > 1:
            fail(f"unexpected argument {arguments[1]!r}; flags are given as --name=value")
        try:
            main(*settings_flags.read(*settings, translate=translate))
        except UserError as error:
            fail(str(error), error.exit_code)
        except OSError as error:
            sentence = _refused(error)
            fail(_without_room(sentence, error.filename) if full_disk(error) else sentence)
        except KeyboardInterrupt as error:
            _end_interrupted(error)
        except Exception as error:
            # TensorFlow and Polars have errors of their own for it.
            if full_disk(error):
                fail(_without_room(" ".join(str(error).split())))
            if not memory.exhausted(error):
                raise
            fail(_without_memory(error))

    try:
        app.run(start, flags_parser=_parse_flags)
    except KeyboardInterrupt as error:  # while flags were parsed, say
        _end_interrupted(error)


def run_renamed(former: str, program: str) -> None:
    """Runs a program that was called by a former name, and says how it is called now.

    Args:
      former: the name that the user gave, as `python -m` takes it.
      program: the name of today.
    """
    print(f"{former} is now called {program}; the former name still works.", file=sys.stderr)
    runpy.run_module(program, run_name="__main__", alter_sys=True)


def use_threads(count: int) -> None:
    """Sets TensorFlow's threads, so that the same seed gives the same bits on the same machine.

    Each operation runs on `count` threads (0 for all). Two operations run side by side, so that no
    core waits for one that takes a single thread; a model's sums are of two terms each (see
    `layers.fork`), so that it does not matter which of them is ready first.
    """
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1 if count == 1 else _SIDE_BY_SIDE)
    tf.config.threading.set_intra_op_parallelism_threads(count)
    # It would join sums of two into sums of many, which add in the order they happen to be ready.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def fail(sentence: str, exit_code: int = 1) -> NoReturn:
    """Ends the program with one sentence on standard error."""
    print(f"Error: {' '.join(sentence.splitlines())}", file=sys.stderr)
    sys.exit(exit_code)


def _end_interrupted(error: KeyboardInterrupt) -> None:
    interruption.ignore_signals()  # a parent and the terminal may both send one
    if not isinstance(error, interruption.Interrupted):
        error = interruption.Interrupted(signal.SIGINT)
    print(f"\n{error}", file=sys.stderr)
    sys.exit(error.exit_code)


def _refused(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return f"a file cannot be read or written ({error})"
    return f"{error.filename} cannot be read or written ({error.strerror})"


def _without_room(sentence: str, path: str | None = None) -> str:
    """Adds how much room there is on the disk of a path, or else of what a flag names."""
    given = [flags.FLAGS[n].value for n in _OUTPUT_FLAGS if n in flags.FLAGS]
    folders = [pathlib.Path(value).absolute() for value in (path, *given) if value]
    for folder in folders[:1]:
        while not folder.is_dir():
            folder = folder.parent
        free = shutil.disk_usage(folder).free / 2**20
        sentence += f"; it takes more than the {free:,.1f} MiB that are free in {folder}"
    return f"{sentence}; make room and give the same command again"


def _without_memory(error: Exception) -> str:
    """Says what was asked for in vain, in the first line of what may be pages."""
    asked = next(iter(str(error).strip().splitlines()), "no size is known")
    asked = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", asked)  # TensorFlow's own names
    return (
        f"there is too little memory ({asked}); take a smaller batch or model, or a machine or "
        "device with more memory, and give the same command again"
    )


def _parse_flags(arguments: list[str]) -> list[str]:
    try:
        left = flags.FLAGS(arguments)
        if flags.FLAGS["verbosity"].using_default_value:
            logging.set_verbosity(logging.WARNING)  # at INFO, TensorFlow tells of each checkpoint
        return left
    except (flags.Error, UsageError) as error:
        sentence = " ".join(str(error).split())
        fail(f"{sentence} (--help lists the flags)")
