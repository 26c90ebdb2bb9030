"""The worked example: it runs from raw files to scores, and the site shows it."""

import json
import pathlib
import re

import pytest

from docs.hooks import notebooks as pages
from tests import notebooks

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "notebooks" / "kuairand.ipynb"


@pytest.mark.slow
def test_it_runs_from_raw_files_to_scores(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("KUAIRAND_DIR", raising=False)
    page = pages.markdown(notebooks.run(NOTEBOOK))
    auc = re.search(r"AUC of clicks on the new rows: ([\d.]+)", page)
    assert float(auc[1]) > 0.7


def test_the_page_shows_every_cell_and_links_to_what_exists():
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    page = pages.markdown(notebook)
    assert "/tmp" not in page
    for link in re.findall(r"\]\(([^)#]+)", page):
        assert (ROOT / "docs" / link).exists(), link
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert "".join(cell["source"]) in page
