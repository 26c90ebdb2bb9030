"""A contender: a model in ONNX Runtime.

python -m benchmarks.peers.serve_onnx FILE.onnx IDS.npy ROWS [--one_core] [--user_fields=13]
"""

import argparse
import itertools
import time

import numpy as np

from benchmarks import contender, requests

parser = argparse.ArgumentParser()
parser.add_argument("path")
parser.add_argument("ids")
parser.add_argument("rows", type=int)
parser.add_argument("--one_core", action="store_true")
parser.add_argument("--user_fields", type=int, default=0)
given = parser.parse_args()
if given.one_core:
    contender.use_one_core()
import onnxruntime  # noqa: E402  it counts the cores

before = contender.resident_bytes()
started = time.perf_counter()
session = onnxruntime.InferenceSession(given.path, providers=["CPUExecutionProvider"])
facts = {"load_seconds": time.perf_counter() - started, "bytes_before": before}
facts["bytes_after"] = contender.resident_bytes()

names = [node.name for node in session.get_inputs()]
loaded = requests.load(given.ids, given.rows, given.user_fields)
int64 = [[column.astype(np.int64) for column in request] for request in loaded]
cycle = itertools.cycle(requests.named(int64, names))


def work() -> None:
    """Scores a request."""
    session.run(None, next(cycle))


started = time.perf_counter()
work()
facts["first_call_seconds"] = time.perf_counter() - started
contender.serve(work, given.rows, facts)
