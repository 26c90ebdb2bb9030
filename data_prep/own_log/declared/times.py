"""The time of a declaration: the column that says when each row happened."""

import dataclasses
import zoneinfo

import polars as pl

from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.moments import MICROSECONDS, is_pattern, moments_of
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.nearest import did_you_mean

TIME = "\ntime"  # the column of frames with each row's moment; no declared column is called so


@dataclasses.dataclass(frozen=True)
class DeclaredTime:
    """The column of times.

    Attributes:
      column: Name of the column.
      unit: Unit of numbers that count from 1970: `s`, `ms` or `us`; None of days and moments.
      format: How text is written, in the letters of `strftime`; None for ISO 8601.
      zone: Time zone of what states none, and of the days of a split.
    """

    column: str
    unit: str | None = None
    format: str | None = None
    zone: str = "UTC"

    @property
    def expected(self) -> str:
        """What a cell is expected to hold."""
        if self.unit is not None:
            return f"a number of {self.unit} since 1970, in the years 1 to 9999"
        if self.format is not None:
            return f"a moment written as {self.format}"
        return (
            "a day or a moment such as 2024-01-02 or 2024-01-02 10:00:00; "
            "numbers need the unit s, ms or us, other text a format"
        )

    def moments(self, column: pl.Series) -> pl.Series:
        """Returns cells as microseconds since 1970, Int64; null where they are none."""
        return moments_of(column, self.unit, self.format, self.zone)

    def moment(self, text: str) -> int | None:
        """Returns the moment of a text in the declaration; None if it states none."""
        moment = moments_of(pl.Series([text]), zone=self.zone)[0]
        return self.moments(pl.Series([text]))[0] if moment is None else moment


def declared_time(entry: object) -> DeclaredTime:
    """Returns the time that the entry `time` declares.

    Raises:
      DatasetError: The entry has an unknown or missing key, or a value that cannot be.
    """
    keys = Keys(entry, "time", ("column", "unit", "format", "zone"))
    unit = keys.choice("unit", tuple(MICROSECONDS)) if "unit" in keys.entry else None
    pattern = keys.text("format", None)
    if unit is not None and pattern is not None:
        raise DatasetError("time: give either unit, for numbers, or format, for text, not both")
    if pattern is not None and not is_pattern(pattern):
        keys.fail("format", "letters of strftime with the year and what else there is: %Y%m%d")
    zone = keys.text("zone", "UTC")
    if zone != "UTC" and zone not in (zones := zoneinfo.available_timezones()):
        keys.fail("zone", f"a time zone such as Europe/Berlin{did_you_mean(zone, zones)}")
    return DeclaredTime(keys.text("column"), unit, pattern, zone)
