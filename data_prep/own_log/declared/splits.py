"""The split of a declaration: which rows are for training, validation and testing."""

import dataclasses
from collections.abc import Mapping

from data_prep.own_log.declared.keys import Keys, in_both
from dcrnn_tf.dataset.schema import DatasetError

SPLIT_NAMES = ("train", "validation", "test")
SPLIT_KEYS = {  # how rows are split, and the keys that say it in full
    "file": ("by", "train", "validation", "test", "validation_fraction"),
    "column": ("by", "files", "column", "train", "validation", "test", "validation_fraction"),
    "group": ("by", "files", "column", "test_fraction", "validation_fraction"),
    "fraction": ("by", "files", "test_fraction", "validation_fraction"),
}


@dataclasses.dataclass(frozen=True)
class DeclaredSplit:
    """Which rows are training, validation and test rows.

    Attributes:
      by: `file`, `column`, `group` or `fraction`.
      files: file patterns of each split (by file), or of all rows under `train`.
      column: the column that decides (by column) or that names the group (by group).
      values: the column's values of each split; an absent split has none, an absent
        `train` has all that no other split has.
      test_fraction: share of the rows, or groups, that become test rows.
      validation_fraction: share of the remaining ones that become validation rows.
    """

    by: str
    files: Mapping[str, tuple[str, ...]]
    column: str | None = None
    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    test_fraction: float = 0.0
    validation_fraction: float = 0.0


def declared_split(entry: object) -> DeclaredSplit:
    """Returns the split that the entry `split` declares.

    Raises:
      DatasetError: The entry has an unknown or missing key, or a value that cannot be.
    """
    keys = Keys(entry, "split", _all_split_keys())
    by = keys.choice("by", tuple(SPLIT_KEYS))
    keys = Keys(keys.entry, "split", SPLIT_KEYS[by], f" of a split by {by}")
    values = keys.cells if by == "column" else keys.values
    parts = {name: values(name) for name in SPLIT_NAMES if name in keys.entry}
    if by in ("file", "column"):
        if "test" not in parts:
            keys.get("test")
        if "validation" in parts and "validation_fraction" in keys.entry:
            raise DatasetError("split: give either validation or validation_fraction, not both")
    if by == "file":
        keys.get("train")
    elif by == "column":
        for first, second in (("train", "test"), ("train", "validation"), ("validation", "test")):
            if both := in_both(parts.get(first, ()), parts.get(second, ())):
                raise DatasetError(f"split: {both!r} is a value of {first} and of {second}")
    else:
        keys.get("test_fraction")
    return DeclaredSplit(
        by=by,
        files=parts if by == "file" else {"train": keys.values("files", required=True)},
        column=keys.text("column") if by in ("column", "group") else None,
        values=parts if by == "column" else {},
        test_fraction=keys.fraction("test_fraction"),
        validation_fraction=keys.fraction("validation_fraction"),
    )


def _all_split_keys() -> list[str]:
    return sorted({key for keys in SPLIT_KEYS.values() for key in keys})
