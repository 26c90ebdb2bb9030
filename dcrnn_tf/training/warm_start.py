"""Weights and moments of an earlier run, carried to a model of the same architecture.

Embedding rows go with their ids: an id has the row that the vocabulary of its own dataset gives it.
The outputs of a multiclass task go with their classes, by name.
"""

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
import tensorflow as tf

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import NUMERIC, VECTOR, Field, Task
from dcrnn_tf.layers.embedding.field_embedding import FieldEmbedding
from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.plain_path import plain_path

_RATE = "_learning_rate"  # the end of the name of a variable that is no schedule
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_MODEL, _TABLES, _OTHERS = "model_", "table_optimizer_", "optimizer_"
# Weights of the embedding with a row for each field of one kind.
_BY_KIND = {"numeric_slopes": NUMERIC, "numeric_intercepts": NUMERIC, "vector_biases": VECTOR}
_PARTS = (_MODEL, _TABLES, _OTHERS, "balancing_")


class WarmStartError(UserError):
    """Nothing can be carried from a run to a model."""


@dataclasses.dataclass(frozen=True)
class Earlier:
    """The checkpoint that a run starts from, and the dataset of its ids.

    Attributes:
      checkpoint: Folder of the checkpoint.
      fields: Fields of the dataset, in the order of the model's.
      ids: Ids by field, of those that have a vocabulary.
      tasks: Tasks of the dataset.
    """

    checkpoint: pathlib.Path
    fields: Sequence[Field]
    ids: Mapping[str, np.ndarray]
    tasks: Sequence[Task]


@dataclasses.dataclass(frozen=True)
class Carried:
    """What was carried, what starts fresh, and what was dropped.

    Attributes:
      ids: Numbers of ids that were carried, that start fresh and that were dropped, by the field
        that owns them.
      classes: The same of the classes of multiclass tasks that have others than before.
      added_fields: Names of the fields that the earlier model lacks.
      dropped_fields: Names of the fields that this model lacks.
      weights: Number of other weights that were carried.
      fresh: Names of those that start fresh.
      moments: Whether the moments of the embeddings' optimizer and of the other one were carried.
    """

    ids: Mapping[str, tuple[int, int, int]]
    classes: Mapping[str, tuple[int, int, int]]
    added_fields: Sequence[str]
    dropped_fields: Sequence[str]
    weights: int
    fresh: Sequence[str]
    moments: tuple[bool, bool]

    def lines(self) -> Iterator[str]:
        """Yields the same in words."""
        for what, counts in (("ids", self.ids), ("classes", self.classes)):
            for name, (kept, new, dropped) in counts.items():
                text = f"{name}: {kept:,} {what} carried, {new:,} start fresh"
                yield text + (f", {dropped:,} of the earlier run dropped" if dropped else "")
        for what, names in (
            ("fields that start fresh", self.added_fields),
            ("fields of the earlier run that are dropped", self.dropped_fields),
            ("weights that start fresh, since they belong to other fields", self.fresh),
        ):
            if names:
                yield f"{what}: {', '.join(names)}"
        yield f"{self.weights:,} other weights carried"
        for optimizer, carried in zip(("embeddings'", "other"), self.moments, strict=True):
            if not carried:
                yield f"the {optimizer} optimizer was another one, so its moments start fresh"


def carry(
    state: Mapping[str, tf.Variable],
    model: MultiTaskModel,
    ids: Mapping[str, np.ndarray],
    earlier: Earlier,
) -> Carried:
    """Carries weights and moments.

    Args:
      state: The variables of a run before its first step, as its checkpoints name them.
      model: The model that is trained.
      ids: Ids by field of its dataset, of those that have a vocabulary.
      earlier: What is carried.

    Raises:
      WarmStartError: The checkpoint cannot be read, or is of another architecture.
    """
    try:
        with plain_path(earlier.checkpoint) as readable:
            reader = tf.train.load_checkpoint(str(readable / "variables"))
            return _Carrier(state, model, ids, earlier, reader)()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WarmStartError(f"{earlier.checkpoint} cannot be read ({reason})") from None


