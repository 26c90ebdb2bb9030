"""The arrangement of the code: what imports what, and how much a folder holds."""

import ast
import graphlib
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FLOORS = ("dcrnn_tf", "data_prep", "experiments", "benchmarks")  # from the lowest on
MODULES_OF_A_FOLDER = 17


def modules() -> dict[str, ast.Module]:
    """Returns the syntax trees of all modules by their dotted names; a package has its own."""
    trees = {}
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            trees[name.removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return trees


MODULES = modules()


def imports(name: str) -> Iterator[str]:
    """Yields the names of the project's modules that a module imports, wherever it does so."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def siblings(one: str, other: str) -> tuple[str, str] | None:
    """Returns the two folders or modules, side by side, through which two modules differ."""
    pair = one.split("."), other.split(".")
    for depth, (a, b) in enumerate(zip(*pair, strict=False), start=1):
        if a != b:
            return ".".join(pair[0][:depth]), ".".join(pair[1][:depth])
    return None  # one of them is a package that holds the other


def test_no_import_leads_upwards():
    found = {
        (name, imported)
        for name in MODULES
        for imported in imports(name)
        if FLOORS.index(imported.split(".")[0]) > FLOORS.index(name.split(".")[0])
    }
    assert found == set()


def test_folders_and_modules_side_by_side_import_each_other_in_no_circle():
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        for imported in imports(name):
            if pair := siblings(name, imported):
                graph.setdefault(pair[0], set()).add(pair[1])
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_folder_holds_many_modules():
    folders: dict[pathlib.Path, int] = {}
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            folders[path.parent] = folders.get(path.parent, 0) + (path.name != "__init__.py")
    assert {f: n for f, n in folders.items() if n > MODULES_OF_A_FOLDER} == {}


def test_no_module_uses_a_private_name_of_another():
    found = [
        (name, alias.name)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in MODULES
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert found == []


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Yields the module's name, the call, and the last name of what is called."""
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                yield name, node, getattr(node.func, "id", None) or node.func.attr


def test_text_is_read_and_written_in_an_encoding_that_is_named():
    """Not in that of the user's locale, which is another on another machine."""
    found = []
    for name, call, called in calls():
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        modes = [c.value for c in (*call.args[1:2], keywords.get("mode")) if hasattr(c, "value")]
        text = {
            "read_text": not call.args,
            "write_text": len(call.args) < 2,
            "open": isinstance(call.func, ast.Name) and "b" not in "".join(map(str, modes)),
            "fdopen": "b" not in "".join(map(str, modes)),
        }.get(called, {"text", "universal_newlines"} & set(keywords))
        if text and not {"encoding", None} & set(keywords):  # None stands for **keywords
            found.append((name, call.lineno, called))
    assert found == []


def test_no_check_is_an_assertion():
    """They are left out where Python is told to optimize (`python -O`)."""
    found = [
        (name, node.lineno)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert found == []
