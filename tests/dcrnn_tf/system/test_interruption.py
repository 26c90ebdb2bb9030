"""Signals between two steps, and what they leave."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from dcrnn_tf.system.interruption import Interrupted, Interruption

ROOT = pathlib.Path(__file__).parents[3]


def run(body):
    script = (
        "import os, pathlib, signal\n"
        "from dcrnn_tf.system import command_line\n"
        "def main():\n"
        f"    {body}\n"
        "command_line.run(main)\n"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "code", "word"), [("SIGINT", 130, "Interrupted"), ("SIGTERM", 143, "Terminated")]
)
def test_a_signal_ends_a_program_in_one_line_after_its_clean_up(name, code, word):
    done = run(f"""
    try:
        os.kill(os.getpid(), signal.{name})
        print("not reached")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # a parent may send another
        print("cleaned up")
""")
    assert done.returncode == code
    assert done.stdout == "cleaned up\n"
    assert done.stderr.strip() == (f"{word}; the same command takes it up again or starts it over.")


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = run("os.kill(os.getpid(), signal.SIGINT); print('went on')")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_within_an_interruption_a_signal_is_noted_and_a_second_sigint_raises():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with Interruption() as interruption:
        assert interruption.number is None
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.number == signal.SIGTERM
        with pytest.raises(Interrupted) as raised:
            os.kill(os.getpid(), signal.SIGINT)
        assert raised.value.exit_code == 130
    assert {number: signal.getsignal(number) for number in before} == before
