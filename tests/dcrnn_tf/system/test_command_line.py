"""How programs start and end: a mistake is one sentence, never a traceback."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]


def run(body, *arguments):
    """Runs a program whose `main` has the given body."""
    script = (
        "import dataclasses, pathlib\n"
        "from dcrnn_tf.system import command_line\n"
        "from dcrnn_tf.system.settings import setting\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Settings:\n"
        "    share: float = setting(0.5, 'A share.')\n"
        "    file: str | None = setting(None, 'A file.')\n"
        "def main(settings):\n"
        f"    {body}\n"
        "command_line.run(main, Settings)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "pathlib.Path(settings.file).mkdir()",
            "/proc/nope/x cannot be read or written (No such file or directory)",
        ),
        (
            "pathlib.Path('/dev/full').write_text('text')",
            "a file cannot be read or written ([Errno 28] No space left on device); make room and "
            "give the same command again",
        ),
        (
            "raise RuntimeError('out/a; No space left on device')",
            "out/a; No space left on device; make room and give the same command again",
        ),
        (
            "raise MemoryError",
            "there is too little memory (no size is known); take a smaller batch or model, or a "
            "machine or device with more memory, and give the same command again",
        ),
        (
            "import tensorflow as tf; tf.zeros([2**30, 2**30])",
            "there is too little memory (OOM when allocating tensor with shape"
            "[1073741824,1073741824] and type float on /job:localhost/replica:0/task:0/device:CPU:0"
            " by allocator cpu); take a smaller batch or model, or a machine or device with more "
            "memory, and give the same command again",
        ),
    ],
)
def test_what_the_system_refuses_is_one_sentence(body, sentence):
    done = run(body, "--file=/proc/nope/x")
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error: {sentence}"


def test_of_a_full_disk_the_room_is_said_that_the_named_file_has(tmp_path):
    done = run(f"raise OSError(28, 'No space left on device', {str(tmp_path / 'a' / 'b')!r})")
    assert re.fullmatch(
        rf"Error: {tmp_path}/a/b cannot be read or written \(No space left on device\); it takes "
        rf"more than the [0-9,.]+ MiB that are free in {tmp_path}; make room and give the same "
        "command again",
        done.stderr.strip(),
    )


def test_what_libraries_log_for_information_is_not_printed():
    body = "from absl import logging; logging.info('a checkpoint'); logging.warning('a fault')"
    for flags, lines in ((), 1), (("--verbosity=0",), 2):
        assert len(run(body, *flags).stderr.splitlines()) == lines


def test_other_errors_keep_their_traceback():
    done = run("raise RuntimeError('a fault of the program')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_numbers_that_are_not_finite_are_refused(value):
    done = run("print(settings.share)", f"--share={value}")
    assert done.returncode == 1
    assert f"--share={value} must be a finite number" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert run("print(settings.share)", "--share=0.25").stdout.strip() == "0.25"


def test_interruption_promises_nothing_that_a_program_may_not_keep():
    done = run("raise KeyboardInterrupt")
    assert done.returncode == 130
    assert done.stderr.strip() == (
        "Interrupted; the same command takes it up again or starts it over."
    )
