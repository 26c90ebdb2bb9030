"""Gives a training program so many lists of flags that cannot be, one after the other.

  python -m tests.experiments.flag_cases 300

Each must end with exit code 1 and one sentence; what does not is printed, with exit code 1.
"""

import contextlib
import io
import random
import sys

from absl import flags

from dcrnn_tf.system import command_line
from experiments import train
from tests.fuzzing import PAYLOADS

FLAGS = flags.FLAGS
NAMES = ("set", "positive_weights", "seed", "epochs", "batch_size", "learning_rate", "fields")
VALUES = [payload.decode(errors="surrogateescape") for payload in PAYLOADS] + [
    *("2020-13-45", "2020-01-01", "&a [*a]", "[" * 3000, "{a: 1", "!!python/name:os.system", "*a"),
    *("? [a]\n: 1", "0x", "1:99:99", "units", "units=2020-13-45", "=", "a=b=c", "units=!!set {a}"),
    *("units=[1", "units=&a [*a]", "units=" + "[" * 3000, "auto,none", "nan,nan", "inf,1", "-1,0"),
    *("1_000", "1e400,1", "none", "auto", "units=.nan", "units=.inf", "units=1e999", "dcrnn", "--"),
    *("units=!!bool x", "units=!!timestamp x", "units={a: 1}", "units=2020-01-01", "model=x"),
    *("units=" + "[" * 3000 + "]" * 3000, "cell=!!binary x", "units=64", "units=!!float x"),
]


def outcome(arguments: list[str]) -> str | None:
    """What is wrong with how the program ends; None if nothing is."""
    for name in FLAGS:
        FLAGS[name].value, FLAGS[name].present = FLAGS[name].default, 0
    errors = io.StringIO()
    sys.argv = ["train", "--data_dir=nowhere", "--run_dir=nowhere", *arguments]
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            command_line.run(train.main)
    except SystemExit as end:
        lines = errors.getvalue().strip().splitlines()
        if end.code != 1 or len(lines) != 1 or not lines[0].startswith("Error: "):
            return f"ended with {end.code}: {lines[-3:]}"
        return None
    except Exception as error:
        return f"raised {type(error).__name__}: {str(error)[:200]}"
    return "ended without a word"


def main(count: int) -> int:
    """Runs so many cases; returns the exit code."""
    draw = random.Random(1)
    wrong = 0
    for _ in range(count):
        arguments = [
            f"--{draw.choice(NAMES)}={draw.choice(VALUES)}" for _ in range(draw.randrange(1, 3))
        ]
        if problem := outcome(arguments):
            print(f"{[argument[:80] for argument in arguments]} {problem}")
            wrong += 1
    print(f"{count} cases, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
