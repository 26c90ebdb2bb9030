"""When two texts of a log are one value, text by text, with Python's decimals and moments."""

import datetime
import decimal

WORDS = (
    {"true", "True", "TRUE"},
    {"false", "False", "FALSE"},
    {"nan", "NaN", "-nan", "-NaN"},
    {sign + word for sign in ("", "+") for word in ("inf", "Inf", "INF")}
    | {sign + word for sign in ("", "+") for word in ("infinity", "Infinity", "INFINITY")},
    {"-" + word for word in ("inf", "Inf", "INF", "infinity", "Infinity", "INFINITY")},
)


def written_number(text: str) -> decimal.Decimal | None:
    """The number that a text is written as: without a plus sign and leading zeros."""
    mantissa, mark, exponent = text.removeprefix("-").replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    if not (whole + fraction).isdecimal() or not text.isascii():
        return None
    if whole.startswith("0") and (len(whole) > 1 or (mark and not point)):
        return None
    if mark:
        power = exponent[1:] if exponent[:1] in ("+", "-") else exponent
        if not power.isdecimal() or len(power) > 4:
            return None
    return decimal.Decimal(text)


def moment(text: str) -> datetime.datetime | None:
    """The moment that a text is written as: a day, perhaps with a time to the second."""
    if len(text) != 10 and (len(text) < 19 or text[10] not in " T"):
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def id_of(text: str) -> str:
    """The text of a value's id."""
    number = written_number(text)
    if number is not None and text.removeprefix("-")[0] != "." and "e" not in text.lower():
        return str(int(number)) if number == int(number) else text
    for words, word in zip(WORDS, ("true", "false"), strict=False):
        if text in words:
            return word
    if when := moment(text):
        day, time = when.isoformat(" ").split(" ")
        if "." in time and "+" not in time:
            time = time.rstrip("0")
        return day if time == "00:00:00" else f"{day} {time}"
    return text


def same(first: str, second: str) -> bool:
    """Whether two texts are one value."""
    for read in (written_number, moment):
        if read(first) is not None and read(second) is not None:
            return read(first) == read(second)
    return first == second or any({first, second} <= words for words in WORDS)


def holds(values, text: str | None) -> bool:
    """Whether a text is one of the values."""
    return text is not None and any(same(value, text) for value in values)
