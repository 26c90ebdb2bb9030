"""What the preparation of an own log counted: the schema's `filters`, and the summary."""

import collections
import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from data_prep.own_log.extending import growth_lines
from data_prep.own_log.joined.tables import counts_of
from data_prep.own_log.learning.field_counts import FieldCounts
from data_prep.own_log.learning.id_sketch import IdSketch, colliding_share
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.storage.columns import Columns, Ragged
from data_prep.storage.group_draw import reached
from dcrnn_tf.dataset.encodings import PADDING_ROW, UNKNOWN_ROW, Ids, Scaling
from dcrnn_tf.dataset.schema import (
    BINARY,
    CATEGORICAL,
    MULTICLASS,
    NUMERIC,
    REGRESSION,
    VECTOR,
    Schema,
)

_POSITIVE = {BINARY: "", REGRESSION: " above 0", MULTICLASS: " not the first class"}
HIGH_SHARE = 0.1  # of unknown ids and of missing values, from which on the summary says so
NAMED_FILES = 3


class EncodedCounts:
    """Numbers of rows without a value, of ids, and of unknown ids, by split and field."""

    def __init__(self) -> None:
        self._missing: collections.Counter[tuple[str, str]] = collections.Counter()
        self._unknown: collections.Counter[tuple[str, str]] = collections.Counter()
        self._ids: collections.Counter[tuple[str, str]] = collections.Counter()

    def add(
        self,
        split: str,
        columns: Columns,
        fields: Iterable[str],
        missing_numbers: Mapping[str, np.ndarray],
    ) -> None:
        """Counts encoded rows of one split.

        Args:
          split: Name of the split.
          columns: Encoded columns.
          fields: Names of those that are made of ids.
          missing_numbers: Whether each row lacks a number, by field.
        """
        for field in fields:
            column = columns[field]
            if isinstance(column, Ragged):
                rows, absent = column.values, column.row_lengths == 0
            else:
                rows, absent = column, column == PADDING_ROW
            self._missing[split, field] += int(np.count_nonzero(absent))
            self._unknown[split, field] += int(np.count_nonzero(rows == UNKNOWN_ROW))
            self._ids[split, field] += int(np.count_nonzero(rows != PADDING_ROW))
        for field, absent in missing_numbers.items():
            self._missing[split, field] += int(np.count_nonzero(absent))

    def add_counts(self, split: str, field: str, missing: int, unknown: int, ids: int) -> None:
        """Adds numbers of rows without a value and of a field's ids in rows of one split."""
        self._missing[split, field] += missing
        self._unknown[split, field] += unknown
        self._ids[split, field] += ids

    def merge(self, other: "EncodedCounts") -> None:
        """Adds the counts of other rows."""
        self._missing.update(other._missing)
        self._unknown.update(other._unknown)
        self._ids.update(other._ids)

    def filters(self) -> dict[str, object]:
        """Returns what the schema's `filters` hold of it."""
        missing: dict[str, dict[str, int]] = {}
        for split, field in sorted(self._missing):
            missing.setdefault(split, {})[field] = self._missing[split, field]
        unknown: dict[str, dict[str, dict[str, int]]] = {}
        for split, field in sorted(self._ids):
            counts = {"unknown": self._unknown[split, field], "ids": self._ids[split, field]}
            unknown.setdefault(split, {})[field] = counts
        return {"missing_by_split": missing, "unknown_ids": unknown}


def filters_of(
    bad_rows: Mapping[str, int],
    log: LogRows,
    files_without_rows: Sequence[str],
    fields: Mapping[str, FieldCounts],
    never_met: Mapping[str, Mapping[str, str]],
    spans: Mapping[str, Sequence[str]],
) -> dict[str, object]:
    """Returns the schema's `filters`, less what encoding counts, as `EncodedCounts` does.

    Args:
      bad_rows: Numbers of bad rows that were left out, by reason.
      log: Rows of the log, which have been read.
      files_without_rows: Names of the files without a usable row.
      fields: Counts of each field.
      never_met: Declared values that no row has, as `row_counts.never_met` returns them.
      spans: The first and the last moment of each split, where times are declared.
    """
    truncated = {name: counts.truncated for name, counts in fields.items()}
    filters: dict[str, object] = {
        "bad_rows": dict(bad_rows),
        "ignored_columns": log.ignored_columns,
        "files_without_rows": list(files_without_rows),
        "hidden_files": log.hidden_files,
        "missing": {name: counts.missing for name, counts in fields.items()},
        "written_lists": {
            name: {"ids": counts.written_lists, "such_as": counts.written_list}
            for name, counts in fields.items()
            if counts.written_lists
        },
        "spelled_otherwise": {
            name: {"ids": len(others), "such_as": list(next(iter(others.items())))}
            for name, counts in fields.items()
            if (others := counts.spelled_otherwise)
        },
        "truncated_lists": {name: n for name, n in truncated.items() if n is not None},
        "never_met": {part: dict(values) for part, values in never_met.items()},
    }
    if hashed := _hashed(fields):
        filters["hashed"] = hashed
    if log.joins.tables:
        filters["joins"] = counts_of(log.joins.tables, log.unmatched)
    return filters | ({"time_spans": dict(spans)} if spans else {})


