"""What is timed runs in a process of its own, and obeys the benchmark line by line.

It needs nothing but Python, as the peers run in environments of their own. The benchmark writes a
number of seconds; the contender works for so long and answers with a line of JSON.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable


def serve(work: Callable[[], object], rows: int, finish: Callable[[], object] = lambda: None):
    """Answers until the benchmark closes the connection.

    Args:
      work: does one piece of work, such as a training step.
      rows: of one piece.
      finish: waits for what has been started.
    """
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for _ in range(3):  # compiles, allocates
        work()
    finish()

    def answer(content: dict) -> None:
        print(json.dumps(content), file=answers, flush=True)

    answer({"ready": True})
    for line in sys.stdin:
        pieces, started = 0, time.perf_counter()
        while time.perf_counter() - started < float(line):
            work()
            pieces += 1
        finish()
        seconds = time.perf_counter() - started
        usage = resource.getrusage(resource.RUSAGE_SELF)
        answer(
            {
                "rows_per_second": pieces * rows / seconds,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * 1024,
            }
        )
