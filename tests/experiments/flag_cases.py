"""Gives programs many lists of flags that they must refuse, one after the other.

  python -m tests.experiments.flag_cases 300

Each must end with exit code 1 and one sentence; what does not is printed, with exit code 1. The
environment variable FUZZ_SEED draws other lists.
"""

import contextlib
import io
import json
import os
import pathlib
import random
import runpy
import sys
import tempfile

from absl import flags

from tests.fuzzing import PAYLOADS

FLAGS = flags.FLAGS
# Each program with the flags that name what is missing, and those that are given odd values.
PROGRAMS = {
    "experiments.train": (
        ("--data_dir=nowhere", "--run_dir=nowhere"),
        ("set", "positive_weights", "seed", "epochs", "batch_size", "learning_rate", "fields"),
    ),
    "experiments.evaluate": (("--run_dir=nowhere",), ("split", "step", "batch_size")),
    "data_prep.wechat": (
        ("--raw_dir=nowhere", "--out_dir=nowhere/out"),
        ("tasks", "test_days", "validation_fraction", "max_values", "rows", "seed"),
    ),
}
VALUES = [payload.decode(errors="surrogateescape") for payload in PAYLOADS] + [
    *("2020-13-45", "2020-01-01", "&a [*a]", "[" * 3000, "{a: 1", "!!python/name:os.system", "*a"),
    *("? [a]\n: 1", "0x", "1:99:99", "units", "units=2020-13-45", "=", "a=b=c", "units=!!set {a}"),
    *("units=[1", "units=&a [*a]", "units=" + "[" * 3000, "auto,none", "nan,nan", "inf,1", "-1,0"),
    *("1_000", "1e400,1", "none", "auto", "units=.nan", "units=.inf", "units=1e999", "dcrnn", "--"),
    *("units=!!bool x", "units=!!timestamp x", "units={a: 1}", "units=2020-01-01", "model=x"),
    *("units=" + "[" * 3000 + "]" * 3000, "cell=!!binary x", "units=64", "units=!!float x"),
]


def outcome(program: str, arguments: list[str]) -> str | None:
    """What is wrong with how the program ends; None if nothing is."""
    errors = io.StringIO()
    sys.argv = [program, *PROGRAMS[program][0], *arguments]
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        lines = errors.getvalue().strip().splitlines()
        if end.code != 1 or len(lines) != 1 or not lines[0].startswith("Error: "):
            return f"ended with {end.code}: {lines[-3:]}"
        return None
    except Exception as error:
        return f"raised {type(error).__name__}: {str(error)[:200]}"
    finally:
        modules = FLAGS.flags_by_module_dict().items()
        own = [f.name for module, found in modules if not module.startswith("absl") for f in found]
        for name in own:
            delattr(FLAGS, name)
    return "ended without a word"


def config_flag(draw: random.Random, names: tuple[str, ...], folder: pathlib.Path) -> str:
    """A --config whose file has an odd value of one flag, or is no mapping at all."""
    name, value = draw.choice(names), draw.choice(VALUES)
    contents = (
        json.dumps({name: value}),
        json.dumps({name: draw.choice(([], {}, None, True, -1, 1e400, [None], {"a": [1]}))}),
        json.dumps({value: 1}),
        f"{name}: {value}",
        value,
    )
    path = folder / "config"
    path.write_text(draw.choice(contents), encoding="utf-8", errors="surrogateescape")
    return f"--config={path}"


def main(count: int) -> int:
    """Runs so many cases; returns the exit code."""
    draw = random.Random(int(os.environ.get("FUZZ_SEED", 1)))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            program = list(PROGRAMS)[number % len(PROGRAMS)]
            names = PROGRAMS[program][1]
            arguments = [
                f"--{draw.choice(names)}={draw.choice(VALUES)}" for _ in range(draw.randrange(1, 3))
            ]
            if draw.random() < 0.4:
                arguments = [config_flag(draw, names, pathlib.Path(folder)), *arguments[1:]]
            if problem := outcome(program, arguments):
                print(f"{program} {[argument[:80] for argument in arguments]} {problem}")
                wrong += 1
    print(f"{count} cases, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
