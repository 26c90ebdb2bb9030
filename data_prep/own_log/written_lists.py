"""Lists in one cell of text: between separators, or in brackets as programs write them."""

import ast
import contextlib
import json

import polars as pl

from dcrnn_tf.dataset.schema import DatasetError

_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_BARE = r"""[^\s\[\]'",][^\[\],]*"""
# As Python shows values of NumPy and of other types: np.str_('a, b'), Timestamp('2024-01-02').
_SHOWN = rf"[A-Za-z_][\w.]*\((?:{_QUOTED})\)"
_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?|-?inf|nan|True|False"
_ITEM, _WORD = rf"(?:{_SHOWN}|{_QUOTED}|{_BARE})?", rf"(?:{_QUOTED}|{_NUMBER})"
# Python, JSON and most others write commas, NumPy writes spaces.
_WITH_COMMAS = rf"^\[\s*{_ITEM}(?:\s*,\s*{_ITEM})*\s*\]$"
_WITH_SPACES = rf"^\[\s*{_WORD}(?:\s+{_WORD})*\s*\]$"
_NOTHING = ("None", "null")
# Python's tuples and sets, and arrays as PostgreSQL writes them. Brackets are common in titles:
# `(a, b)` and `(1)` are no lists, and `{a: b}` is none.
_VALUE = rf"(?:{_SHOWN}|{_QUOTED}|{_NUMBER}|np\.\w+\((?:{_NUMBER})\))"
_TUPLE = rf"(?:{_VALUE}\s*,\s*)+{_VALUE}?"
_SET = rf"(?:{_VALUE}|[\w.-]+)(?:\s*,\s*(?:{_VALUE}|[\w.-]+))*"
_IN_OTHER_BRACKETS = rf"^(?:\(\s*({_TUPLE})?\s*\)|\{{\s*({_SET})?\s*\}}|set\(\))$"


def split_lists(cells: pl.Series, separator: str) -> pl.Series:
    """Returns cells of text as lists of items.

    Args:
      cells: A column of text.
      separator: Text between the items of a cell that is not in brackets.

    Raises:
      DatasetError: A list lacks items because NumPy left them out as it was written.
    """
    split = cells.str.split(separator)
    if cells.str.contains(r"^(?:[({]|set\(\))").any():
        cells = cells.str.replace(_IN_OTHER_BRACKETS, "[${1}${2}]")
    bracketed = cells.str.contains(f"{_WITH_COMMAS}|{_WITH_SPACES}").fill_null(False)
    if not bracketed.any():
        return split
    spaced = cells.str.contains(_WITH_SPACES)
    items = pl.select(
        pl.when(spaced)
        .then(cells.str.extract_all(rf"{_QUOTED}|[^\s\[\]]+"))
        .otherwise(cells.str.extract_all(f"{_SHOWN}|{_QUOTED}|{_BARE}"))
    ).to_series()
    items = items.list.eval(_without_type(pl.element().str.strip_chars()))
    item = pl.element()
    if len(cut := cells.filter(bracketed & items.list.contains("..."))):
        raise DatasetError(
            f"column {cells.name!r} holds {cut[0]!r:.80}, a list that NumPy wrote without all of "
            "its items; write lists with `.tolist()`"
        )
    plain = (
        pl.when(item.str.contains("^['\"]"))
        .then(item.str.slice(1, item.str.len_chars() - 2))
        .otherwise(item)
    )
    lists = items.list.eval(plain.filter(~item.is_in(_NOTHING)))
    escaped = bracketed & cells.str.contains("\\", literal=True).fill_null(False)
    if escaped.any():
        unescaped: list[list[str] | None] = [None] * len(cells)
        for row in escaped.arg_true():
            unescaped[row] = [_unescaped(i) for i in items[row] if i not in _NOTHING]
        whole = pl.Series(unescaped, dtype=lists.dtype)
        lists = pl.select(pl.when(escaped).then(whole).otherwise(lists)).to_series()
    return pl.select(pl.when(bracketed).then(lists).otherwise(split)).to_series()


def _without_type(item: pl.Expr) -> pl.Expr:
    """Returns the value alone of an item that Python shows with its type."""
    item = item.str.replace(rf"^[A-Za-z_][\w.]*\(({_QUOTED})\)$", "${1}")
    return item.str.replace(r"^np\.\w+\((.*)\)$|^np\.(True|False)_$", "${1}${2}")


def _unescaped(item: str) -> str:
    """Returns what an item of Python or JSON stands for."""
    if not item.startswith(("'", '"')):
        return item
    with contextlib.suppress(ValueError, SyntaxError):
        return str((json.loads if item.startswith('"') else ast.literal_eval)(item))
    with contextlib.suppress(ValueError, SyntaxError):  # Python's "it's \\x41"
        return str(ast.literal_eval(item))
    return item[1:-1]
