"""Statistics of each field in training, by which whoever serves a model can tell skew.

They lie beside an exported version, and are compared with those of the requests that it gets.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dcrnn_tf.dataset.encodings import PADDING_ROW, UNKNOWN_ROW
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, VECTOR, Field, Schema
from dcrnn_tf.system import json_form

FILE = "field_statistics.json"
TRAINING_ROWS = 1 << 16  # that quantiles are taken from
BINS = 20  # of numbers, of about equal shares
_LEAST_SHARE = 1e-4  # of a bin, so that its logarithm is finite


@dataclasses.dataclass(frozen=True)
class FieldStatistics:
    """What rows have in a field.

    Attributes:
      missing: Share of rows without a value.
      unknown: Share of unknown ids among the ids; None of a field without ids.
      edges: Distinct quantiles of scaled numbers, and of lengths of lists; a bin holds what is
        above one edge and not above the next.
      shares: Share of the rows in each bin, one more than there are edges.
    """

    missing: float
    unknown: float | None = None
    edges: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far the requests of a field are from training.

    Attributes:
      field: Name of the field.
      training: Its statistics in training.
      requests: Its statistics in requests.
      shift: Population stability index of the numbers or lengths; None of other fields.
    """

    field: str
    training: FieldStatistics
    requests: FieldStatistics
    shift: float | None

    def is_skewed(self, largest_share: float, largest_shift: float) -> bool:
        """Whether a share differs by more than `largest_share`, or the shift is larger."""
        pairs = [(self.training.missing, self.requests.missing)]
        if self.training.unknown is not None and self.requests.unknown is not None:
            pairs.append((self.training.unknown, self.requests.unknown))
        apart = any(abs(before - now) > largest_share for before, now in pairs)
        return apart or (self.shift is not None and self.shift > largest_shift)


def write(folder: pathlib.Path, dataset: PreparedDataset) -> None:
    """Writes the statistics of training rows.

    Args:
      folder: Folder of the file, `assets.extra` of an exported version.
      dataset: The dataset of the model.
    """
    batches = dataset.batches("train", TRAINING_ROWS, joined=True, weighted=False)
    features = {name: column.numpy() for name, column in next(iter(batches))[0].items()}
    by_split: Any = dataset.schema.filters.get("missing_by_split", {})
    missing = by_split.get("train", {})
    rows = dataset.schema.split("train").rows
    content = {}
    for field in dataset.schema.fields:
        statistics = of_column(field, features[field.name])
        if field.name in missing:  # over all rows, those of missing numbers as well
            statistics = dataclasses.replace(statistics, missing=missing[field.name] / rows)
        content[field.name] = dataclasses.asdict(statistics)
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")


def read(folder: pathlib.Path) -> dict[str, FieldStatistics]:
    """Reads what `write` has written.

    Raises:
      DatasetError: The file is missing or damaged.
    """
    content = json_form.read(folder / FILE, json_form.OBJECT, "export the model again")
    return {
        field: FieldStatistics(**{name: _tuples(value) for name, value in entry.items()})
        for field, entry in content.items()
    }


def of_column(
    field: Field,
    column: np.ndarray,
    missing: np.ndarray | None = None,
    edges: Sequence[float] | None = None,
) -> FieldStatistics:
    """Returns the statistics of rows.

    Args:
      field: The field.
      column: Its feature, as batches have it.
      missing: Which rows lack a value, `(rows,)`; what the feature shows if not given.
      edges: Edges of the bins; quantiles of the column if not given.
    """
    share = 0.0 if missing is None else float(np.mean(missing))
    if field.kind == NUMERIC:
        return FieldStatistics(share, None, *_binned(column, edges))
    if field.kind == VECTOR:
        return FieldStatistics(share)
    ids = column.reshape(len(column), -1)
    lengths = np.count_nonzero(ids != PADDING_ROW, axis=1)
    unknown = np.count_nonzero(ids == UNKNOWN_ROW) / max(int(lengths.sum()), 1)
    bins = ((), ()) if field.kind == CATEGORICAL else _binned(lengths, edges)
    return FieldStatistics(float(np.mean(lengths == 0)), float(unknown), *bins)


def differences(
    schema: Schema,
    training: Mapping[str, FieldStatistics],
    features: Mapping[str, np.ndarray],
    missing: Mapping[str, np.ndarray],
) -> list[Difference]:
    """Compares the rows of requests with training.

    Args:
      schema: Schema of the dataset.
      training: Statistics in training.
      features: Features of the requests' rows.
      missing: Which rows lack a number, by field.
    """
    found = []
    for field in schema.fields:
        before, column = training[field.name], features[field.name]
        now = of_column(field, column, missing.get(field.name), before.edges)
        shift = stability_index(before.shares, now.shares) if before.shares else None
        found.append(Difference(field.name, before, now, shift))
    return found


def stability_index(before: Sequence[float], now: Sequence[float]) -> float:
    """Returns the population stability index, `sum_k (q_k - p_k) ln(q_k / p_k)`.

    Args:
      before: Shares p of the bins, of which those of nothing count as a ten thousandth.
      now: Shares q of the same bins.
    """
    p, q = (np.maximum(shares, _LEAST_SHARE) for shares in (before, now))
    return float(np.sum((q - p) * np.log(q / p)))


def _binned(
    values: np.ndarray, edges: Sequence[float] | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the edges of bins, and the share of the values in each bin."""
    ends = (
        np.asarray(edges, np.float64)
        if edges is not None
        else np.unique(
            np.quantile(values.astype(np.float64), np.arange(1, BINS) / BINS, method="inverted_cdf")
        )
    )
    bins = np.searchsorted(ends, values, side="left")
    shares = np.bincount(bins, minlength=len(ends) + 1) / max(len(values), 1)
    return tuple(ends.tolist()), tuple(shares.tolist())


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
