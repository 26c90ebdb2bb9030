"""What scoring counted, as JSON and in words."""

from collections.abc import Iterator, Mapping

from dcrnn_tf.dataset.schema import BINARY, Schema


def content(counts: Mapping[str, Mapping], joined: Mapping[str, Mapping]) -> dict[str, object]:
    """Returns what was counted, for programs to read.

    Args:
      counts: What was counted of the rows, by what is counted and by name.
      joined: What was counted of the joined files.
    """
    bad_rows = dict(counts.get("bad_rows", {}))
    for reason, number in joined["bad_rows"].items():
        bad_rows[reason] = bad_rows.get(reason, 0) + number
    rows = counts.get("rows", {})
    ids = {
        field: {"unknown": int(counts["unknown"].get(field, 0)), "ids": int(number)}
        for field, number in counts.get("ids", {}).items()
    }
    return {
        "rows": max(rows.values(), default=0),
        "means": {name: counts["sums"][name] / n for name, n in rows.items() if n},
        "unknown_ids": ids,
        "missing": dict(counts.get("missing", {})),
        "unmatched": dict(counts.get("unmatched", {})),
        "bad_rows": bad_rows,
    }


def sentences(content: Mapping, schema: Schema, out: str) -> str:
    """Returns in a few lines what was scored, and what is unlike the training rows.

    Args:
      content: What `content` returns.
      schema: Schema of the dataset that the model was trained on.
      out: Name of the file.
    """
    lines = [f"{content['rows']:,} rows scored, written to {out}"]
    lines += [f"  {line}" for line in _means(content["means"], schema)]
    lines += [f"  {line}" for line in _fields(content, schema)]
    for join, rows in content["unmatched"].items():
        lines.append(f"  join {join}: no partner of {rows:,} rows")
    bad = ", ".join(f"{reason} {rows:,}" for reason, rows in content["bad_rows"].items())
    lines.append(f"  bad rows left out: {bad or 'none'}")
    return "\n".join(lines)


def _means(means: Mapping[str, float], schema: Schema) -> Iterator[str]:
    train = schema.splits.get("train")
    for name, mean in means.items():
        task = next((task for task in schema.tasks if task.name == name), None)
        labels = ""
        if train is not None and task is not None and task.kind == BINARY and train.defined[name]:
            share = train.positives[name] / train.defined[name]
            labels = f"; {share:.4f} of the training labels are positive"
        yield f"{name}: {mean:.4f} on average{labels}"


def _fields(content: Mapping, schema: Schema) -> Iterator[str]:
    """Yields which fields have unknown ids or lack values, beside the test split's."""
    before = schema.filters.get("unknown_ids", {}).get("test", {})
    absent = schema.filters.get("missing_by_split", {}).get("test", {})
    test = schema.splits["test"].rows if "test" in schema.splits else 0
    for field in schema.fields:
        parts = []
        counted = content["unknown_ids"].get(field.name, {"unknown": 0, "ids": 0})
        if counted["unknown"]:
            parts.append(
                f"{counted['unknown']:,} of {counted['ids']:,} ids "
                f"({counted['unknown'] / counted['ids']:.1%}) are unknown"
                + _beside(
                    before.get(field.name, {}).get("unknown"), before.get(field.name, {}).get("ids")
                )
            )
        if missing := content["missing"].get(field.name):
            share = missing / content["rows"]
            parts.append(
                f"missing in {missing:,} rows ({share:.1%}"
                + ")"
                + _beside(absent.get(field.name), test)
            )
        if parts:
            yield f"field {field.name}: {'; '.join(parts)}"


def _beside(some: int | None, of: int | None) -> str:
    return f", {some / of:.1%} in the test split" if of and some is not None else ""