class _Carrier:
    """Carries variables one by one; arguments as `carry` has them, and a checkpoint's reader."""

    def __init__(self, state, model: MultiTaskModel, ids, earlier: Earlier, reader):
        self._state = state
        self._model = model
        self._ids = ids
        self._earlier = earlier
        self._reader = reader
        names = [n.removesuffix(_SUFFIX) for n in reader.get_variable_to_shape_map()]
        self._there = {_key(name): name for name in names}
        self._now = {
            part: [n for n in state if n.startswith(part) and not n.endswith(_RATE)]
            for part in _PARTS
        }
        self._names = [[f.name for f in fields] for fields in (earlier.fields, self._fields)]
        embedding = model.embedding
        before = FieldEmbedding(earlier.fields, embedding.embedding_dim, parts=embedding.parts)
        self._tables = before.layers_by_table(), embedding.layers_by_table()
        classes = {task.name: task.classes for task in earlier.tasks}
        self._classes = {
            scope: (classes[task.name], task.classes)
            for task, scope in zip(model.task_specs, model.task_scopes, strict=True)
            if classes.get(task.name, task.classes) != task.classes
        }
        self._paths = {id(variable.value): variable.path for variable in model.variables}
        self._fresh: list[str] = []
        self._carried = 0

    @property
    def _fields(self) -> Sequence[Field]:
        return self._model.embedding.fields

    def __call__(self) -> Carried:
        differing = {
            part: {k for k in self._there if k.startswith(part) and not k.endswith(_RATE)}
            ^ {_key(name) for name in self._now[part]}
            for part in _PARTS
        }
        if differing[_MODEL]:
            (name, *_) = sorted(differing[_MODEL])
            where = "there" if name in self._there else "here"
            self._refuse(f"{name} is {where} alone")
        before, now = self._names
        if before != now and len(before) == len(now):  # weights have one shape, whichever it is
            self._refuse(
                f"its fields {', '.join(before)} are as many as {', '.join(now)} here, but others "
                "or in another order, so that it cannot be told which weights are theirs"
            )
        for scope in self._classes:
            if not any(self._scope_of(name) == scope for name in self._now[_MODEL]):
                self._refuse(f"the classes of {scope} differ, and no outputs go by its name")
        same = {part: not names for part, names in differing.items()}
        rows, ids = self._rows()
        self._carry_model(rows)
        if same[_TABLES]:
            self._carry_tables(rows)
        weights, fresh = self._carried, list(self._fresh)
        for part in (_OTHERS, "balancing_"):
            for name in self._now[part] if same[part] else ():
                self._carry_one(name)
        return Carried(
            ids,
            {
                task.name: _counts(*self._classes[scope])
                for task, scope in zip(self._model.task_specs, self._model.task_scopes, strict=True)
                if scope in self._classes
            },
            [name for name in now if name not in before],
            [name for name in before if name not in now],
            weights,
            fresh,
            (same[_TABLES], same[_OTHERS]),
        )

    def _rows(self) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, int, int]]]:
        """Returns rows of each earlier table and of this one, `(2, rows)`, and counts of ids."""
        owners = [{f.owner: f for f in fields} for fields in (self._earlier.fields, self._fields)]
        pairs = {table: [np.zeros((2, 0), np.int64)] for table in self._tables[1]}
        counts = {}
        for owner, field in owners[1].items():
            before = owners[0].get(owner)
            if not field.has_ids or before is None or not before.has_ids:
                continue
            if before.width != field.width:
                self._refuse(f"field {owner} has width {before.width} there, {field.width} here")
            (table,) = (n for n, layer in self._tables[1].items() if field.name in layer.offsets)
            first, second = (side[table].offsets for side in self._tables)
            found = self._rows_of(before, field)
            kept = np.flatnonzero(found >= 0)
            pairs[table].append(
                np.stack([found[kept] + first[before.name], kept + second[field.name]])
            )
            carried = int(np.count_nonzero(kept >= FIRST_ID_ROW))
            new, dropped = (
                size - FIRST_ID_ROW - carried
                for size in (field.vocabulary_size, before.vocabulary_size)
            )
            counts[owner] = (carried, new, dropped)
        return {table: np.concatenate(own, axis=1) for table, own in pairs.items()}, counts

    def _rows_of(self, before: Field, now: Field) -> np.ndarray:
        """Returns the earlier row of each row of a field; -1 of ids that the earlier run lacks."""
        if not (before.has_vocabulary and now.has_vocabulary):
            hashed = not before.has_vocabulary and not now.has_vocabulary
            alike = hashed and before.vocabulary_size == now.vocabulary_size
            rows = np.arange(now.vocabulary_size)
            return rows if alike else np.where(rows < FIRST_ID_ROW, rows, -1)
        ids = [pl.Series(side) for side in (self._earlier.ids[before.name], self._ids[now.name])]
        known = pl.DataFrame({"id": ids[0], "row": np.arange(len(ids[0])) + FIRST_ID_ROW})
        if known["id"].dtype != ids[1].dtype:
            known = known.clear().with_columns(id=pl.Series([], dtype=ids[1].dtype))
        found = pl.DataFrame({"id": ids[1]}).join(known, "id", "left", maintain_order="left")
        rows = found["row"].fill_null(-1).to_numpy()
        return np.concatenate([np.arange(FIRST_ID_ROW), rows])

    def _carry_model(self, rows: Mapping[str, np.ndarray]) -> None:
        of_tables = []
        for table, layer in self._tables[1].items():
            shards = {id(shard.value) for shard in layer.shards}
            if names := [n for n in self._now[_MODEL] if id(self._state[n]) in shards]:
                self._carry_rows(names, rows[table])
                of_tables += names
        for name in self._now[_MODEL]:
            if name not in of_tables:
                self._carry_one(name)

    def _carry_tables(self, rows: Mapping[str, np.ndarray]) -> None:
        """Carries the state of the tables' optimizer, each slot of all shards at a time."""
        slots: dict[tuple[str, str], list[str]] = {}
        for name in self._now[_TABLES]:
            if "_table_" in name or name.endswith("_table"):
                table = (re.findall(r"_(width_\d+)_table", name) or [""])[0]
                slots.setdefault((table, name.rpartition("_")[2]), []).append(name)
            elif "_last_step_" not in name:
                self._state[name].assign(self._tensor(name))
        for (table, _), names in slots.items():
            self._carry_rows(names, rows[table])
        (steps,) = (self._tensor(n) for n in self._now[_TABLES] if n.endswith("_iteration"))
        for name in self._now[_TABLES]:
            if "_last_step_" in name:  # a checkpoint has no row that waits
                self._state[name].assign(np.full(self._state[name].shape, steps, np.int32))

    def _carry_rows(self, names: Sequence[str], rows: np.ndarray) -> None:
        """Carries rows of the table, or of moments of the same shape, by its shards' names."""
        before = _joined([self._tensor(name) for name in names])
        now = _joined([self._state[name].numpy() for name in names])
        if before.shape[1:] != now.shape[1:]:
            self._refuse(f"{names[0]} has width {before.shape[1]} there, {now.shape[1]} here")
        now[rows[1]] = before[rows[0]]
        for shard, name in enumerate(names):
            self._state[name].assign(now[shard :: len(names)])

    def _carry_one(self, name: str) -> None:
        variable, before = self._state[name], self._tensor(name)
        if (scope := self._scope_of(name)) is not None:
            now = _by_class(variable.numpy(), before, *self._classes[scope])
            if now is None:
                shapes = f"{list(before.shape)} there, {variable.shape.as_list()} here"
                self._refuse(f"{name} of {scope} has shape {shapes}")
            variable.assign(now)
            self._carried += 1
            return
        if variable.shape.as_list() == list(before.shape):
            variable.assign(before)
            self._carried += 1
            return
        if self._names[0] == self._names[1]:
            shapes = f"{list(before.shape)} there, {variable.shape.as_list()} here"
            self._refuse(f"{name} has shape {shapes}")
        now = _by_field(variable.numpy(), before, *self._names_along(name))
        if now is None:
            self._fresh.append(name)
        else:
            variable.assign(now)
            self._carried += 1

    def _scope_of(self, name: str) -> str | None:
        """Returns the scope of the task whose classes have changed and to which outputs belong.

        The last layer of a task's tower is called `logit`; moments are called as their weights are.
        """
        path = self._paths.get(id(self._state[name]), name).replace("/", "_")
        if not re.search("_logit_(kernel|bias)(_|$)", path):
            return None
        scopes = [s for s in self._model.task_scopes if f"_{s}_" in path]
        longest = max(scopes, key=len, default=None)
        return longest if longest in self._classes else None

    def _names_along(self, name: str) -> list[list[str]]:
        """The names of the fields along the first axis of a weight, earlier ones and these."""
        if found := re.findall(r"(width_\d+)_kernels", name):
            layers = [side[found[0]] for side in self._tables]
            return [list(dict.fromkeys(f.owner for f in layer.fields)) for layer in layers]
        for part, kind in _BY_KIND.items():
            if part in name:
                sides = (self._earlier.fields, self._fields)
                return [[f.name for f in fields if f.kind == kind] for fields in sides]
        return self._names

    def _tensor(self, name: str) -> np.ndarray:
        return self._reader.get_tensor(self._there[_key(name)] + _SUFFIX)

    def _refuse(self, why: str) -> None:
        raise WarmStartError(
            f"{self._earlier.checkpoint} is of another architecture: {why}; repeat the settings of "
            "that run's model, or start without it"
        )


