"""Moments: what the cells of a column of times are, as whole microseconds since 1970 in UTC."""

import datetime
import decimal
import zoneinfo

import polars as pl

from data_prep.own_log.cells import text_of
from dcrnn_tf.dataset.values import decimal_of

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_STEP = datetime.timedelta(microseconds=1)
# A day within what Python has, so that every zone has them.
_FIRST, _LAST = (
    (datetime.datetime(*day, tzinfo=datetime.timezone.utc) - _EPOCH) // _STEP
    for day in ((1, 1, 2), (9999, 12, 31))
)
_ISO = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M")
_ISO_WITH_ZONE = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")


def moments_of(
    column: pl.Series, unit: str | None = None, pattern: str | None = None, zone: str = "UTC"
) -> pl.Series:
    """Returns cells as microseconds since 1970, Int64; null where a cell is missing or no moment.

    Days and moments of their own types are taken as they are, whatever the unit and the pattern.

    Args:
      column: Cells without white space at their ends.
      unit: Unit of numbers that count from 1970, a key of `MICROSECONDS`; parts of a microsecond
        are cut off.
      pattern: How text is written, in the letters of `strftime`; None for ISO 8601 with a space or
        a `T` before the time of day.
      zone: Time zone of what states none.
    """
    if column.dtype == pl.Date or column.dtype == pl.Datetime:
        moments = _in_utc(
            column.cast(pl.Datetime("us", getattr(column.dtype, "time_zone", None))), zone
        )
    elif unit is not None:
        moments = _of_numbers(column, MICROSECONDS[unit])
    else:
        moments = _of_texts(
            text_of(column), (pattern,) if pattern else (*_ISO, *_ISO_WITH_ZONE), zone
        )
    in_range = moments.is_between(_FIRST, _LAST).fill_null(False)
    return moments.set(~in_range, None).alias(column.name)


def moment(text: str, zone: str = "UTC") -> int | None:
    """Returns the moment that a text of ISO 8601 states; None if it states none."""
    return moments_of(pl.Series([text.strip()]), zone=zone)[0]


def is_pattern(pattern: str) -> bool:
    """Whether text that is written by a pattern of `strftime` says which year it is."""
    sample = pl.Series([datetime.datetime(2026, 11, 23, 14, 35, 46, tzinfo=datetime.timezone.utc)])
    try:
        written = sample.dt.to_string(pattern)
        return moments_of(written, pattern=pattern)[0] >= moment("2025-12-31")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError):
        return False


def midnight(microseconds: int, zone: str, days_before: int = 0) -> int:
    """Returns the moment at which the day of a moment, or one before it, begins in a zone."""
    local = _local(microseconds, zone)
    day = datetime.date.fromordinal(max(local.toordinal() - days_before, 2))
    return (datetime.datetime.combine(day, datetime.time(), local.tzinfo) - _EPOCH) // _STEP


def written_moment(microseconds: int, zone: str) -> str:
    """Returns a moment as text of ISO 8601 with its offset from UTC."""
    return _local(microseconds, zone).isoformat(" ")


def _local(microseconds: int, zone: str) -> datetime.datetime:
    return (_EPOCH + microseconds * _STEP).astimezone(_zone(zone))


def _zone(zone: str) -> datetime.tzinfo:
    return datetime.timezone.utc if zone == "UTC" else zoneinfo.ZoneInfo(zone)


def _of_texts(texts: pl.Series, patterns: tuple[str, ...], zone: str) -> pl.Series:
    if patterns[1:]:
        texts = texts.str.replace("T", " ", literal=True)
    moments = pl.Series([None] * len(texts), dtype=pl.Int64)
    for pattern in patterns:
        left = (moments.is_null() & texts.is_not_null()).arg_true()
        if not left.is_empty():
            parsed = texts.gather(left).str.to_datetime(pattern, time_unit="us", strict=False)
            moments.scatter(left, _in_utc(parsed, zone))
    return moments


def _in_utc(moments: pl.Series, zone: str) -> pl.Series:
    """Datetimes as microseconds since 1970; of an hour that a zone has twice, the first."""
    dtype = moments.dtype
    if zone == "UTC" or (isinstance(dtype, pl.Datetime) and dtype.time_zone is not None):
        return moments.cast(pl.Int64)
    utc = moments.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    utc = utc.cast(pl.Int64)
    # Hours that the zone passes over are counted on from the time before.
    passed_over = moments.filter(utc.is_null() & moments.is_not_null()).unique()
    if passed_over.is_empty():
        return utc
    known = [(local.replace(tzinfo=_zone(zone)) - _EPOCH) // _STEP for local in passed_over]
    others = moments.replace_strict(passed_over, known, default=None, return_dtype=pl.Int64)
    return utc.fill_null(others)


def _of_numbers(column: pl.Series, factor: int) -> pl.Series:
    """Numbers of a unit as microseconds, without rounding."""
    whole = column if column.dtype.is_integer() else text_of(column)
    whole = whole.cast(pl.Int64, strict=False)
    whole = whole.set(~whole.is_between(_FIRST // factor, _LAST // factor).fill_null(False), None)
    moments = whole * factor
    left = (moments.is_null() & column.is_not_null()).arg_true()
    if column.dtype.is_integer() or left.is_empty():
        return moments
    texts, digits = text_of(column.gather(left)), len(str(factor)) - 1
    parts = texts.str.extract_groups(r"^(-?)([0-9]{1,15})\.([0-9]*)$").struct.unnest()
    fraction = parts["3"].str.slice(0, digits).str.pad_end(digits, "0")
    size = parts["2"].cast(pl.Int64) * factor + ("0" + fraction).cast(pl.Int64)
    values = size * (1 - 2 * (parts["1"] == "-").cast(pl.Int64))
    others = (values.is_null() & texts.is_not_null()).arg_true()
    values.scatter(others, [_decimal(text, factor) for text in texts.gather(others)])
    return moments.scatter(left, values)


def _decimal(text: str, factor: int) -> int | None:
    """A number with an exponent in microseconds; None for what is no number near 1970."""
    number = decimal_of(text)
    if number is None or number.adjusted() > 18:
        return None
    return int((number * factor).to_integral_value(decimal.ROUND_DOWN))
