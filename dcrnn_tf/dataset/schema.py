"""What a prepared dataset is: its fields, tasks, splits and entity tables.

A prepared dataset is a folder that holds `schema.json` (this module reads and writes it), the
vocabularies (`vocabularies/FIELD.parquet`, raw id to embedding row), TFRecord shards per split
and the entity tables. Nothing here needs TensorFlow.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from dcrnn_tf.dataset import encodings, targets
from dcrnn_tf.dataset.checked import checked, written
from dcrnn_tf.dataset.field import (
    CATEGORICAL,
    KINDS,
    LARGEST_ROW,
    LONGEST_LIST,
    MULTI_CATEGORICAL,
    NUMERIC,
    VECTOR,
    WIDEST_ROW,
    Field,
    check_name,
)
from dcrnn_tf.dataset.migration import migrated
from dcrnn_tf.dataset.names import column_name, per_exposure
from dcrnn_tf.dataset.schema_parts.field_checks import check_attention, check_sharing
from dcrnn_tf.dataset.schema_parts.tables import Entity, Shard, Split
from dcrnn_tf.dataset.schema_parts.task import (
    BINARY,
    MOST_CLASSES,
    MULTICLASS,
    REGRESSION,
    TASK_KINDS,
    Task,
)
from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import DatasetError

__all__ = [
    "BINARY",
    "CATEGORICAL",
    "FILES_BESIDE",
    "FORMAT_VERSION",
    "FORMER_VERSION",
    "KINDS",
    "LARGEST_ROW",
    "LONGEST_LIST",
    "MOST_CLASSES",
    "MULTICLASS",
    "MULTI_CATEGORICAL",
    "NUMERIC",
    "REGRESSION",
    "SCHEMA_FILE",
    "TASK_KINDS",
    "VECTOR",
    "VOCABULARY_FOLDER",
    "WIDEST_ROW",
    "DatasetError",
    "Entity",
    "Field",
    "Schema",
    "Shard",
    "Split",
    "Task",
    "load_schema",
    "sha256_of_file",
]

FORMAT_VERSION = 2
FORMER_VERSION = 1
SCHEMA_FILE = "schema.json"
VOCABULARY_FOLDER = "vocabularies"
FILES_BESIDE = "files_beside"  # in `Schema.source`: checksums, by name, of files beside the shards


@dataclasses.dataclass(frozen=True)
class Schema:
    """Everything that a reader of a prepared dataset needs to know.

    Attributes:
      name: short name, such as `ali_ccp`; the shard files begin with it.
      fields: in the order in which models concatenate them.
      tasks: in causal order, such as click before conversion.
      splits: `train`, `validation` and `test`, as far as the dataset has them.
      entities: the entity tables.
      source: where the rows come from: files, sizes, and `simulated` (bool).
      settings: the settings of the preparation.
      filters: counts of what preparation left out, cut or missed.
      seed: the seed of shuffling, sampling and splitting.
      format_version: version of the folder's layout.
      former: the content of a schema as another version wrote it; the fingerprint is its own.
    """

    name: str
    fields: tuple[Field, ...]
    tasks: tuple[Task, ...]
    splits: Mapping[str, Split]
    entities: Mapping[str, Entity] = dataclasses.field(default_factory=dict)
    source: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    filters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0
    format_version: int = FORMAT_VERSION
    former: Mapping | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_name("dataset", self.name)
        names = [f.name for f in self.fields] + [t.name for t in self.tasks]
        names += [field.weight_name for field in self.fields if field.weighted]
        names += [entity.row_name for entity in self.entities.values()]
        names += self.weights
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise DatasetError(f"names used more than once in the schema: {', '.join(repeated)}")
        for field in self.fields:
            if field.entity is not None and field.entity not in self.entities:
                raise DatasetError(f"field {field.name}: there is no entity table {field.entity!r}")
        check_attention(self.fields)
        check_sharing(self.fields)
        if len(sampled := [task.name for task in self.tasks if task.keep_negatives < 1]) > 1:
            raise DatasetError(
                f"tasks {', '.join(sampled)} have keep_negatives, expected one task at most"
            )
        earlier: dict[str, Task] = {}
        for task in self.tasks:
            if (given := task.only_where) is not None:
                if given not in earlier:
                    raise DatasetError(
                        f"task {task.name}: only_where={given!r} is not an earlier task"
                    )
                if earlier[given].kind != BINARY:
                    raise DatasetError(
                        f"task {task.name}: only_where={given!r} is a {earlier[given].kind} task, "
                        "which has no positives; name a binary one"
                    )
            earlier[task.name] = task
        for task in self.tasks:
            if task.only_where is not None and per_exposure(task.name) in earlier:
                raise DatasetError(
                    f"task {per_exposure(task.name)} has the name of an output that models add for "
                    f"task {task.name}; rename it"
                )

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks' names in causal order."""
        return tuple(task.name for task in self.tasks)

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the columns of example weights."""
        return tuple(dict.fromkeys(t.weight for t in self.tasks if t.weight is not None))

    @property
    def sampled_task(self) -> Task | None:
        """The task of whose negatives the training rows hold a share alone."""
        return next((task for task in self.tasks if task.keep_negatives < 1), None)

    @property
    def simulated(self) -> bool:
        """Whether a simulator made the rows."""
        return bool(self.source.get("simulated", False))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the whole content, shard checksums included."""
        if self.former is None:
            return _fingerprint(_to_dict(self))
        names = [field.name for field in self.fields]
        fields = [field for field in self.former["fields"] if field["name"] in names]
        return _fingerprint({**self.former, "fields": fields})

    def exposure_columns(self) -> dict[str, str]:
        """Names and types of the columns on disk of an exposure: fields, entity rows, labels."""
        return (
            {name: dtype for f in self.exposure_fields() for name, dtype in f.columns.items()}
            | {entity.row_name: "int32" for entity in self.entities.values()}
            | {task.column: task.column_type for task in self.tasks}
            | {column_name(name): "float32" for name in self.weights}
        )

    def entity_columns(self, entity: str) -> dict[str, str]:
        """Names and types of the columns on disk of an entity table."""
        fields = self.entity_fields(entity)
        return {name: dtype for f in fields for name, dtype in f.columns.items()}

    def exposure_fields(self) -> tuple[Field, ...]:
        """The fields that each exposure stores itself."""
        return tuple(field for field in self.fields if field.entity is None)

    def entity_fields(self, entity: str) -> tuple[Field, ...]:
        """The fields that the entity table stores."""
        return tuple(field for field in self.fields if field.entity == entity)

    def split(self, name: str) -> Split:
        """Returns a split.

        Raises:
          DatasetError: there is none of that name.
        """
        if name not in self.splits:
            raise DatasetError(
                f"dataset {self.name} has no split {name!r}, only {', '.join(self.splits)}"
            )
        return self.splits[name]

    def select_fields(self, names: Sequence[str]) -> "Schema":
        """The same dataset seen through some of its fields.

        A list whose attending field is not among them is attended by none.
        """
        unknown = sorted(set(names) - {field.name for field in self.fields})
        if unknown:
            raise DatasetError(f"dataset {self.name} has no field {', '.join(unknown)}")
        kept = [field for field in self.fields if field.name in names]
        fields = [
            field if field.attended_by in names else dataclasses.replace(field, attended_by=None)
            for field in kept
        ]
        return dataclasses.replace(self, fields=tuple(fields))

    def save(self, folder: str | pathlib.Path) -> None:
        """Writes `schema.json`."""
        content = _to_dict(self)
        content["fingerprint"] = _fingerprint(content)
        text = json.dumps(content, indent=2) + "\n"
        pathlib.Path(folder, SCHEMA_FILE).write_text(text, encoding="utf-8")