def _key(name: str) -> str:
    """Returns the name of a variable without the number that depends on the kind of its rate."""
    return re.sub(r"^((?:table_)?optimizer_)[0-9]+_", r"\1", name)


def _joined(shards: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the rows of a table of which shard k has every row r with r % shards = k."""
    whole = np.empty((sum(map(len, shards)), *shards[0].shape[1:]), shards[0].dtype)
    for number, shard in enumerate(shards):
        whole[number :: len(shards)] = shard
    return whole


def _counts(before: Sequence[str], now: Sequence[str]) -> tuple[int, int, int]:
    """Returns how many classes are carried, start fresh and are dropped."""
    kept = len({*before} & {*now})
    return kept, len(now) - kept, len(before) - kept


def _by_class(
    now: np.ndarray, before: np.ndarray, classes_before: Sequence[str], classes_now: Sequence[str]
) -> np.ndarray | None:
    """Carries the parts of a weight whose last axis has an output for each class.

    Args:
      now: The weight, as it starts.
      before: The earlier weight.
      classes_before: Names of the earlier classes.
      classes_now: Names of the classes.

    Returns:
      The weight; None where the shapes do not fit the classes.
    """
    expected = (*now.shape[:-1], len(classes_before))
    if before.shape != expected or now.shape[-1] != len(classes_now):
        return None
    now = now.copy()
    for position, name in enumerate(classes_now):
        if name in classes_before:
            now[..., position] = before[..., classes_before.index(name)]
    return now


def _by_field(
    now: np.ndarray, before: np.ndarray, names_before: Sequence[str], names_now: Sequence[str]
) -> np.ndarray | None:
    """Carries the parts of a weight whose first axis has as many rows for each field.

    Args:
      now: The weight, as it starts.
      before: The earlier weight.
      names_before: Names of the earlier fields.
      names_now: Names of the fields.

    Returns:
      The weight; None where its shape does not follow from the number of fields.
    """
    sizes = [(len(now), len(names_now)), (len(before), len(names_before))]
    if now.shape[1:] != before.shape[1:] or any(not n or rows % n for rows, n in sizes):
        return None
    width, other = (rows // fields for rows, fields in sizes)
    if width != other:
        return None
    now = now.copy()
    for position, name in enumerate(names_now):
        if name in names_before:
            first = names_before.index(name) * width
            now[position * width : (position + 1) * width] = before[first : first + width]
    return now
