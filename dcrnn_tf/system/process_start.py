"""What a process of a program sets before TensorFlow, Keras and scikit-learn are imported.

Programs call `prepare`. The library does not: how a user's own process logs, and which backend its
Keras has, are the user's choices.
"""

import contextlib
import importlib.machinery
import io
import os
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence

from dcrnn_tf.system.keras_backend import BACKEND, VARIABLE

_TENSORFLOW = "tensorflow"
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FATAL, _ALL = "3", "0"
# What TensorFlow's libraries say of a machine without a GPU as soon as they are loaded, before they
# read the level.
_START_UP_LINES = r"before absl::InitializeLog\(\) is called|cudart_stub\.cc"
# scikit-learn's threads wait for each other without a pause by default: beside another process that
# takes a core, trees took six times the processor time.
_WAITING = "OMP_WAIT_POLICY"
_SECONDS = 1.0  # until the filter has passed on the last line


def prepare() -> None:
    """Sets this process' environment, which the processes that it starts inherit, and its streams.

    TensorFlow logs what ends the process alone, unless TF_CPP_MIN_LOG_LEVEL is set already: errors
    reach Python as exceptions. Keras uses TensorFlow. Threads of OpenMP give their core away while
    they wait, unless OMP_WAIT_POLICY is set already. Characters that the terminal's encoding
    lacks are printed as escapes.
    """
    os.environ.setdefault(_LEVEL, _FATAL)
    os.environ.setdefault(_WAITING, "PASSIVE")
    os.environ[VARIABLE] = BACKEND
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    import_tensorflow_quietly()


def import_tensorflow_quietly() -> None:
    """Makes the import of TensorFlow print no line below the level that the environment sets.

    It is called in each process before TensorFlow is imported; a second call does nothing.
    """
    present = any(isinstance(finder, _QuietFinder) for finder in sys.meta_path)
    wanted = os.environ.get(_LEVEL, _ALL) == _ALL
    if not present and not wanted and _TENSORFLOW not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder:
    """Finds TensorFlow where Python would find it, and filters standard error during its import."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _TENSORFLOW:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def filtered(module: types.ModuleType) -> None:
                with _without_start_up_lines():
                    execute(module)

            spec.loader.exec_module = filtered  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _without_start_up_lines() -> Iterator[None]:
    """Filters what this process writes to standard error by a process of `grep`.

    A process of its own passes the last words on also where TensorFlow ends this one, as it does on
    a processor without the instructions that it was compiled for.
    """
    sys.stderr.flush()
    command = ["grep", "--invert-match", "--extended-regexp", "--line-buffered", _START_UP_LINES]
    end, start = os.pipe()
    try:
        # Ctrl-C is for this process.
        grep = subprocess.Popen(command, stdin=end, stdout=2, start_new_session=True)
    except OSError:  # there is no grep
        os.close(start)
        yield
        return
    finally:
        os.close(end)
    own = os.dup(2)
    os.dup2(start, 2)
    os.close(start)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
        with contextlib.suppress(subprocess.TimeoutExpired):
            grep.wait(_SECONDS)
