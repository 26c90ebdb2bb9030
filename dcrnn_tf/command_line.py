"""What all programs share: how they start, and how they speak of a user's mistake."""

import os
import sys
from collections.abc import Callable

from absl import app, flags

from dcrnn_tf.errors import UserError


class UsageError(UserError):
    """Flags that contradict each other or make no sense."""


def run(main: Callable[[], None]) -> None:
    """Runs a program: parses flags, calls `main`, turns a user's mistake into one sentence.

    Exit codes: 0 done, 1 a mistake in flags or data, 130 interrupted from the keyboard.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    def start(arguments: list[str]) -> None:
        if len(arguments) > 1:
            fail(f"unexpected argument {arguments[1]!r}; flags are given as --name=value")
        try:
            main()
        except UserError as error:
            fail(str(error))
        except KeyboardInterrupt:
            print("\nInterrupted; the same command takes it up again.", file=sys.stderr)
            sys.exit(130)

    app.run(start, flags_parser=_parse_flags)


def use_threads(count: int) -> None:
    """Sets TensorFlow's threads, so that the same seed gives the same bits on the same machine.

    Operations run one after the other, each on `count` threads (0 for all). Run side by side they
    would be added up in the order in which they happen to be ready.
    """
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(count)
    # It would join sums of two into sums of many, which add in the order they happen to be ready.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def fail(sentence: str) -> None:
    """Ends the program with one sentence on standard error and exit code 1."""
    print(f"Error: {sentence}", file=sys.stderr)
    sys.exit(1)


def _parse_flags(arguments: list[str]) -> list[str]:
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        sentence = " ".join(str(error).split())
        fail(f"{sentence} (--help lists the flags)")
