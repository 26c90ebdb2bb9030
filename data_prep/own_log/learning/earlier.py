"""The ids of a dataset that another one extends: they keep their rows, others come behind them."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl

from data_prep.storage.vocabulary import frequent_ids
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.dataset.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Growth:
    """A vocabulary that has grown out of an earlier one.

    Attributes:
      vocabulary: The vocabulary.
      counts: Number of earlier ids that are in it (`kept`), of these that no training row has
        (`unseen`), of ids that the earlier one lacks (`added`), and of these that have the row of
        an id that was forgotten (`reused`).
    """

    vocabulary: Vocabulary
    counts: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class EarlierField:
    """A field as the extended dataset has it.

    Attributes:
      field: The field.
      vocabulary: Its vocabulary; None of a field without.
      forget_after: Number of datasets in a row without a training row of an id after which new ids
        may take its row; None keeps all ids.
    """

    field: Field
    vocabulary: Vocabulary | None
    forget_after: int | None = None

    def grown(self, counted: pl.DataFrame, min_count: int) -> Growth:
        """Returns the vocabulary after the ids of training rows were counted.

        New ids come in the order of their counts. The first of them get the rows of ids that may be
        forgotten, those that were not seen for longest first; there is no row without an id.

        Args:
          counted: Distinct ids with their `count` of training rows.
          min_count: Least number of training rows of a new id.
        """
        if self.vocabulary is None:
            raise ValueError(f"field {self.field.name} has no vocabulary")
        ids, unseen_before = self.vocabulary.ids, self.vocabulary.unseen
        known = np.zeros(counted.height, np.int64)
        if counted.height:
            known = self.vocabulary.encode(counted["id"]) - FIRST_ID_ROW
        counts = np.zeros(len(ids), np.int64)
        counts[known[known >= 0]] = counted["count"].to_numpy()[known >= 0]
        unseen = np.where(counts > 0, 0, unseen_before + 1)
        new_ids, new_counts = frequent_ids(counted.filter(pl.Series(known < 0)), min_count)
        rows = np.arange(len(ids), len(ids) + len(new_ids))
        if self.forget_after is not None:
            free = np.flatnonzero(unseen >= self.forget_after)
            free = free[np.argsort(-unseen[free], kind="stable")][: len(new_ids)]
            rows = np.concatenate([free, rows[: len(new_ids) - len(free)]])
        reused = int(np.count_nonzero(rows < len(ids)))
        still_unseen = int(np.count_nonzero(np.delete(unseen, rows[:reused])))
        columns = []
        for before, new in ((ids, new_ids), (counts, new_counts), (unseen, np.zeros(len(rows)))):
            column = np.append(before, np.empty(len(rows) - reused, before.dtype))
            column[rows] = new
            columns.append(column)
        kept = len(ids) - reused
        growth = {"kept": kept, "unseen": still_unseen, "added": len(rows), "reused": reused}
        return Growth(Vocabulary(*columns), growth)
