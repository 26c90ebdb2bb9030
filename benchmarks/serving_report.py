"""Writes the results of the serving benchmark as a Markdown page."""

import pathlib
from collections.abc import Iterable, Mapping

from benchmarks.preparation import gib
from benchmarks.report import FLOOR, RATIO, SPEED, compared, host_words, milliseconds
from experiments.reports.blocks import Block
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Number, Text
from experiments.reports.markdown import Trusted

# Each claim: a contender, the one it is compared with, the least ratio of rows a second.
CLAIMS = (
    ("mmoe encoded 4096", "mmoe deepctr 4096", 1.5),
    ("mmoe encoded 4096", "mmoe onnx 4096", 1.0),
    ("mmoe raw 4096", "mmoe deepctr 4096", 1.5),
    ("mmoe raw 4096", "mmoe onnx 4096", 1.0),
    ("mmoe bfloat16 4096", "mmoe deepctr 4096", 1.5),
    ("mmoe bfloat16 4096", "mmoe raw 4096", None),
    ("mmoe raw 4096", "mmoe encoded 4096", None),
    ("dcrnn raw 4096", "dcrnn encoded 4096", None),
    ("dcrnn_ada raw 4096", "dcrnn_ada encoded 4096", None),
    ("dcrnn raw 4096", "mmoe raw 4096", None),
    ("dcrnn_ada raw 4096", "mmoe raw 4096", None),
    ("mmoe rank 500", "mmoe raw 500", None),
    ("mmoe rank 500", "mmoe deepctr 500", None),
    ("mmoe rank 500", "mmoe onnx 500", None),
    ("dcrnn rank 500", "dcrnn raw 500", None),
    ("dcrnn_ada rank 500", "dcrnn_ada raw 500", None),
)
MOST_SECONDS = {"dcrnn rank 500": 0.010}  # for 99 of 100 calls
BATCH = " 4096"


def ratios(speeds: list[dict]) -> list[dict]:
    """Returns each claim that the results speak of: ratio of medians, its range over rounds."""
    by_label = {speed["label"]: speed for speed in speeds}
    return [
        compared(f"{label} / {other}", by_label[label], by_label[other], wanted)
        for label, other, wanted in CLAIMS
        if label in by_label and other in by_label
    ]


def floors(results: Mapping) -> list[dict]:
    """Time of a call over the time that its model's products alone would take.

    The rate of products is that of all cores for whole batches, that of one core for the rest.
    """
    found = []
    for speed in results["speeds"]:
        model, _, rows = speed["label"].partition(" ")
        if rows.startswith("bfloat16"):  # whose products have another rate
            continue
        rows = int(rows.split()[-1])
        rate = "product_rate" if speed["label"].endswith(BATCH) else "one_core_product_rate"
        operations = results["operations_per_row"][model]
        floor = rows * operations / results[rate]
        call = rows / speed["rows_per_second"]
        found.append({"label": speed["label"], "call": call, "floor": floor, "ratio": call / floor})
    return found


def limit(results: Mapping) -> str | None:
    """Whether what is aimed at beside DeepCTR can be had at all, in words; None without DeepCTR."""
    rates = {speed["label"]: speed["rows_per_second"] for speed in results["speeds"]}
    if "mmoe deepctr 4096" not in rates:
        return None
    operations, products = results["operations_per_row"]["mmoe"], results["product_rate"]
    most = products / operations
    wanted = 1.5 * rates["mmoe deepctr 4096"]
    verdict = "above" if wanted > most else "below"
    return (
        f"To score a row MMoE takes {operations / 2:,.0f} multiply-adds. At "
        f"{products / 1e9:.0f} GFLOP/s that is {most:,.0f} rows/s, were there nothing else to do. "
        f"1.5 times DeepCTR's {rates['mmoe deepctr 4096']:,.0f} is {wanted:,.0f}, {verdict} that."
    )


def write(results: Mapping, out_dir: pathlib.Path) -> None:
    """Writes `serving.md`."""
    Document("Serving", Section("", list(_blocks(results)))).write(out_dir / "serving.md")


def _blocks(results: Mapping) -> Iterable[Block | str]:
    speeds = results["speeds"]
    batches = [speed for speed in speeds if speed["label"].endswith(BATCH)]
    calls = [speed for speed in speeds if not speed["label"].endswith(BATCH)]
    batch = Text("", lambda speed: speed["label"].removesuffix(BATCH))
    ratio, call = Text("ratio of rows/s", "claim"), Text("", "label")
    yield Trusted(
        "All data is synthetic: 23 single-valued fields, 2.5 M embedding rows, ids log-uniform "
        "in rank, embedding 32. `raw` and `rank` are an exported SavedModel's signatures, raw "
        "int64 ids looked up inside; `bfloat16` is `raw` with products in bfloat16; `encoded` "
        "is the same model from rows of its embedding tables. So are the peers, which have no "
        "vocabularies inside: `deepctr` is DeepCTR's MMoE as a SavedModel, `onnx` "
        "torch-rechub's, of equal size, exported by itself and run in ONNX Runtime. Each is "
        "loaded in a process of its own; NumPy arrays in, NumPy arrays out."
    )
    yield (
        f"{host_words(results['machine'])} Products: {results['product_rate'] / 1e9:.0f} GFLOP/s, "
        f"on one core {results['one_core_product_rate'] / 1e9:.0f}."
    )
    yield "Batches of 4,096 rows, all cores:"
    yield Grid.of("Batches", (batch, *SPEED), batches)
    yield Trusted(
        "One user's candidates, 13 of the 23 fields the user's, on one core. `rank` gets the "
        "user's ids once, the others in every row:"
    )
    yield Grid.of("Calls", _CALL, calls)
    yield Grid.of("Ratios", (ratio, *RATIO), ratios(speeds))
    a_call = Number("a call", "call", milliseconds(1))
    yield Grid.of("Floors", (call, a_call, *FLOOR), floors(results))
    if words := limit(results):
        yield words
    yield (
        "What a process takes to serve, TensorFlow's or ONNX Runtime's own memory included; the "
        "files have just been written, so that they are read from memory:"
    )
    yield Grid.of("Processes", (batch, *_PROCESS), batches)
    disk = ", ".join(f"{m} {size / 2**20:,.0f} MiB" for m, size in results["disk_bytes"].items())
    yield f"On disk: {disk}."


_CALL = (
    Text("", lambda speed: speed["label"].rpartition(" ")[0]),
    Number("candidates", lambda speed: speed["label"].rpartition(" ")[2]),
    Number("half of the calls within", lambda s: s["call_seconds"]["p50"], milliseconds(2)),
    Number("99 of 100", lambda speed: speed["call_seconds"]["p99"], milliseconds(2)),
    Number("calls", "calls", ","),
    Number("at most", lambda s: MOST_SECONDS.get(s["label"]), milliseconds(0), missing=""),
)
_PROCESS = (
    Number("load", lambda speed: speed["facts"]["load_seconds"], "{:.1f} s".format),
    Number("first call", lambda speed: speed["facts"]["first_call_seconds"], "{:.1f} s".format),
    Number("memory before", lambda speed: speed["facts"]["bytes_before"], gib(2)),
    Number("after", lambda speed: speed["facts"]["bytes_after"], gib(2)),
    Number("at most, in use", "peak_bytes", gib(2)),
)
