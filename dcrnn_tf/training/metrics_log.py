"""The log `metrics.jsonl`: a JSON object a line, on disk before the run continues."""

import json
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.metrics import PRIMARY, get
from dcrnn_tf.metrics.auc import CHANCE


def append(path: pathlib.Path, entry: Mapping) -> None:
    """Adds a line and waits until it is on disk."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: pathlib.Path) -> list[dict]:
    """Returns the entries; an unfinished last line, left by a killed run, is skipped.

    Raises:
      DatasetError: Another line is not a JSON object.
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
        kept = b"".join(line + b"\n" for line, entry in entries if entry.get("step", 0) <= step)
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


def best_step(entries: Sequence[Mapping], among: Collection[int] | None = None) -> int | None:
    """Returns the step with the best primary metric, mean over validation tasks; None without one.

    A task with one class counts as 0.5; derived outputs do not count.

    Args:
      entries: Entries of the log of a run.
      among: Steps to choose from; None chooses from all.
    """
    means = {}
    for step, outputs in evaluations(entries, "validation").items():
        if among is None or step in among:
            tasks = [values for values in outputs.values() if "population" not in values]
            values = [CHANCE if v[PRIMARY] is None else v[PRIMARY] for v in tasks]
            means[step] = sum(values) / len(values)
    return min(means, key=lambda step: get(PRIMARY).penalty(means[step]), default=None)


def _lines(content: bytes) -> list[tuple[int, bytes]]:
    return list(enumerate(content.split(b"\n")[:-1], start=1))


def _parsed(path: pathlib.Path, number: int, line: bytes) -> dict:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise DatasetError(
            f"{path}, line {number}, is not JSON ({error}); mend or remove the line"
        ) from None
    if not isinstance(entry, dict):
        raise DatasetError(f"{path}, line {number}, is no JSON object; mend or remove the line")
    return entry