def _hashed(fields: Mapping[str, FieldCounts]) -> dict[str, int]:
    """Returns the estimated numbers of distinct hashed ids, by the field that owns them."""
    sketches: dict[str, IdSketch] = {}
    for counts in fields.values():
        if counts.sketch is not None:
            sketches.setdefault(counts.owner, IdSketch()).merge(counts.sketch)
    return {owner: sketch.distinct() for owner, sketch in sketches.items()}


def summary(schema: Schema) -> str:
    """Says in a few lines what was prepared, what was left out and what looks like a mistake."""
    total = sum(split.rows for split in schema.splits.values())
    lines = [f"{schema.name}: {total:,} rows" + (", simulated" if schema.simulated else "")]
    for split in schema.splits.values():
        rates = "".join(
            f", {task.name} {split.positives[task.name]:,} of {split.defined[task.name]:,}"
            f"{_POSITIVE[task.kind]}"
            f" ({split.positives[task.name] / max(split.defined[task.name], 1):.4f})"
            for task in schema.tasks
        )
        times = schema.filters.get("time_spans", {}).get(split.name)
        when = f", {times[0]} to {times[1]}" if times else ""
        lines.append(f"  {split.name}: {split.rows:,} rows{when}{rates}")
    declared = schema.settings["declaration"]["split"]
    for drawn in ("validation", "test") if declared["by"] == "group" else ():
        if wanted := declared.get(f"{drawn}_fraction"):
            lines.append(f"  {reached(schema, wanted, 'groups', drawn)}")
    filters = schema.filters
    for name, counts in filters.get("joins", {}).items():
        stored = "an entity table of " if name in schema.entities else ""
        what = f"{stored}{counts['rows']:,} rows"
        if repeated := counts["repeated"]:
            what += f", {repeated:,} more with repeated keys left out"
        if unmatched := counts["unmatched"]:
            what += f", no partner of {unmatched:,} rows of the log"
        lines.append(f"  join {name}: {what}")
    for field in schema.fields:
        what = f"{field.kind}, " + (
            f"{field.encoded_as(Scaling).method} scaling"
            if field.kind == NUMERIC
            else f"{field.length:,} numbers"
            if field.kind == VECTOR
            else f"{field.vocabulary_size:,} embedding rows"
        )
        if field.width is not None:
            what += f" of width {field.width}"
        ids = filters.get("hashed", {}).get(field.owner)
        if ids is not None and (rows := field.encoded_as(Ids).hashed) is not None:
            share = colliding_share(ids, rows)
            what += f", about {ids:,} ids hashed, {share:.1%} of which are expected to share a row"
        if missing := filters["missing"][field.name]:
            what += f", missing in {missing:,} rows"
        if truncated := filters["truncated_lists"].get(field.name):
            what += f", {truncated:,} lists cut to {field.max_values} values"
        what += "".join(_shares(schema, field.name))
        lines.append(f"  field {field.name}: {what}")
    means = {task.weight: task.weight_mean for task in schema.tasks if task.weight is not None}
    lines += [f"  {name}: {mean:.6g} on average of training rows" for name, mean in means.items()]
    left_out, sampled = filters.get("negatives_left_out"), schema.sampled_task
    if left_out is not None and sampled is not None:
        kept = f"left out: {left_out:,}, the share {sampled.keep_negatives:g} is kept"
        lines.append(f"  training negatives of {sampled.name} {kept}")
    lines.append(f"  columns not used: {', '.join(filters['ignored_columns']) or 'none'}")
    bad = ", ".join(f"{reason} {count:,}" for reason, count in filters["bad_rows"].items())
    lines.append(f"  bad rows left out: {bad or 'none'}")
    if outside := filters.get("rows_in_no_split"):
        lines.append(f"  rows before or after those of the splits: {outside:,}")
    lines += [f"  {line}" for line in growth_lines(schema)]
    lines += [f"  note: {note}" for note in notes(schema)]
    return "\n".join(lines)


def _shares(schema: Schema, field: str) -> Iterator[str]:
    """Yields which share of each split's rows lacks a value, and of its ids is unknown, if any."""
    rows = {name: split.rows for name, split in schema.splits.items()}
    missing = schema.filters.get("missing_by_split", {})
    counts = {"missing": {s: (missing.get(s, {}).get(field, 0), n) for s, n in rows.items()}}
    unknown = schema.filters.get("unknown_ids", {})
    ids = {s: unknown[s][field] for s in rows if field in unknown.get(s, {})}
    counts["unknown ids"] = {s: (count["unknown"], count["ids"]) for s, count in ids.items()}
    for what, by_split in counts.items():
        if any(some for some, _ in by_split.values()):
            shares = (f"{s} {some / max(of, 1):.1%}" for s, (some, of) in by_split.items())
            yield f"; {what}: {', '.join(shares)}"


