"""The split of a declaration: which rows are for training, validation and testing."""

import dataclasses
import itertools
from collections.abc import Mapping

from data_prep.own_log.declared.keys import Keys, in_both
from data_prep.own_log.declared.times import DeclaredTime
from dcrnn_tf.dataset.schema import DatasetError

SPLIT_NAMES = ("train", "validation", "test")
LARGEST_DAYS = 100_000
_MOMENTS = ("train_from", "train_until", "validation_until", "test_until")  # in this order
SPLIT_KEYS = {  # how rows are split, and the keys that say it in full
    "file": ("by", "train", "validation", "test", "validation_fraction"),
    "column": ("by", "files", "column", "train", "validation", "test", "validation_fraction"),
    "group": ("by", "files", "column", "test_fraction", "validation_fraction"),
    "fraction": ("by", "files", "test_fraction", "validation_fraction"),
    "time": (
        *("by", "files", "train_from", "train_until", "validation_until", "test_until"),
        *("last_days", "validation_days"),
    ),
}


@dataclasses.dataclass(frozen=True)
class DeclaredSplit:
    """Which rows are training, validation and test rows.

    Attributes:
      by: `file`, `column`, `group`, `fraction` or `time`.
      files: file patterns of each split (by file), or of all rows under `train`.
      column: the column that decides (by column) or that names the group (by group).
      values: the column's values of each split; an absent split has none, an absent
        `train` has all that no other split has.
      test_fraction: share of the rows, or groups, that become test rows.
      validation_fraction: share of the remaining ones that become validation rows.
      train_from: the moment before which rows are in no split (by time); None if all are in one.
      train_until: the moment, in microseconds, before which rows are training (by time).
      validation_until: the moment before which the rows from then on are validation.
      test_until: the moment from which on rows are in no split; None if all are in one.
      last_days: number of days at the end of the log that are test (by time).
      validation_days: number of days before those that are validation.
    """

    by: str
    files: Mapping[str, tuple[str, ...]]
    column: str | None = None
    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    test_fraction: float = 0.0
    validation_fraction: float = 0.0
    train_from: int | None = None
    train_until: int | None = None
    validation_until: int | None = None
    test_until: int | None = None
    last_days: int | None = None
    validation_days: int = 0

    @property
    def has_validation(self) -> bool:
        """Whether some rows are drawn or cut off for validation, by a share or by time."""
        return bool(
            self.validation_fraction or self.validation_days or self.validation_until is not None
        )

    @property
    def counts_first(self) -> bool:
        """Whether all rows are read once before it is known how they are split."""
        return self.by == "group" or self.last_days is not None


def declared_split(entry: object, time: DeclaredTime | None) -> DeclaredSplit:
    """Returns the split that the entry `split` declares.

    Args:
      entry: The entry.
      time: The declared column of times, if there is one.

    Raises:
      DatasetError: The entry has an unknown or missing key, or a value that cannot be.
    """
    keys = Keys(entry, "split", _all_split_keys())
    by = keys.choice("by", tuple(SPLIT_KEYS))
    keys = Keys(keys.entry, "split", SPLIT_KEYS[by], f" of a split by {by}")
    if by == "time":
        return _by_time(keys, time)
    values = keys.cells if by == "column" else keys.values
    parts = {name: found for name in SPLIT_NAMES if (found := values(name)) is not None}
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
        files=parts if by == "file" else {"train": keys.values("files", True)},
        column=keys.text("column") if by in ("column", "group") else None,
        values=parts if by == "column" else {},
        test_fraction=keys.fraction("test_fraction"),
        validation_fraction=keys.fraction("validation_fraction"),
    )


def _by_time(keys: Keys, time: DeclaredTime | None) -> DeclaredSplit:
    if time is None:
        raise DatasetError("split: by time needs the column of times, `time: {column: ...}`")
    files = {"train": keys.values("files", True)}
    if ("train_until" in keys.entry) == ("last_days" in keys.entry):
        raise DatasetError("split: by time needs either train_until or last_days")
    needs = dict.fromkeys(("train_from", "validation_until", "test_until"), "train_until")
    for key, needed in (needs | {"validation_days": "last_days"}).items():
        if key in keys.entry and needed not in keys.entry:
            raise DatasetError(f"split: {key} needs {needed}")
    if "last_days" in keys.entry:
        days = keys.whole_number("last_days", 1, at_most=LARGEST_DAYS)
        validation = 0
        if "validation_days" in keys.entry:
            validation = keys.whole_number("validation_days", 1, at_most=LARGEST_DAYS)
        return DeclaredSplit("time", files, last_days=days, validation_days=validation)
    until: dict[str, int] = {}
    for key in _MOMENTS:
        if key in keys.entry:
            text, *more = keys.values(key, True)
            moment = time.moment(text)
            if moment is None or more:
                keys.fail(key, "a day or a moment such as 2024-01-02 or 2024-01-02 10:00:00")
            until[key] = moment
    for earlier, later in itertools.pairwise(key for key in _MOMENTS if key in until):
        if until[later] <= until[earlier]:
            raise DatasetError(f"split: {later} must be after {earlier}")
    return DeclaredSplit(
        "time",
        files,
        train_from=until.get("train_from"),
        train_until=until["train_until"],
        validation_until=until.get("validation_until"),
        test_until=until.get("test_until"),
    )


def _all_split_keys() -> list[str]:
    return sorted({key for keys in SPLIT_KEYS.values() for key in keys})
