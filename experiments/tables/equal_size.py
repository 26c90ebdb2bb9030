"""Models of equal size: the width at which a model has a given number of parameters."""

import bisect
import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

from dcrnn_tf import models
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.system.errors import UserError
from experiments.tables.spec import Table


class MatchingError(UserError, ValueError):
    """No value of the width gives the wanted number of parameters, or nearly so."""


class Match(NamedTuple):
    """A model of about the size asked for.

    Attributes:
      settings: Settings of the model, the matched width included.
      parameters: trainable ones outside the embedding table.
    """

    settings: dict[str, object]
    parameters: int


def parameters(schema: Schema, model: str, settings: Mapping[str, object]) -> int:
    """Trainable parameters outside the embedding table.

    The model is built, with tables of a few rows. That draws initial weights, so seeds are to be
    set afterwards.

    Args:
      schema: fields and tasks; sizes of vocabularies do not matter.
      model: name in the model registry.
      settings: Settings of the model.

    Raises:
      ModelError: there is no such model or setting, or a setting has an impossible value.
    """
    return models.build(model, with_small_tables(schema), **settings).parameter_counts()["other"]


def with_small_tables(schema: Schema) -> Schema:
    """The schema with vocabularies of no id, whose models have tables of a few rows."""
    fields = tuple(
        dataclasses.replace(field, vocabulary_size=FIRST_ID_ROW) if field.has_ids else field
        for field in schema.fields
    )
    return dataclasses.replace(schema, fields=fields)


def match(
    schema: Schema,
    model: str,
    settings: Mapping[str, object],
    matched_width: str,
    target: int,
    tolerance: float = 0.02,
    count_of: Callable[[Mapping[str, object]], int] | None = None,
    least: int = 1,
) -> Match:
    """The value of one setting at which a model's parameters come nearest to a number.

    A weight is as large as the product of two widths, so the number of parameters is a polynomial
    of degree 2 at most in any of them. Its values at the widths 1, 2 and 3 give it everywhere: four
    models are built, the last one that of the result.

    Args:
      schema: fields and tasks; sizes of vocabularies do not matter.
      model: name in the model registry.
      settings: Settings of the model, except the matched width.
      matched_width: name of the setting to choose, a whole number. If it is a list, such as
        `tower_units`, its first number is chosen and the others stay as in `settings`, or else as
        by default.
      target: number of trainable parameters outside the embedding table.
      tolerance: Largest distance of the nearest number of parameters from it, relative to it.
      count_of: Function of settings that returns the number of parameters, such as one that
        remembers; by default `parameters`.
      least: The smallest value to choose.

    Raises:
      MatchingError: the setting is no width, or the nearest number is further off.
      ModelError: there is no such model or setting, a setting has an impossible value, or the
        width is neither a whole number nor a list of them.
    """

    def count(width: int) -> int:
        chosen = with_width(width)
        return parameters(schema, model, chosen) if count_of is None else count_of(chosen)

    def with_width(width: int) -> dict:
        return {**settings, matched_width: width if others is None else [width, *others]}

    if target < 1:
        raise MatchingError(f"target={target} must be a number of parameters, at least 1")
    value = {**models.settings(model), **settings}.get(matched_width)
    others = list(value[1:]) if isinstance(value, list | tuple) else None
    first, second, third = (count(width) for width in (1, 2, 3))
    slope, bend = second - first, third - 2 * second + first
    if slope < 1 or bend < 0:
        raise MatchingError(
            f"model {model}: {matched_width} is no width, the parameters do not grow with it; "
            "choose another setting"
        )

    def predicted(width: int) -> int:
        return first + (width - 1) * slope + (width - 1) * (width - 2) // 2 * bend

    # With at least one parameter more for each step of width, the target itself is wide enough.
    above = bisect.bisect_left(range(1, target + 1), target, key=predicted) + 1
    width = min((max(above - 1, 1), above), key=lambda width: abs(predicted(width) - target))
    width = max(width, least)
    matched = Match(with_width(width), count(width))
    if abs(matched.parameters - target) > tolerance * target:
        raise MatchingError(
            f"model {model} comes no nearer to {target:,} parameters than {matched.parameters:,}, "
            f"with {matched_width}={matched.settings[matched_width]}, which is further than "
            f"{100 * tolerance:g} % off; choose another setting, or change those that stay"
        )
    return matched


def of_equal_size(
    table: Table, schema: Schema, tolerance: float = 0.02
) -> tuple[Table, dict[str, str]]:
    """The table with each row's width chosen: about as many parameters as the baseline has.

    A row whose model cannot be built for the dataset is left out. One that comes nowhere near keeps
    its settings.

    Args:
      table: A table whose baseline is a model.
      schema: Schema of the dataset.
      tolerance: Tolerance, as `match` takes it.

    Returns:
      The table, and a sentence for each row that is left out or keeps its settings, by its label.

    Raises:
      ModelError: the baseline cannot be built.
    """
    (baseline,) = (row for row in table.rows if row.label == table.baseline)
    target = parameters(schema, baseline.model, baseline.settings)
    rows, remarks = [], {}
    for row in table.rows:
        settings = row.settings
        try:
            if row.matched_width is not None:
                settings = match(
                    schema, row.model, settings, row.matched_width, target, tolerance
                ).settings
            elif row.model in models.names():
                parameters(schema, row.model, settings)
        except MatchingError as error:
            remarks[row.label] = f"{row.label} keeps its settings: {error}"
        except models.ModelError as error:
            remarks[row.label] = f"{row.label} is left out: {error}"
            continue
        rows.append(dataclasses.replace(row, settings=settings))
    return dataclasses.replace(table, rows=tuple(rows)), remarks
