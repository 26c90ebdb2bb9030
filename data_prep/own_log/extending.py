"""A prepared dataset that another one extends: what of it must stay, and what may grow."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_prep.own_log.declaration import Declaration, DeclaredField
from data_prep.own_log.learning.classes import extended_classes
from data_prep.own_log.learning.earlier import EarlierField
from dcrnn_tf.dataset.encodings import Bins, Encoding, Scaling
from dcrnn_tf.dataset.schema import (
    MULTICLASS,
    NUMERIC,
    DatasetError,
    Field,
    Schema,
    Task,
    load_schema,
)
from dcrnn_tf.dataset.vocabulary import load_vocabularies

EXTENDS = "extends"  # key of the schema's `source` and `filters`
_LEARNED = ("min_count", "edges", "mean", "standard_deviation", "knots", "scaled")


@dataclasses.dataclass(frozen=True)
class ExtendedDataset:
    """A dataset whose ids keep their rows, and whose scalings, bins and classes stay.

    Attributes:
      folder: Folder of the dataset.
      schema: Its schema.
      shared: The fields that the declaration has as well.
      forget_after: Number of datasets in a row without a training row of an id after which a new
        id may take its row; None keeps all ids.
    """

    folder: pathlib.Path
    schema: Schema
    shared: tuple[Field, ...]
    forget_after: int | None

    @classmethod
    def load(
        cls, folder: str | pathlib.Path, declaration: Declaration, forget_after: int | None = None
    ) -> "ExtendedDataset":
        """Reads the dataset.

        Args:
          folder: Folder of the dataset.
          declaration: Declaration of the dataset that extends it.
          forget_after: As the attribute.

        Raises:
          DatasetError: It is no prepared dataset, or declares a field or task otherwise.
        """
        folder, schema = pathlib.Path(folder), load_schema(folder)
        before = {field.name: field for field in schema.fields}
        shared = tuple(before[f.name] for f in declaration.fields if f.name in before)
        for declared in declaration.fields:
            if declared.name in before:
                _check(
                    f"field {declared.name}",
                    _form_of(before[declared.name]),
                    _declared_form(declared, declaration.missing_values),
                    folder,
                )
        for task in declaration.tasks:
            for earlier in schema.tasks:
                if earlier.name == task.name:
                    forms = _task_form(earlier), _task_form(task.task)
                    _check(f"task {task.name}", *forms, folder)
        return cls(folder, schema, shared, forget_after)

    @functools.cached_property
    def fields(self) -> Mapping[str, EarlierField]:
        """The shared fields by name, with their vocabularies."""
        return self._read(self.shared)

    def field(self, name: str) -> EarlierField | None:
        """Reads one of the shared fields alone; None of another field."""
        return self._read([field for field in self.shared if field.name == name]).get(name)

    def _read(self, fields: Sequence[Field]) -> dict[str, EarlierField]:
        vocabularies = load_vocabularies(self.folder, fields)
        return {
            field.name: EarlierField(field, vocabularies.get(field.name), self.forget_after)
            for field in fields
        }

    def tasks(self, learned: Sequence[Task]) -> tuple[Task, ...]:
        """Returns tasks with the scalings and classes that they had, new classes behind these."""
        before = {task.name: task for task in self.schema.tasks}
        return tuple(_extended(task, before.get(task.name)) for task in learned)

    @property
    def source(self) -> dict[str, str]:
        """What the schema's `source` says of it."""
        return {"name": self.schema.name, "fingerprint": self.schema.fingerprint}

    def counts(self, grown: Mapping[str, Mapping[str, int] | None]) -> dict[str, object]:
        """Returns what the schema's `filters` hold of it.

        Args:
          grown: What became of the ids of each field, by its name; None of a field that has none.
        """
        before = [field.name for field in self.schema.fields]
        return {
            "ids": {name: counts for name, counts in grown.items() if counts is not None},
            "added_fields": [name for name in grown if name not in before],
            "dropped_fields": [name for name in before if name not in grown],
        }


def growth_lines(schema: Schema) -> Iterator[str]:
    """Yields what the summary says of the dataset that a dataset extends."""
    if EXTENDS not in schema.filters:
        return
    extended, counts = schema.source[EXTENDS], schema.filters[EXTENDS]
    yield f"extends {extended['name']}, of the fingerprint {extended['fingerprint'][:12]}"
    for what, names in (("added", counts["added_fields"]), ("left out", counts["dropped_fields"])):
        if names:
            yield f"fields {what}: {', '.join(names)}"
    for name, ids in counts["ids"].items():
        words = f"{ids['kept']:,} ids kept, {ids['unseen']:,} of them in no training row"
        words += f"; {ids['added']:,} added"
        if ids["reused"]:
            words += f", {ids['reused']:,} of them in the rows of forgotten ids"
        yield f"ids of {name}: {words}"


def _extended(task: Task, before: Task | None) -> Task:
    if before is None:
        return task
    changes: dict[str, Any] = {}
    if task.target is not None and before.target is not None:
        changes["target"] = dataclasses.replace(
            task.target, mean=before.target.mean, deviation=before.target.deviation
        )
    if task.kind == MULTICLASS:
        changes["classes"] = extended_classes(before.classes, task.classes)
    return dataclasses.replace(task, **changes)


def _check(what: str, before: Mapping, now: Mapping, folder: pathlib.Path) -> None:
    for key in dict.fromkeys((*before, *now)):
        if before.get(key) != now.get(key):
            raise DatasetError(
                f"{what}: {key} is {now.get(key)!r}, and {before.get(key)!r} in {folder}, which is "
                "extended; declare it as it was, or choose another name"
            )


def _form_of(field: Field) -> dict[str, object]:
    """What must stay of a field of a prepared dataset."""
    return {
        "kind": field.kind,
        "column": field.raw_name,
        "shares": field.shares,
        **_encoding_form(field.encoding),
    }


def _declared_form(declared: DeclaredField, missing: tuple[str, ...]) -> dict[str, object]:
    """The same of a field as it is declared."""
    encoding = declared.encoding(missing)
    method = declared.scaling if declared.kind == NUMERIC else declared.bins
    return {
        "kind": declared.kind,
        "column": declared.column,
        "shares": declared.shares,
        **_encoding_form(encoding),
        **({"method": method} if isinstance(encoding, Bins | Scaling) else {}),
    }


def _encoding_form(encoding: Encoding | None) -> dict[str, object]:
    if encoding is None:
        return {"encoding": None}
    content = {"encoding": encoding.kind, **dataclasses.asdict(encoding)}
    del content["kind"]
    return {name: value for name, value in content.items() if name not in _LEARNED}


def _task_form(task: Task) -> dict[str, object]:
    target = task.target
    return {"kind": task.kind, "loss": target and target.loss, "scaling": target and target.scaling}
