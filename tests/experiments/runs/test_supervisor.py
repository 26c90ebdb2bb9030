"""Supervision of plain Python processes; `test_launch.py` has that of trainings."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from experiments.runs.supervisor import Supervisor, Worker, WorkerEnded, WorkersFailed

ROOT = pathlib.Path(__file__).parents[3]


def supervise(tmp_path, *scripts, hang_seconds=30.0, max_restarts=2, said=None):
    """Runs a group of scripts, each told the number of the start; returns what was said.

    What each start did to the folder stays there.
    """
    starts, said = [], [] if said is None else said

    def workers(beats):
        starts.append(len(starts))
        return [
            Worker(
                [sys.executable, "-c", script],
                os.environ | {"START": str(starts[-1]), "BEAT": str(beat), "FOLDER": str(tmp_path)},
            )
            for script, beat in zip(scripts, beats, strict=True)
        ]

    supervisor = Supervisor(workers, len(scripts), hang_seconds, max_restarts, said.append)
    supervisor.run()
    return [*said, len(starts)]


FIRST = "import os, sys, time, signal; first = os.environ['START'] == '0'\n"
WAIT = FIRST + "time.sleep(60 if first else 0)"


def test_all_end_well(tmp_path):
    assert supervise(tmp_path, FIRST, FIRST) == [1]


def test_a_killed_worker_restarts_all(tmp_path):
    killed = FIRST + "if first: os.kill(os.getpid(), signal.SIGKILL)"
    lost = FIRST + "sys.exit(75 if first else 0)"
    assert supervise(tmp_path, lost, killed) == [
        "Worker 1 was ended by SIGKILL; starting all 2 again from the last checkpoint "
        "(restart 1 of 2).",
        2,
    ]


def test_one_that_does_not_get_on_restarts_all(tmp_path):
    # The first one beats, the second one is stopped as a whole.
    beats = FIRST + (
        "for _ in range(600 if first else 0): os.utime(os.environ['BEAT']); time.sleep(0.1)"
    )
    stopped = FIRST + "if first: os.kill(os.getpid(), signal.SIGSTOP)"
    said = supervise(tmp_path, beats, stopped, hang_seconds=5.0)
    assert said[0].startswith("Worker 1 and maybe others have not got on for 5 seconds; starting")
    assert said[1] == 2


def test_a_verdict_of_a_worker_ends_all(tmp_path, capfd):
    mistaken = FIRST + "print('Error: no such model', file=sys.stderr); sys.exit(1)"
    started = time.monotonic()
    said = []
    with pytest.raises(WorkerEnded) as raised:
        supervise(tmp_path, FIRST + "sys.exit(75)", mistaken, said=said)
    assert said == ["worker 1: Error: no such model"]
    assert raised.value.code == 1
    assert time.monotonic() - started < 9  # it did not wait for a hang
    with pytest.raises(WorkerEnded):
        supervise(tmp_path, mistaken, FIRST + "sys.exit(75)")
    assert capfd.readouterr().err == "Error: no such model\n"  # the first one's alone


def test_it_gives_up(tmp_path):
    with pytest.raises(WorkersFailed, match=r"^Worker 0 lost another one, .* started 2 times"):
        supervise(tmp_path, "import sys; sys.exit(75)", max_restarts=1)


PROGRAM = """
import os, sys
from dcrnn_tf.system import command_line
from experiments.runs.supervisor import Supervisor, Worker
script = '''
import os, signal, sys, time
def end(number, frame):
    open(os.environ["BEAT"] + ".ended", "w").close()
    print("checkpoint written", file=sys.stderr)
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
print(os.getpid(), flush=True)
time.sleep(60)
'''
def workers(beats):
    commands = [sys.executable, "-c", script]
    return [Worker(commands, os.environ | {"BEAT": str(beat)}) for beat in beats]
command_line.run(lambda: Supervisor(workers, 2, 30, 0).run())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_are_passed_on(number, code):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    worker = int(process.stdout.readline())
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert errors == "checkpoint written\n"  # the first worker's line is the only one
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
