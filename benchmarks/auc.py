"""Measures time and memory of the exact AUC of many scores, in a process of its own.

python -m benchmarks.auc 40000000
"""

import json
import sys
import time

import numpy as np

from benchmarks import contender
from dcrnn_tf.metrics.auc import auc


def main() -> None:
    """Prints a line of JSON."""
    rows = int(sys.argv[1])
    random = np.random.default_rng(0)
    scores = random.standard_normal(rows, dtype=np.float32)
    labels = random.random(rows, dtype=np.float32) < 1 / (1 + np.exp(8 - scores))
    started = time.perf_counter()
    value = auc(labels, scores)
    seconds = time.perf_counter() - started
    found = {"rows": rows, "auc": value, "seconds": seconds, "peak_bytes": contender.peak_bytes()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
