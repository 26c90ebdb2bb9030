"""The page of the measurements on a GPU."""

from collections.abc import Mapping, Sequence

from benchmarks.preparation import gib
from benchmarks.report import host_words, milliseconds
from benchmarks.workload import EMBEDDING_DIM, FIELDS
from experiments.reports.blocks import Block
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Number, Text


def rows(results: Mapping) -> list[dict]:
    """Returns what was measured, a row for each step, beside what the device can do at most.

    Args:
      results: Content of `gpu.json`.
    """
    rates = results["rates"]
    found = []
    for case in results["cases"]:
        products = rates["products"][case["precision"]]
        for step in case["steps"]:
            seconds = step["step_seconds"]
            found.append(
                {
                    "case": case["label"],
                    **step,
                    "rows_per_second": step["batch"] / seconds,
                    "of_products": step["operations"] / products / seconds,
                    "of_memory": step["bytes"] / rates["bytes_per_second"] / seconds,
                }
            )
    return found


def document(results: Mapping, left: Sequence[str]) -> Document:
    """Returns the page.

    Args:
      results: Content of `gpu.json`.
      left: Labels of the cases that no time was left for.
    """
    rates = results["rates"]
    words = ", ".join(f"{name} {rate / 1e12:.3g}" for name, rate in rates["products"].items())
    size = results["workload"]
    head = (
        f"{rates['device']}: products in Tflop/s: {words}; memory "
        f"{rates['bytes_per_second'] / 1e9:,.0f} GB/s. {host_words(results['machine'])} All data "
        f"is synthetic: {size['rows']:,} rows of {FIELDS} single-valued fields, "
        f"{size['vocabulary']:,} embedding rows of {EMBEDDING_DIM}, batches in memory."
    )
    columns = (
        Text("step", "case"),
        Number("batch", "batch", ",.0f"),
        Number("step time", "step_seconds", milliseconds(2)),
        Number("rows/s", "rows_per_second", ",.0f"),
        Number("products alone", "of_products", ".1%"),
        Number("memory alone", "of_memory", ".1%"),
        Number("first step", "first_step_seconds", lambda seconds: f"{seconds:.1f} s"),
        Number("peak memory", "peak_bytes", gib(2), missing="n/a"),
    )
    parts: list[Block | str] = [
        head,
        Grid.of("Training steps on a GPU", columns, rows(results)),
        (
            "Products alone, memory alone: the time that the step's matrix products take at the "
            "device's rate, and that of the bytes which it must move at least (activations left "
            "out), as shares of the step's time."
        ),
    ]
    failed = [f"{c['label']}: {c['failed']}" for c in results["cases"] if c.get("failed")]
    if failed:
        parts.append("Failed: " + "; ".join(failed) + ".")
    if left:
        parts.append(f"No time was left for {len(left)} cases: {', '.join(left)}.")
    return Document("Training steps on a GPU", Section("", parts))
