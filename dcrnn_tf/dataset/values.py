r"""Rules that decide when two texts are the same value, and which text of a value is its id.

What a declaration lists, what files hold and what clients send are compared by these rules alone:

  * Texts that are written as numbers are the same value if their numbers are the same decimal, so
    -999, -999.0 and -9.99e2 are one value, and no two integers are, however large they are.
  * Other texts are the same value if `SPELLINGS` give them the same text, or if they are words of
    one line of `_WORDS`.
  * Everything else is told apart as it is written: `007` and `+5` are no numbers.
"""

import decimal
import re
from collections.abc import Iterable, Mapping

_EXPONENT = "[eE][+-]?[0-9]{1,4}"
# An integer with an exponent does not begin with 0: 0e12 is rather a hexadecimal id.
NUMBER = (
    rf"-?(?:0|[1-9][0-9]*(?:{_EXPONENT})?|(?:0|[1-9][0-9]*)\.[0-9]*(?:{_EXPONENT})?"
    rf"|\.[0-9]+(?:{_EXPONENT})?)"
)
_CELL = rf"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:{_EXPONENT})?"
_INFINITY = ("inf", "Inf", "INF", "infinity", "Infinity", "INFINITY")
_WORDS = (
    ("true", "True", "TRUE"),
    ("false", "False", "FALSE"),
    ("nan", "NaN", "-nan", "-NaN"),
    (*_INFINITY, *(f"+{word}" for word in _INFINITY)),
    tuple(f"-{word}" for word in _INFINITY),
)
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE, _FRACTION = r"Z|[+-][0-9]{2}:[0-9]{2}", r"(\.[0-9]*[1-9])0*|\.0*"
# Patterns and what takes their place, one after the other, in the syntax of RE2.
SPELLINGS = (
    (r"^(-?(?:0|[1-9][0-9]*))\.0*$", r"\1"),
    (r"^-0$", "0"),
    (r"^(?:True|TRUE)$", "true"),
    (r"^(?:False|FALSE)$", "false"),
    (rf"^({DAY})[ T]({_TIME})(?:{_FRACTION})?({_ZONE})?$", r"\1 \2\3\4"),
    (rf"^({DAY} {_TIME}(?:\.[0-9]+)?)Z$", r"\1+00:00"),
    (rf"^({DAY}) 00:00:00$", r"\1"),
)
RESPELLED = "|".join(pattern for pattern, _ in SPELLINGS)  # what they change
_SPELLED_OTHERWISE: Mapping[str, tuple[str, ...]] = {w: words for words in _WORDS for w in words}


def decimal_of(text: str) -> decimal.Decimal | None:
    """Returns the number that a text without white space at its ends is written as."""
    return decimal.Decimal(text) if re.fullmatch(NUMBER, text) else None


def spelled_text(text: str) -> str:
    """Returns a text as the id of its value is spelled."""
    for pattern, replacement in SPELLINGS:
        text = re.sub(pattern, replacement, text)
    return text


def decimal_key(number: decimal.Decimal) -> str:
    """Returns a text that no other number has: its digits without outer zeros, and a power."""
    sign, digits, power = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    return f"{'-' * sign}{kept}e{int(power) + len(text) - len(kept)}" if kept else "0"


def words_of(text: str) -> tuple[str, ...]:
    """Returns the texts that are the same word as `text`, which is one of them."""
    return _SPELLED_OTHERWISE.get(text, (text,))


def numbers_of(texts: Iterable[str]) -> list[decimal.Decimal]:
    """Returns the numbers that columns of numbers have for texts: also of +5 and 007, not 1_000."""
    return [decimal.Decimal(text) for text in texts if re.fullmatch(_CELL, text)]


def floats_of(numbers: Iterable[decimal.Decimal]) -> list[float]:
    """Returns the numbers that float64 has: exactly, or as the shortest text of a number."""
    floats = ((number, float(number)) for number in numbers)
    return [x for number, x in floats if number in (decimal.Decimal(x), decimal.Decimal(repr(x)))]
