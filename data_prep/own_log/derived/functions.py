"""The functions that an expression may call: each makes one value of the values of one row."""

import dataclasses
import re
from collections.abc import Callable, Mapping

import polars as pl

from data_prep.own_log.derived.terms import EXACT, MOMENT, NUMBER, TEXT, TRUTH, Term, moments_of
from data_prep.own_log.derived.tokens import ExpressionError

LITERAL = "literal text"  # kind of an argument that is written out
AGGREGATES = (
    *("ANY_VALUE", "AVG", "CORR", "COUNT", "COVAR", "FIRST", "LAST", "MAX", "MEAN", "MEDIAN"),
    *("MIN", "QUANTILE_CONT", "QUANTILE_DISC", "STDDEV", "STDEV", "SUM", "VAR", "VARIANCE"),
)
WINDOWS = ("DENSE_RANK", "FIRST_VALUE", "LAG", "LAST_VALUE", "LEAD", "RANK", "ROW_NUMBER")
_INTEGERS = ("BIGINT", "INT", "INT2", "INT4", "INT8", "INTEGER", "SMALLINT", "TINYINT")
_FLOATS = ("DECIMAL", "DOUBLE", "FLOAT", "FLOAT4", "FLOAT8", "NUMERIC", "REAL")
_TEXTS = ("CHAR", "STRING", "TEXT", "VARCHAR")
TYPE_NAMES = (*_INTEGERS, *_FLOATS, *_TEXTS, "BOOL", "BOOLEAN", "DATE", "DATETIME", "TIMESTAMP")

PARTS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "YEAR": lambda x: x.dt.year(),
    "QUARTER": lambda x: x.dt.quarter(),
    "MONTH": lambda x: x.dt.month(),
    "WEEK": lambda x: x.dt.week(),
    "DAY": lambda x: x.dt.day(),
    "HOUR": lambda x: x.dt.hour(),
    "MINUTE": lambda x: x.dt.minute(),
    "SECOND": lambda x: x.dt.second(),
    "DOW": lambda x: x.dt.weekday() % 7,  # 0 is Sunday
    "ISODOW": lambda x: x.dt.weekday(),  # 1 is Monday
    "DOY": lambda x: x.dt.ordinal_day(),
    "EPOCH": lambda x: x.dt.epoch("us") / 1e6,
}


@dataclasses.dataclass(frozen=True)
class Function:
    """A function.

    Attributes:
      arguments: Kinds of its arguments.
      result: Kind of its value.
      build: makes the expression of Polars of those of the arguments, or of what is written out.
      optional: Number of arguments, from the last on, that may be absent.
    """

    arguments: tuple[str, ...]
    result: str
    build: Callable[..., pl.Expr]
    optional: int = 0


def _whole(x: pl.Expr) -> pl.Expr:
    return x.cast(pl.Int64, strict=False)


