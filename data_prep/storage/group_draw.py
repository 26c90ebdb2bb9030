"""Draws whole groups of rows, such as those of a user, until they have a share of all rows."""

import numpy as np

from dcrnn_tf.dataset.schema import Schema


def draw_groups(rows: np.ndarray, wanted: int, random: np.random.Generator) -> np.ndarray:
    """Draws groups that together have as many rows as wanted, or as near as groups allow.

    Groups are taken in random order, those passed over that would exceed what is wanted. What is
    then missing is made up by exchanging a group for another, or for none, while that helps.

    Args:
      rows: Number of rows of each group, `(groups,)`; a group without rows is never drawn.
      wanted: Number of rows of the groups to draw.
      random: Generator of the order.

    Returns:
      Which groups are drawn, `(groups,)` bool.
    """
    order = random.permutation(np.flatnonzero(rows))
    sizes = rows[order]
    drawn = np.zeros(len(order), bool)
    left = wanted
    for place, size in enumerate(sizes.tolist()):
        if not left:
            break
        if size <= left:
            drawn[place] = True
            left -= size
    while left:
        out, into = _exchange(sizes, drawn, left)
        if abs(left + out - into) >= abs(left):
            break
        for size, was_drawn in ((out, True), (into, False)):
            if size:
                drawn[np.flatnonzero((sizes == size) & (drawn == was_drawn))[0]] = not was_drawn
        left += out - into
    chosen = np.zeros(len(rows), bool)
    chosen[order[drawn]] = True
    return chosen


def _exchange(sizes: np.ndarray, drawn: np.ndarray, left: int) -> tuple[int, int]:
    """Returns the sizes of a group to give up and one to draw, 0 for none, that come nearest."""
    out = np.unique(np.append(0, sizes[drawn]))
    into = np.unique(np.append(0, sizes[~drawn]))
    above = np.searchsorted(into, out + left).clip(0, len(into) - 1)
    pairs = [(o, i) for near in (above, above - 1) for o, i in zip(out, into[near], strict=True)]
    best = int(np.argmin([abs(left + o - i) for o, i in pairs]))
    return int(pairs[best][0]), int(pairs[best][1])


def reached(schema: Schema, wanted: float, groups: str, split: str = "validation") -> str:
    """Says what share of the rows a split of whole groups has, beside what was asked for.

    Args:
      schema: Schema of the dataset.
      wanted: Share that was asked for.
      groups: What is drawn as a whole, such as `users`.
      split: `validation`, which is drawn from the training rows, or `test`, drawn from all.
    """
    rows = {name: part.rows for name, part in schema.splits.items()}
    drawn_from, which = tuple(rows), "all"
    if split == "validation":
        drawn_from, which = ("train", "validation"), "the training"
    share = rows.get(split, 0) / max(1, sum(rows.get(name, 0) for name in drawn_from))
    return f"{split}: whole {groups} with {share:.4f} of {which} rows, {wanted:g} wanted"
