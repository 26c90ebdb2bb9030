"""Shows the boards of `docs/data/leaderboards/` as tables.

A board is the `leaderboard.csv` that `make leaderboard` writes. Where a paragraph of a page is one
link to a board, the site has that link, a table for each task, and a table of sizes and speeds.
"""

import csv
import itertools
import pathlib
import re
from collections.abc import Callable, Mapping

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

Line = Mapping[str, str]
NO_BREAK = "\u00a0"  # a space at which no line is broken
_BOARD = re.compile(r"^\[[^\]]+\]\((\S*data/leaderboards/\w+\.csv)\)$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_) -> str:
    """Puts the tables of a board under the link to it."""
    folder = pathlib.Path(config.docs_dir, page.file.src_uri).parent

    def with_tables(link: re.Match) -> str:
        with open(folder / link[1], encoding="utf-8", newline="") as file:
            return "\n\n".join([link[0], *tables(list(csv.DictReader(file)))])

    return _BOARD.sub(with_tables, markdown)


def tables(lines: list[Line]) -> list[str]:
    """The Markdown of a board: headings and tables."""
    parts = []
    for task, of_task in itertools.groupby(lines, lambda line: line["task"]):
        parts += _task(task, list(of_task))
    first_task = [line for line in lines if line["task"] == lines[0]["task"]]
    return [*parts, "### Size and speed", _table(COST_COLUMNS, first_task)]


def _task(task: str, lines: list[Line]) -> list[str]:
    constant = f"The best constant prediction has a logloss of {lines[0]['constant_logloss']}."
    ranks = [f"### {task}, test split", _table(RANK_COLUMNS, lines)]
    return [*ranks, f"### {task}, further metrics", constant, _table(FURTHER_COLUMNS, lines)]


def _table(columns: Mapping[str, Callable[[Line], str]], lines: list[Line]) -> str:
    header = [name.format(**lines[0]) for name in columns]
    marks = ["---" if name == "model" else "---:" for name in header]
    body = [[cell(line) for cell in columns.values()] for line in lines]
    body = [[cell.replace(" ", NO_BREAK) for cell in cells] for cells in body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, marks, *body))


def _number(name: str, form: str = "") -> Callable[[Line], str]:
    """A cell with the number as the board has it, or in another form."""

    def cell(line: Line) -> str:
        text = line[name]
        return format(float(text), form) if form and text else text

    return cell


def _interval(name: str, form: str) -> Callable[[Line], str]:
    def cell(line: Line) -> str:
        low, high = line[f"{name}_low"], line[f"{name}_high"]
        return f"{float(low):{form}} to {float(high):{form}}" if low else ""

    return cell


def _p_value(line: Line) -> str:
    text = line["p_value"]
    if text == "" or text.startswith("<"):
        return text
    return "< 0.001" if float(text) < 0.001 else f"{float(text):.2g}"


def _told_apart(line: Line) -> str:
    if line["rank"] == "1":
        return "first"
    return {"True": "yes", "False": "no"}.get(line["told_apart_from_first"], "n/a")


_NAME_COLUMNS = {"": _number("rank"), "model": _number("row")}
RANK_COLUMNS = {
    **_NAME_COLUMNS,
    "AUC": _number("auc_mean", ".4f"),
    "95 % interval": _interval("auc", ".4f"),
    "minus the first": _number("to_first", "+.4f"),
    "95 % interval of it": _interval("to_first", "+.4f"),
    "told apart from the first": _told_apart,
    "minus {baseline}": _number("difference", "+.4f"),
    "95 % interval of that": _interval("difference", "+.4f"),
    "p": _p_value,
    "seeds": _number("seeds"),
}
FURTHER_COLUMNS = {
    **_NAME_COLUMNS,
    "logloss": _number("logloss", ".5f"),
    "calibration": _number("calibration", ".3f"),
}
COST_COLUMNS = {
    "model": _number("row"),
    "parameters outside of embeddings": _number("parameters_other", ",.0f"),
    "of {baseline}'s": _number("of_baselines", ".2f"),
    "embeddings": _number("parameters_embedding", ",.0f"),
    "rows/s of training": _number("rows_per_second", ",.0f"),
    "wall time (s)": _number("wall_seconds", ",.0f"),
    "processor time (s)": _number("processor_seconds", ",.0f"),
    "call of 1 row (ms)": _number("call_1_ms", ".2f"),
    "call of 4,096 rows (ms)": _number("call_4096_ms", ".2f"),
}
