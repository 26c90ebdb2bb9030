"""Damaged declarations: one that can be used, or a sentence; never another exception."""

import json
import pathlib
import tempfile

import pytest
import yaml
from hypothesis import strategies as st

from data_prep.own_log.declaration import load_declaration, parse_declaration, with_min_count
from data_prep.own_log.parsing.files import open_file
from data_prep.storage.bad_rows import BadRows
from tests import hard_names
from tests.data_prep.own_log.test_files_fuzz import declared
from tests.dcrnn_tf.dataset.test_schema_fuzz import changed
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate, result

CONTENT = dict(declared(",", True, True, True).content)
ODD = st.one_of(
    st.sampled_from([None, True, -1, 0, 1.5, 10**30, float("nan"), "", "x", "../x", "a\0", "test"]),
    st.sampled_from([[], {}, [[]], "\ud800", "\n", '"', "\t", "é", ["1", "1"], "item", "numeric"]),
    st.sampled_from([*hard_names.NAMES, "\u3000", "a\nb", "..", "__", "_1", "click_per_exposure"]),
    st.sampled_from(["log", "group", "fraction", "file", "click", "1", 1, 65536, "🙂", " "]),
)


def parsed(read):
    """The declaration, or None for one that is refused in one line that names the file."""
    declaration, message = result(read)
    assert message is None or ("declaration." in message and "\n" not in message)
    return declaration


def used(declaration):
    """Reads a small file with it, which must give rows or a sentence."""
    if declaration is None:
        return "refused"
    with_min_count(declaration, 3)
    names = list(declaration.column_names or declaration.columns)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "log.csv")
        rows = [declaration.separator.join(cells) for cells in (names, ["1"] * len(names))]
        path.write_bytes("\n".join(rows).encode(errors="replace"))
        chunks, message = result(
            lambda: list(open_file(path, declaration).chunks(BadRows(0), lambda count: None))
        )
    if message is not None:
        return "taken"
    assert sum(chunk.frame.height for chunk in chunks) == (2 if declaration.column_names else 1)
    return "taken"


def check_text(mutations, suffix):
    text = yaml.safe_dump(CONTENT) if suffix == "yaml" else json.dumps(CONTENT)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"declaration.{suffix}")
        path.write_bytes(mutate(text.encode(), mutations, b":,{}[]'\""))
        return used(parsed(lambda: load_declaration(path)))


def check_content(changes):
    content = CONTENT
    for change in changes:
        content = changed(content, *change)
    return used(parsed(lambda: parse_declaration(content, pathlib.Path("declaration.yaml"))))


@cases(quick=10, slow=700)
def test_damaged_text(examples):
    outcomes = {"taken", "refused"}
    fuzz(
        check_text,
        examples,
        outcomes,
        mutations=MUTATIONS,
        suffix=st.sampled_from(["yaml", "json"]),
    )


@cases(quick=10, slow=800)
def test_changed_content(examples):
    change = st.tuples(SEEDS, ODD, st.sampled_from(["replace", "replace", "remove", "add"]))
    changes = st.lists(change, max_size=3)
    fuzz(check_content, examples, {"taken", "refused"}, changes=changes)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3_000,
        "- " * 2_000 + "1",
        "a: &a [*a]",
        # Nine times nine lists of nine lists: a page of text, a gigabyte once it is written out.
        "a0: &a0 [x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
        "name: *a",
        "!!python/object/apply:os.system [id]",
        "? [a]\n: 1",
        "!!map x",
        "!!bool x",
        "!!timestamp x",
        "name: 2020-13-45",
        "name: 0x",
        "name: 1:60:99:",
    ],
)
def test_hostile_yaml_is_refused(text, tmp_path):
    path = tmp_path / "declaration.yaml"
    path.write_text(text)
    assert parsed(lambda: load_declaration(path)) is None
    path.write_text("name: d\nfields:\n  x:\n    kind: " + text.replace("\n", "\n      "))
    assert parsed(lambda: load_declaration(path)) is None
