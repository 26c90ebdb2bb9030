"""Weights and moments of an earlier run, carried to a model of the same architecture.

Embedding rows go with their ids: an id has the row that the vocabulary of its own dataset gives it.
The outputs of a multiclass task go with their classes, by name.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import NUMERIC, VECTOR, Field
from dcrnn_tf.layers.embedding import owners, row_shards
from dcrnn_tf.layers.embedding.field_embedding import FieldEmbedding
from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.system.plain_path import plain_path
from dcrnn_tf.training.warm_start.carried import Carried
from dcrnn_tf.training.warm_start.earlier import Earlier, WarmStartError
from dcrnn_tf.training.warm_start.id_rows import rows_of_tables
from dcrnn_tf.training.warm_start.values import by_class, by_field, class_counts

_RATE = "_learning_rate"  # the end of the name of a variable that is no schedule
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_MODEL, _TABLES, _OTHERS = "model_", "table_optimizer_", "optimizer_"
# Weights of the embedding with a row for each field of one kind.
_BY_KIND = {"numeric_slopes": NUMERIC, "numeric_intercepts": NUMERIC, "vector_biases": VECTOR}
_PARTS = (_MODEL, _TABLES, _OTHERS, "balancing_")


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
            raise self._earlier.of_another_architecture(f"{name} is {where} alone")
        before, now = self._names
        if before != now and len(before) == len(now):  # weights have one shape, whichever it is
            raise self._earlier.of_another_architecture(
                f"its fields {', '.join(before)} are as many as {', '.join(now)} here, but others "
                "or in another order, so that it cannot be told which weights are theirs"
            )
        for scope in self._classes:
            if not any(self._scope_of(name) == scope for name in self._now[_MODEL]):
                raise self._earlier.of_another_architecture(
                    f"the classes of {scope} differ, and no outputs go by its name"
                )
        same = {part: not names for part, names in differing.items()}
        rows, ids = rows_of_tables(self._earlier, self._fields, self._ids, self._tables)
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
                task.name: class_counts(*self._classes[scope])
                for task, scope in zip(self._model.task_specs, self._model.task_scopes, strict=True)
                if scope in self._classes
            },
            [name for name in now if name not in before],
            [name for name in before if name not in now],
            weights,
            fresh,
            (same[_TABLES], same[_OTHERS]),
        )

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
        before = row_shards.joined([self._tensor(name) for name in names])
        now = row_shards.joined([self._state[name].numpy() for name in names])
        if before.shape[1:] != now.shape[1:]:
            raise self._earlier.of_another_architecture(
                f"{names[0]} has width {before.shape[1]} there, {now.shape[1]} here"
            )
        now[rows[1]] = before[rows[0]]
        for shard, name in enumerate(names):
            self._state[name].assign(now[shard :: len(names)])

    def _carry_one(self, name: str) -> None:
        variable, before = self._state[name], self._tensor(name)
        if (scope := self._scope_of(name)) is not None:
            now = by_class(variable.numpy(), before, *self._classes[scope])
            if now is None:
                shapes = f"{list(before.shape)} there, {variable.shape.as_list()} here"
                raise self._earlier.of_another_architecture(f"{name} of {scope} has shape {shapes}")
            variable.assign(now)
            self._carried += 1
            return
        if variable.shape.as_list() == list(before.shape):
            variable.assign(before)
            self._carried += 1
            return
        if self._names[0] == self._names[1]:
            shapes = f"{list(before.shape)} there, {variable.shape.as_list()} here"
            raise self._earlier.of_another_architecture(f"{name} has shape {shapes}")
        now = by_field(variable.numpy(), before, *self._names_along(name))
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
            return [owners.of(layer.fields) for layer in layers]
        for part, kind in _BY_KIND.items():
            if part in name:
                sides = (self._earlier.fields, self._fields)
                return [[f.name for f in fields if f.kind == kind] for fields in sides]
        return self._names

    def _tensor(self, name: str) -> np.ndarray:
        return self._reader.get_tensor(self._there[_key(name)] + _SUFFIX)


def _key(name: str) -> str:
    """Returns the name of a variable without the number that depends on the kind of its rate."""
    return re.sub(r"^((?:table_)?optimizer_)[0-9]+_", r"\1", name)
