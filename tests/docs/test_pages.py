"""What the pages say of the repository is so: its files, its programs, its size."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ROOMS = "dcrnn_tf|data_prep|experiments|benchmarks|examples|tests|docs"


def names(page, pattern):
    return sorted(set(re.findall(pattern, page.read_text("utf-8"))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    paths = names(page, rf"`((?:{ROOMS})/[\w./-]*)`")
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_and_modules_that_a_page_names_exist(page):
    modules = names(
        page, r"(?:python -m |`)((?:dcrnn_tf|data_prep|experiments|benchmarks)\.[\w.]+)"
    )
    assert [module for module in modules if not _exists(module.rstrip("."))] == []


def _exists(name):
    """Whether a dotted name is a module, or a name that its module defines."""
    path = ROOT.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    module, last = path.parent, path.name
    files = [module / "__init__.py", module.with_suffix(".py")]
    return any(
        file.exists() and re.search(rf"\b{last}\b", file.read_text("utf-8")) for file in files
    )


def test_the_map_names_every_folder_of_code():
    rooms = ("dcrnn_tf", "data_prep", "experiments")
    inits = [path for room in rooms for path in ROOT.glob(f"{room}/*/__init__.py")]
    folders = [f"{path.parent.relative_to(ROOT).as_posix()}/" for path in inits]
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert [folder for folder in folders if f"`{folder}`" not in text] == []


def test_the_readme_has_at_most_150_lines():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_every_page_of_the_documentation_is_reached_from_the_readme():
    linked = names(ROOT / "README.md", r"\]\(docs/([\w/]+\.md)\)")
    further = {
        path
        for page in ("leaderboards", "own_data")
        for path in names(ROOT / "docs" / f"{page}.md", rf"\]\(({page}/\w+\.md)")
    }
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")]
    assert sorted(pages) == sorted({*linked, *further})
