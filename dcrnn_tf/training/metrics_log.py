"""The log `metrics.jsonl`: a JSON object a line, on disk before the run continues."""

import json
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dcrnn_tf.system.json_form import (
    ANY_NUMBER,
    COUNT,
    FROM_0,
    NUMBER,
    TEXT,
    Form,
    Named,
    Object,
    Optional,
    parse,
)
from dcrnn_tf.training.metric_address import MEAN_PRIMARY, MetricAddress

METRICS_FILE = "metrics.jsonl"

METRICS = Named(
    Named(
        Object(
            {
                "rows": COUNT,
                "positives": Optional(COUNT),
                "population": Optional(TEXT),
                "measured_on": Optional(TEXT),
                "grouped_by": Optional(TEXT),
            },
            others=Optional(NUMBER),
        )
    )
)
"""Form of the metrics of splits, `{split: {task or derived output: {metric: value}}}`."""

_EVERY_LINE: Mapping[str, Form] = {"kind": TEXT, "epoch": COUNT, "step": COUNT}
_LINES = {
    "train": Object(
        {
            **_EVERY_LINE,
            "loss": NUMBER,
            "losses": Named(NUMBER),
            "statistics": Optional(Named(ANY_NUMBER)),
            "rows_per_second": FROM_0,
        }
    ),
    "evaluation": Object({**_EVERY_LINE, "split": TEXT, "metrics": METRICS.form}),
}


class _Line:
    """The form of a line, which its `kind` decides."""

    def problem(self, value: Any, place: str) -> str | None:
        """Returns what is wrong with a line."""
        kind = value.get("kind") if isinstance(value, Mapping) else None
        form = _LINES.get(kind) if isinstance(kind, str) else None
        return (form or Object(_EVERY_LINE)).problem(value, place)


_LINE = _Line()


def append(path: pathlib.Path, entry: Mapping) -> None:
    """Adds a line and waits until it is on disk."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: pathlib.Path) -> list[dict]:
    """Returns the entries; an unfinished last line, left by a killed run, is skipped.

    Raises:
      DatasetError: Another line is not as `append` has written it.
    """
    if not path.exists():
        return []
    return [_parsed(path, number, line) for number, line in _lines(path.read_bytes())]


def cut(path: pathlib.Path, size: int, step: int) -> None:
    """Removes the lines that were written after a checkpoint.

    A file that is shorter than it was at the checkpoint has lost lines: a notice is printed, and
    the remaining lines of the steps up to the checkpoint stay.

    Args:
      path: Path of the file, which need not exist.
      size: Size of the file at the checkpoint, in bytes.
      step: Step of the checkpoint.

    Raises:
      DatasetError: A line that is to stay is damaged.
    """
    content = path.read_bytes() if path.exists() else b""
    kept = content[:size]
    entries = [(line, _parsed(path, number, line)) for number, line in _lines(kept)]
    if len(content) < size or (kept and not kept.endswith(b"\n")):
        print(
            f"{path} has lost lines: {len(content)} bytes, of {size} at the checkpoint of step "
            f"{step}; going on with those that are left."
        )
        kept = b"".join(line + b"\n" for line, entry in entries if entry["step"] <= step)
        path.write_bytes(kept)
    elif len(content) > size:
        os.truncate(path, size)


def evaluations(entries: Sequence[Mapping], split: str) -> dict[int, Mapping]:
    """Returns what is logged of a split, `{step: {task: {metric: value}}}`."""
    return {
        entry["step"]: entry["metrics"]
        for entry in entries
        if entry["kind"] == "evaluation" and entry["split"] == split
    }


def best_step(
    entries: Sequence[Mapping],
    among: Collection[int] | None = None,
    address: MetricAddress = MEAN_PRIMARY,
) -> int | None:
    """Returns the step with the best value of a metric, the first of several; None without one.

    By default that is the mean over the tasks of the metric by which they are ranked: shares of
    pairs in the right order for all kinds of task, so that their mean is one too. A task without
    pairs counts as 0.5; derived outputs do not count.

    Args:
      entries: Entries of the log of a run.
      among: Steps to choose from; None chooses from all.
      address: Address of the metric.

    Raises:
      MetricAddressError: An evaluation lacks the metric.
    """
    values = {
        step: address.value(outputs)
        for step, outputs in evaluations(entries, address.split).items()
        if among is None or step in among
    }
    penalties = {
        step: address.penalty(value) for step, value in values.items() if value is not None
    }
    return min(penalties, key=penalties.__getitem__, default=None)


def _lines(content: bytes) -> list[tuple[int, bytes]]:
    return list(enumerate(content.split(b"\n")[:-1], start=1))


def _parsed(path: pathlib.Path, number: int, line: bytes) -> dict:
    return parse(line, _LINE, f"{path}, line {number},", "mend or remove the line")
