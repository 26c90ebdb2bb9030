"""Histories in a declaration: lists made of what a user's earlier rows hold."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence

from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.declared.times import DeclaredTime
from data_prep.own_log.moments import MICROSECONDS
from dcrnn_tf.dataset.schema import BINARY, DatasetError, Task

HISTORY_KEYS = (
    *("kind", "history_of", "by", "last", "where", "delay"),
    *("min_count", "attended_by", "shares", "hashed", "width"),
)
_UNITS = {
    "s": MICROSECONDS["s"],
    "m": 60 * MICROSECONDS["s"],
    "h": 3600 * MICROSECONDS["s"],
    "d": 86400 * MICROSECONDS["s"],
}


@dataclasses.dataclass(frozen=True)
class DeclaredHistory:
    """What a field takes from the earlier rows of each row's user.

    Attributes:
      of: Column whose values the list has.
      by: Column that names the user.
      where: Task, or column of truth values, on whose positive rows alone values count; None takes
        all rows.
      delay: Number of microseconds that pass until a row counts.
    """

    of: str
    by: str
    where: str | None = None
    delay: int = 0


def declared_history(keys: Keys) -> DeclaredHistory:
    """Returns the history that the keys of a field declare.

    Raises:
      DatasetError: A key is missing, or has a value that cannot be.
    """
    delay = 0
    if "delay" in keys.entry:
        parts = re.fullmatch(r"([0-9]{1,6}) ?([smhd])", keys.text("delay").strip())
        if parts is None:
            keys.fail("delay", "a duration such as 30s, 15m, 2h or 7d")
        delay = int(parts[1]) * _UNITS[parts[2]]
    return DeclaredHistory(
        keys.text("history_of"), keys.text("by"), keys.text("where", None), delay
    )


def check_histories(
    histories: Mapping[str, DeclaredHistory],
    columns: Collection[str],
    tasks: Sequence[Task],
    time: DeclaredTime | None,
) -> None:
    """Checks what histories have in common with the rest of a declaration.

    Args:
      histories: The histories by the names of their fields.
      columns: The columns of a row that the declaration uses.
      tasks: The tasks.
      time: The column of times; None if there is none.

    Raises:
      DatasetError: There is no time, a column has the name of a history, or a history is of the
        positive rows of a task that has none.
    """
    kinds = {task.name: task.kind for task in tasks}
    for field, history in histories.items():
        if time is None:
            raise DatasetError(
                f"field {field}: a history needs the column of times, `time: {{column: ...}}`"
            )
        if field in columns:
            raise DatasetError(
                f"field {field}: a column of that name is used as well; give the history "
                "another name"
            )
        if history.where is not None and kinds.get(history.where, BINARY) != BINARY:
            raise DatasetError(
                f"field {field}: where is {history.where!r}, a {kinds[history.where]} "
                "task, expected a binary one or a column of truth values"
            )