def summary_content(schema: Schema) -> dict[str, object]:
    """Returns what `summary` says, for programs to read."""
    return {
        "name": schema.name,
        "simulated": schema.simulated,
        "splits": {
            name: {
                "rows": split.rows,
                "positives": dict(split.positives),
                "defined": dict(split.defined),
            }
            for name, split in schema.splits.items()
        },
        "fields": {
            field.name: {"kind": field.kind, "embedding_rows": field.vocabulary_size}
            for field in schema.fields
        },
        **schema.filters,
        "notes": list(notes(schema)),
    }


def notes(schema: Schema) -> Iterator[str]:
    """Yields a sentence on each thing that may be a mistake of the declaration or the files."""
    filters = schema.filters
    for key, what in (
        ("files_without_rows", "without a usable row"),
        ("hidden_files", "passed over because hidden"),
    ):
        if files := filters.get(key):
            more = f" and {len(files) - NAMED_FILES:,} more" if len(files) > NAMED_FILES else ""
            noun = "file" if len(files) == 1 else "files"
            yield f"{len(files):,} {noun} {what}: {', '.join(files[:NAMED_FILES])}{more}"
    for part, values in filters.get("never_met", {}).items():
        for value, held in values.items():
            yield f"{part}: no row has {value!r}; {held}"
    yield from _ahead(filters.get("time_spans", {}))
    rows = sum(split.rows for split in schema.splits.values())
    for field, missing in filters["missing"].items():
        if missing == rows:
            yield f"field {field}: every row lacks a value"
        else:
            yield from _missing(schema, field)
    yield from _odd_ids(schema)
    for split, fields in filters.get("unknown_ids", {}).items():
        for field, counts in fields.items():
            if counts["ids"] and counts["unknown"] >= HIGH_SHARE * counts["ids"]:
                yield (
                    f"{split}: {counts['unknown']:,} of {counts['ids']:,} ids of field {field} "
                    f"({counts['unknown'] / counts['ids']:.0%}) are not in its vocabulary"
                )
    for split in schema.splits.values():
        for task in schema.tasks:
            positives, defined = split.positives[task.name], split.defined[task.name]
            if task.kind == BINARY and not 0 < positives < defined:
                yield (
                    f"{split.name}: task {task.name} has {positives:,} positives among "
                    f"{defined:,} rows, so its AUC is not defined there"
                )
            everywhere = task.only_where is None and not task.may_be_missing
            if task.kind == MULTICLASS and everywhere and defined < split.rows:
                yield (
                    f"{split.name}: {split.rows - defined:,} of {split.rows:,} rows have a class "
                    f"of task {task.name} that no training row has, and are no part of its metrics"
                )
    yield from _out_of_sequence(schema)


def _missing(schema: Schema, field: str) -> Iterator[str]:
    """Yields in which splits a field is missing in many rows."""
    by_split = schema.filters.get("missing_by_split", {})
    shares = [
        (f"{counts[field]:,} of {split.rows:,} rows of {name}", counts[field] / split.rows)
        for name, split in schema.splits.items()
        if (counts := by_split.get(name)) and counts.get(field, 0) >= HIGH_SHARE * split.rows > 0
    ]
    if shares:
        where = ", ".join(f"{what} ({share:.0%})" for what, share in shares)
        yield f"field {field}: no value in {where}"


def _odd_ids(schema: Schema) -> Iterator[str]:
    """Yields which ids look like lists, or like others of the same field."""
    kinds = {field.name: field.kind for field in schema.fields}
    for field, lists in schema.filters.get("written_lists", {}).items():
        advice = "lists stand between separators or in square brackets"
        if kinds[field] == CATEGORICAL:
            advice = "declare it multi_categorical if they are"
        yield (
            f"field {field}: {lists['ids']:,} ids look like written lists, such as "
            f"{lists['such_as']!r:.80}; {advice}"
        )
    for field, others in schema.filters.get("spelled_otherwise", {}).items():
        odd, known = others["such_as"]
        yield (
            f"field {field}: {others['ids']:,} ids are the same number as another id and are told "
            f"apart by their spelling, such as {odd!r} and {known!r}"
        )


def _ahead(spans: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yields where rows that come later than those of another split were learned from."""
    _, latest = spans.get("train", ("", ""))
    for split in ("validation", "test"):
        first, _ = spans.get(split, ("", ""))
        if (
            first
            and latest
            and datetime.datetime.fromisoformat(latest) > datetime.datetime.fromisoformat(first)
        ):
            yield (
                f"train has rows up to {latest}, and {split} begins at {first}: vocabularies, "
                f"scalings and models learn of what comes after rows of {split}, which they "
                "cannot in use; split by time"
            )


def _out_of_sequence(schema: Schema) -> Iterator[str]:
    """Yields where a task is positive without the task before it, and most often is with it."""
    for split in schema.splits.values():
        for before, task in itertools.pairwise(schema.task_names):
            alone = (split.out_of_sequence or {}).get(task, 0)
            if 0 < alone < split.positives[task] / 2:
                yield (
                    f"{split.name}: {task} is positive and {before} is not on {alone:,} of "
                    f"{split.positives[task]:,} rows, so models of tasks in sequence refuse them"
                )
