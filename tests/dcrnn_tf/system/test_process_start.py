"""What a user sees of TensorFlow's start, whichever Keras and terminal the user has."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
import yaml

from tests import shop
from tests.conftest import write_dataset

ROOT = pathlib.Path(__file__).parents[3]
OF_TENSORFLOW = ("absl::InitializeLog", "cudart_stub", "oneDNN", "cuInit", "cpu_feature_guard")
# Stands for TensorFlow: prints as its libraries do while they are loaded.
STAND_IN = """
import os
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written\\n")
os.write(2, b"I0000 00:00:1.2  34 cudart_stub.cc:31] Could not find cuda drivers\\n")
os.write(2, b"F0000 00:00:1.2  34 cpu_feature_guard.cc:1] AVX is missing")
if "ABORT" in os.environ:
    os.abort()
"""
PROGRAM = """
import importlib.util, sys
from dcrnn_tf.system import command_line
def main():
    assert importlib.util.find_spec("tensorflow")  # as libraries ask whether there is any
    import tensorflow
    from tensorflow import part
    sys.stderr.write("ours of " + type(tensorflow.__spec__.loader).__name__ + "\\n")
command_line.run(main)
"""


def run(*command, **environment):
    """Runs a Python command as a user does, whose environment says nothing of logs and backends."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
    }
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.fixture
def stand_in(tmp_path):
    """A path with a package of the name of TensorFlow."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    (package / "part.py").touch()
    return os.pathsep.join([str(tmp_path), str(ROOT)])


def test_lines_of_the_start_are_left_out_and_others_are_not(stand_in):
    done = run("-c", PROGRAM, PYTHONPATH=stand_in)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "F0000 00:00:1.2  34 cpu_feature_guard.cc:1] AVX is missing",
        "ours of SourceFileLoader",
    ]


def test_last_words_of_a_process_that_is_ended_are_shown(stand_in):
    done = run("-c", PROGRAM, PYTHONPATH=stand_in, ABORT="1")
    assert done.returncode == -signal.SIGABRT
    assert "AVX is missing" in done.stderr
    assert "cudart_stub" not in done.stderr


def test_all_lines_are_shown_to_those_who_ask_for_them(stand_in):
    done = run("-c", PROGRAM, PYTHONPATH=stand_in, TF_CPP_MIN_LOG_LEVEL="0")
    assert "cudart_stub" in done.stderr


def test_programs_use_tensorflow_whatever_keras_is_configured_for():
    """The program imports TensorFlow itself, and prints nothing of it."""
    done = run("-m", "dcrnn_tf.kernels", KERAS_BACKEND="torch", CXX="no-such-compiler")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["balancing", "layers", "models", "optimizers"])
def test_the_library_refuses_another_backend_in_one_sentence(tmp_path, module):
    """As configured in the file of Keras' settings, with a backend that is not installed."""
    (tmp_path / "keras.json").write_text('{"backend": "torch"}', encoding="utf-8")
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = run("-c", f"import dcrnn_tf.{module}", PYTHONPATH=path, KERAS_HOME=str(tmp_path))
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: dcrnn_tf needs Keras with the backend tensorflow, and Keras cannot be "
        "imported (no torch here); set the environment variable KERAS_BACKEND=tensorflow"
    )


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize(
    ("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
def test_threads_that_wait_leave_their_core_unless_the_user_wants_otherwise(given, policy):
    program = (
        "import os\n"
        "from dcrnn_tf.system import command_line\n"
        "command_line.run(lambda: print(os.environ['OMP_WAIT_POLICY']))\n"
    )
    assert run("-c", program, **given).stdout == f"{policy}\n"


def test_a_terminal_that_lacks_the_characters_gets_escapes():
    program = (
        "import sys\n"
        "from dcrnn_tf.system import command_line\n"
        "def main():\n"
        "    print('\\u70b9\\u51fb')\n"
        "    raise command_line.UsageError('caf\\u00e9')\n"
        "command_line.run(main)\n"
    )
    done = run("-c", program, **ASCII)
    assert (done.returncode, done.stdout) == (1, "\\u70b9\\u51fb\n")
    assert done.stderr == "Error: caf\\xe9\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "flags"),
    [
        ("experiments.train", ["--model=dcrnn", "--epochs=1"]),
        ("experiments.launch", ["--workers=2", "--", "--model=mmoe", "--epochs=1"]),
    ],
)
def test_a_training_prints_no_line_of_tensorflow(tmp_path, program, flags):
    folder = write_dataset(tmp_path / "tiny")
    done = run("-m", program, *flags, f"--data_dir={folder}", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if any(w in line for w in OF_TENSORFLOW)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "flags"),
    [
        ("data_prep.own_log", []),
        (
            "data_prep.beam.own_log",
            ["--beam_options=--direct_num_workers=2 --direct_running_mode=multi_processing"],
        ),
    ],
)
def test_a_preparation_prints_no_line_of_tensorflow(tmp_path, program, flags):
    shop.raw_rows().write_csv(tmp_path / "rows.csv")
    declaration = {
        "name": "shop",
        "split": {"by": "fraction", "files": "rows.csv", "test_fraction": 0.5},
        "fields": {"city": {"kind": "categorical", "min_count": 1}},
        "tasks": {"click": {}},
    }
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(declaration), encoding="utf-8")
    done = run(
        *("-m", program, f"--declaration={tmp_path / 'shop.yaml'}", f"--raw_dir={tmp_path}"),
        *(f"--out_dir={tmp_path / 'prepared'}", *flags),
    )
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if any(w in line for w in OF_TENSORFLOW)]
