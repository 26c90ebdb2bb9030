"""Runs a notebook's cells in this process, as Jupyter does, without Jupyter."""

import ast
import contextlib
import io
import json
import pathlib


def run(path: pathlib.Path) -> dict:
    """Runs the cells one after the other; returns the notebook with their outputs."""
    notebook = json.loads(path.read_text("utf-8"))
    names: dict = {"__name__": "__main__"}
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        count += 1
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        printed, value = io.StringIO(), None
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, f"cell {count}", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), f"cell {count}", "eval"), names)
        cell["execution_count"] = count
        cell["outputs"] = []
        if text := printed.getvalue():
            lines = text.splitlines(keepends=True)
            cell["outputs"].append({"name": "stdout", "output_type": "stream", "text": lines})
        if value is not None:
            cell["outputs"].append(
                {
                    "data": {"text/plain": str(value).splitlines(keepends=True)},
                    "execution_count": count,
                    "metadata": {},
                    "output_type": "execute_result",
                }
            )
    return notebook