def remainder(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    """Returns what a division leaves, with the sign of what is divided, as SQL has it."""
    return x.sign() * (x.abs() % y.abs())


def _substring(text: pl.Expr, first: pl.Expr, length: pl.Expr | None = None) -> pl.Expr:
    start = _whole(first) - 1
    if length is None:
        return text.str.slice(pl.max_horizontal(start, 0))
    # A start before the text shortens what is taken, as SQL has it.
    taken = pl.max_horizontal(_whole(length) + pl.min_horizontal(start, 0), 0)
    return pl.when(first.is_not_null() & length.is_not_null()).then(
        text.str.slice(pl.max_horizontal(start, 0), taken)
    )


def _split_part(text: pl.Expr, separator: str, number: pl.Expr) -> pl.Expr:
    return text.str.split(separator).list.get(_whole(number) - 1, null_on_oob=True)


def like_pattern(pattern: str) -> str:
    """Returns a pattern of SQL's LIKE as a regular expression."""
    return "".join({"%": ".*", "_": "."}.get(c) or re.escape(c) for c in pattern)


_N, _T, _M = (NUMBER,), (TEXT,), (MOMENT,)
FUNCTIONS: Mapping[str, Function] = {
    "ABS": Function(_N, NUMBER, lambda x: x.abs()),
    "CEIL": Function(_N, NUMBER, lambda x: x.ceil()),
    "CEILING": Function(_N, NUMBER, lambda x: x.ceil()),
    "COS": Function(_N, NUMBER, lambda x: x.cos()),
    "EXP": Function(_N, NUMBER, lambda x: x.exp()),
    "FLOOR": Function(_N, NUMBER, lambda x: x.floor()),
    "LN": Function(_N, NUMBER, lambda x: x.log()),
    "LOG10": Function(_N, NUMBER, lambda x: x.log(10)),
    "LOG1P": Function(_N, NUMBER, lambda x: x.log1p()),
    "LOG2": Function(_N, NUMBER, lambda x: x.log(2)),
    "MOD": Function((NUMBER, NUMBER), NUMBER, remainder),
    "POW": Function((NUMBER, NUMBER), NUMBER, lambda x, y: x.cast(pl.Float64) ** y),
    "POWER": Function((NUMBER, NUMBER), NUMBER, lambda x, y: x.cast(pl.Float64) ** y),
    "ROUND": Function(_N, NUMBER, lambda x: x.round()),
    "SIGN": Function(_N, NUMBER, lambda x: x.sign()),
    "SIN": Function(_N, NUMBER, lambda x: x.sin()),
    "SQRT": Function(_N, NUMBER, lambda x: x.sqrt()),
    "CHAR_LENGTH": Function(_T, NUMBER, lambda x: x.str.len_chars().cast(pl.Int64)),
    "CONTAINS": Function((TEXT, TEXT), TRUTH, lambda x, part: x.str.contains(part, literal=True)),
    "ENDS_WITH": Function((TEXT, TEXT), TRUTH, lambda x, end: x.str.ends_with(end)),
    "LEFT": Function((TEXT, NUMBER), TEXT, lambda x, n: x.str.head(_whole(n))),
    "LENGTH": Function(_T, NUMBER, lambda x: x.str.len_chars().cast(pl.Int64)),
    "LOWER": Function(_T, TEXT, lambda x: x.str.to_lowercase()),
    "LTRIM": Function(_T, TEXT, lambda x: x.str.strip_chars_start()),
    "REGEXP_LIKE": Function((TEXT, LITERAL), TRUTH, lambda x, like: x.str.contains(like)),
    "REPLACE": Function(
        (TEXT, LITERAL, LITERAL),
        TEXT,
        lambda x, old, new: x.str.replace_all(old, new, literal=True),
    ),
    "RIGHT": Function((TEXT, NUMBER), TEXT, lambda x, n: x.str.tail(_whole(n))),
    "RTRIM": Function(_T, TEXT, lambda x: x.str.strip_chars_end()),
    "SPLIT_PART": Function((TEXT, LITERAL, NUMBER), TEXT, _split_part),
    "STARTS_WITH": Function((TEXT, TEXT), TRUTH, lambda x, start: x.str.starts_with(start)),
    "SUBSTR": Function((TEXT, NUMBER, NUMBER), TEXT, _substring, optional=1),
    "SUBSTRING": Function((TEXT, NUMBER, NUMBER), TEXT, _substring, optional=1),
    "TRIM": Function(_T, TEXT, lambda x: x.str.strip_chars()),
    "UPPER": Function(_T, TEXT, lambda x: x.str.to_uppercase()),
    **{name: Function(_M, NUMBER, part) for name, part in PARTS.items()},
    "DATE": Function(_M, MOMENT, lambda x: x.dt.truncate("1d")),
    "STRFTIME": Function((MOMENT, LITERAL), TEXT, lambda x, form: x.dt.strftime(form)),
    "STRPTIME": Function(
        (TEXT, LITERAL),
        MOMENT,
        lambda x, form: x.str.to_datetime(form, time_unit="us", time_zone=None, strict=False),
    ),
    "TO_TIMESTAMP": Function(
        _N, MOMENT, lambda x: pl.from_epoch((x * 1e6).round().cast(pl.Int64, strict=False), "us")
    ),
}


def cast(term: Term, name: str) -> Term:
    """Returns a term as values of an SQL type; null where a value cannot be one.

    Raises:
      ExpressionError: No value can.
    """
    kind, shown = term.kind or TEXT, f"CAST({term.name} AS {name})"
    if name in _TEXTS:
        return Term(shown, TEXT, lambda _: term.as_text())
    if name in ("BOOL", "BOOLEAN") and (term.kind is None or kind in (NUMBER, TRUTH)):
        if kind == NUMBER:
            return Term(shown, TRUTH, lambda _: term.build(NUMBER) != 0)
        return Term(shown, TRUTH, term.build)
    if name in (*_INTEGERS, *_FLOATS) and kind != MOMENT:
        number = term.build(kind).cast(pl.Float64, strict=False)
        if name in _INTEGERS:
            exact = term.build(kind).cast(pl.Int64, strict=False)
            # Text may have a fraction; a number that float64 rounds is none.
            cut = pl.when(number.abs() < EXACT).then(number).cast(pl.Int64, strict=False)
            number = pl.coalesce(exact, cut)
        return Term(shown, NUMBER, lambda _: number)
    if name in ("DATE", "DATETIME", "TIMESTAMP") and kind in (TEXT, MOMENT):
        moment = moments_of(term.build(TEXT)) if term.kind == TEXT else term.build(MOMENT)
        moment = moment.dt.truncate("1d") if name == "DATE" else moment
        return Term(shown, MOMENT, lambda _: moment)
    raise ExpressionError(f"{term.name} is a {kind}, which cannot become {name}")
