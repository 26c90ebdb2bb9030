"""Measures the rates of matrix products and memory copies, which bound a training step."""

import os
import pathlib
import platform
import subprocess
import sys
import time

import numpy as np

from benchmarks.workload import BATCH, EMBEDDING_DIM, FIELDS


def describe() -> dict[str, str | int]:
    """Processor, cores, and the versions of what computes."""
    import keras
    import tensorflow as tf

    name = platform.processor() or "unknown"
    information = pathlib.Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return {
        "processor": name,
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def product_rate(seconds: float = 3.0) -> float:
    """Floating-point operations a second of the models' largest product, float32."""
    import tensorflow as tf

    inputs = tf.random.normal((BATCH, FIELDS * EMBEDDING_DIM))
    kernel = tf.random.normal((FIELDS * EMBEDDING_DIM, 1024))
    operations = 2 * BATCH * FIELDS * EMBEDDING_DIM * 1024

    @tf.function
    def products():
        result = inputs @ kernel
        for _ in tf.range(19):
            result = inputs @ kernel
        return result

    products()
    rates, started = [], time.perf_counter()
    while time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        products().numpy()
        rates.append(20 * operations / (time.perf_counter() - begun))
    return float(np.median(rates))


def one_core_product_rate() -> float:
    """The same on one core, in a process of its own."""
    program = (
        "from benchmarks import contender; contender.use_one_core()\n"
        "from benchmarks import machine; print(machine.product_rate())"
    )
    output = subprocess.check_output([sys.executable, "-c", program], encoding="utf-8")
    return float(output.splitlines()[-1])


def copy_rate(seconds: float = 2.0) -> float:
    """Bytes a second that one core copies from memory to memory."""
    source = np.ones(1 << 28, np.uint8)
    target = np.empty_like(source)
    rates, started = [], time.perf_counter()
    while time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        np.copyto(target, source)
        rates.append(len(source) / (time.perf_counter() - begun))
    return float(np.median(rates))


def operations_per_row() -> dict[str, int]:
    """Floating-point operations of each model's matrix products for one row of a training step.

    The two gradients of a product cost as much again each.
    """
    return {model: 3 * count for model, count in forward_operations_per_row().items()}


def forward_operations_per_row() -> dict[str, int]:
    """Floating-point operations of each model's matrix products to score one row.

    Two for each multiply-add. The recurrent product is left out at the first step, whose state is
    zero.
    """
    x0 = FIELDS * EMBEDDING_DIM
    tasks, experts, units, steps = 2, 8, 64, 3

    def tower(width: int) -> int:
        return width * 64 + 64 * 32 + 32

    networks = 2 * tasks
    mmoe = experts * (x0 * 128 + 128 * 64) + tasks * (x0 * experts + experts * 64 + tower(64))
    dcrnn = networks * 4 * units * (x0 + (steps - 1) * units) + tasks * tower(2 * units)
    return {"mmoe": 2 * mmoe, "dcrnn": 2 * dcrnn, "dcrnn_ada": 2 * dcrnn}
