"""What a warm start has carried, in numbers and in words."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence


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