def load_schema(folder: str | pathlib.Path) -> Schema:
    """Reads `schema.json` of a prepared dataset.

    Raises:
      DatasetError: the folder is no prepared dataset, is of another format version, or its
        schema was changed since it was written.
    """
    path = pathlib.Path(folder, SCHEMA_FILE)
    if not path.is_file():
        raise DatasetError(
            f"{folder} is not a prepared dataset: it has no {SCHEMA_FILE}; prepare one "
            "from the raw files"
        )
    content = json_form.read(path, json_form.OBJECT, "prepare the dataset again")
    version = content.get("format_version")
    if version not in (FORMAT_VERSION, FORMER_VERSION):
        raise DatasetError(
            f"{path} has format version {version}, this program reads {FORMER_VERSION} and "
            f"{FORMAT_VERSION}; prepare the dataset again"
        )
    stated = content.pop("fingerprint", None)
    try:
        schema = _from_dict(content if version == FORMAT_VERSION else migrated(content))
        if content != json.loads(json.dumps(_to_dict(schema))):
            schema = dataclasses.replace(schema, former=content)
        fingerprint = schema.fingerprint
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}; prepare the dataset again") from None
    except KeyError as error:
        raise DatasetError(f"{path} lacks the key {error}; prepare the dataset again") from None
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not a schema ({error}); prepare the dataset again") from None
    if stated != fingerprint:
        raise DatasetError(
            f"{path} was changed after it was written (its fingerprint does not fit); "
            "prepare the dataset again"
        )
    return schema


def sha256_of_file(path: pathlib.Path) -> str:
    """Returns the hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fingerprint(content: Mapping[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _to_dict(schema: Schema) -> dict:
    content = {f.name: getattr(schema, f.name) for f in dataclasses.fields(schema)}
    del content["former"]
    content["fields"] = [written(field) for field in schema.fields]
    content["tasks"] = [written(task) for task in schema.tasks]
    for key, tables in (("splits", schema.splits), ("entities", schema.entities)):
        content[key] = [
            written(table) | {"shards": [written(shard) for shard in table.shards]}
            for table in tables.values()
        ]
    return content


def _from_dict(content: dict) -> Schema:
    def with_shards(kind, item):
        shards = tuple(checked(Shard, shard) for shard in item["shards"])
        return checked(kind, {**item, "shards": shards})

    def with_encoding(item):
        return checked(Field, {**item, "encoding": encodings.from_dict(item.get("encoding"))})

    def with_target(item):
        return checked(Task, {**item, "target": targets.from_dict(item.get("target"))})

    splits = [with_shards(Split, item) for item in content["splits"]]
    entities = [with_shards(Entity, item) for item in content["entities"]]
    schema = checked(
        Schema,
        {
            **content,
            "fields": tuple(with_encoding(item) for item in content["fields"]),
            "tasks": tuple(with_target(item) for item in content["tasks"]),
            "splits": {split.name: split for split in splits},
            "entities": {entity.name: entity for entity in entities},
        },
    )
    for split in splits:
        for counts in (split.positives, split.defined, split.out_of_sequence):
            if counts is None:
                continue
            counted = set(counts) == set(schema.task_names)
            if not (counted and all(map(json_form.is_count, counts.values()))):
                raise TypeError(f"split {split.name} does not count the rows of each task")
        for task in schema.task_names:
            if not split.positives[task] <= split.defined[task] <= split.rows:
                raise DatasetError(
                    f"split {split.name} has {split.rows:,} rows, of which "
                    f"{split.defined[task]:,} define task {task} and {split.positives[task]:,} are "
                    "positive, expected no number above the one before it"
                )
    if schema.former is not None:
        raise TypeError("former is no part of a schema in a file")
    return schema
