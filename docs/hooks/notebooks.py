"""Shows notebooks as pages: their text, their code, and what it has printed."""

import json
import pathlib

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).parents[2]
PAGES = {"examples/notebooks/kuairand.ipynb": "worked_example.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to the site."""
    for notebook, name in PAGES.items():
        content = markdown(json.loads((ROOT / notebook).read_text("utf-8")))
        link = f"[The notebook itself](../{notebook}), for Jupyter."
        files.append(File.generated(config, name, content=f"{content}\n\n{link}\n"))
    return files


def markdown(notebook: dict) -> str:
    """Returns a notebook in `examples/notebooks/` as Markdown of a page in `docs/`."""
    return "\n\n".join(part for cell in notebook["cells"] for part in _parts(cell))


def _parts(cell: dict) -> list[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        moved = source.replace("](../../docs/", "](").replace("](../", "](../examples/")
        return [moved]
    texts = ["".join(_text(output)) for output in cell["outputs"]]
    printed = [f"```text\n{text.rstrip()}\n```" for text in texts if text.strip()]
    return [f"```python\n{source}\n```", *printed]


def _text(output: dict) -> list[str]:
    """What a cell printed, or the value that it ends with."""
    if output["output_type"] == "stream":
        return output["text"]
    return output["data"]["text/plain"]
