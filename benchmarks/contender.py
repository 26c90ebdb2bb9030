"""Runs a contender, a program that is timed, for as long as each line of its input says.

It needs nothing but Python, as the peers run in environments of their own. The benchmark writes a
number of seconds; the contender works for so long and answers with a line of JSON.
"""

import itertools
import json
import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable, Mapping


def serve(work: Callable[[], object], rows: int, facts: Mapping[str, object] | None = None) -> None:
    """Answers until the benchmark closes the connection.

    Args:
      work: does one piece of work, such as a training step.
      rows: Number of rows of one piece.
      facts: Further facts for the benchmark, reported at the start.
    """
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for _ in range(3):  # compiles, allocates
        work()

    def answer(content: dict) -> None:
        print(json.dumps(content), file=answers, flush=True)

    answer({"ready": True, **(facts or {})})
    for line in sys.stdin:
        times = [time.perf_counter()]
        while times[-1] - times[0] < float(line):
            work()
            times.append(time.perf_counter())
        calls = [end - start for start, end in itertools.pairwise(times)]
        usage = resource.getrusage(resource.RUSAGE_SELF)
        answer(
            {
                "rows_per_second": len(calls) * rows / sum(calls),
                "call_seconds": calls,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": peak_bytes(),
            }
        )


def use_one_core() -> None:
    """Keeps this process on one core; to be called before libraries count the cores."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def peak_bytes() -> int:
    """The most memory that this process has held; not, as in `ru_maxrss`, the one it came from."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


def resident_bytes() -> int:
    """Memory that this process holds now."""
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
