"""Finds the known word that is nearest to a misspelled one, for error messages."""

import contextlib
import difflib
from collections.abc import Iterable


def nearest(word: object, words: Iterable[object]) -> str | None:
    """Returns the word that `word` may have been meant to be, None if no word is near it.

    Upper and lower case are alike. A number is near to the same number written otherwise, and to no
    other: 31 is not a slip for 1.
    """
    candidates = {str(candidate).casefold(): str(candidate) for candidate in words}
    if (number := _number(str(word))) is not None:
        same = (text for folded, text in candidates.items() if _number(folded) == number)
        return next(same, None)
    near = difflib.get_close_matches(str(word).casefold(), candidates, n=1, cutoff=0.6)
    return candidates[near[0]] if near else None


def did_you_mean(word: object, words: Iterable[object]) -> str:
    """Returns the end of a message that names the nearest word; nothing if no word is near."""
    near = nearest(word, words)
    return "" if near is None else f"; did you mean {near!r}?"


def _number(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None
