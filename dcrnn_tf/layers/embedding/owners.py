"""The names after which the embedding rows of fields are called; fields that share ids have one."""

from collections.abc import Sequence

from dcrnn_tf.dataset.schema import Field


def of(fields: Sequence[Field]) -> list[str]:
    """Returns the owners of the fields' rows, each once."""
    return list(dict.fromkeys(field.owner for field in fields))


def of_frozen(fields: Sequence[Field], frozen: Sequence[str]) -> set[str]:
    """Returns the owners of the rows of frozen fields.

    Raises:
      ValueError: One is no field of ids.
    """
    owners = {field.name: field.owner for field in fields if field.has_ids}
    if unknown := [name for name in frozen if name not in owners]:
        raise ValueError(f"frozen_fields names {unknown[0]!r}, which is no field of ids")
    return {owners[name] for name in frozen}
