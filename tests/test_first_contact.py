"""How fast every program answers a user who asks for its flags."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ("benchmarks", "data_prep", "dcrnn_tf", "experiments")
# Each takes from a tenth of a second to several seconds to import.
HEAVY = (
    "apache_beam",
    "keras",
    "matplotlib",
    "numpy",
    "optuna",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
)
HEAVY += ("sklearn", "tensorflow", "tensorflow_datasets")
# Imports programs as their --help does, one after the other in one process.
IMPORTS = """
import importlib, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    before = set(sys.modules)
    importlib.import_module(name)
    found[name] = sorted({*json.loads(sys.argv[2])} & (set(sys.modules) - before))
print(json.dumps(found))
"""


def programs() -> list[str]:
    """Returns the names of all modules that a user starts."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found = [p for p in paths if "command_line.run(" in p.read_text(encoding="utf-8")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]
    names = [name for name in names if name != "dcrnn_tf.system.command_line"]
    # All of the benchmarks compute with NumPy alone, and come last.
    return sorted(names, key=lambda name: (name.startswith("benchmarks"), name))


def test_help_imports_nothing_that_takes_long():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, json.dumps(programs()), json.dumps(HEAVY)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    imported = json.loads(done.stdout)
    assert len(imported) > 30
    found = {
        name: modules
        for name, modules in imported.items()
        if modules and not (name.startswith("benchmarks") and modules == ["numpy"])
    }
    assert found == {}
