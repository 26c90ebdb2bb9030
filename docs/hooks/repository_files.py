"""Brings files of the repository into the site: the README as its home page, the examples.

A link is written as a Git host follows it, relative to the file that holds it; here it is turned
into the one that the site follows.
"""

import pathlib
import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)[^)\s#]+")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files outside of `docs/` that pages link to."""
    patterns = (*PAGES, "CITATION.cff", "examples/**/*")
    for path in (path for pattern in patterns for path in sorted(ROOT.glob(pattern))):
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        name = site_path(path.relative_to(ROOT).as_posix())
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_) -> str:
    """Turns the links of a page into those of the site."""
    return site_links(markdown, page.file.src_uri)


def site_links(markdown: str, src_uri: str) -> str:
    """The Markdown of the page `src_uri` of the site, with links as the site follows them."""
    here = next((name for name, uri in PAGES.items() if uri == src_uri), f"docs/{src_uri}")

    def moved(link: re.Match) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[0]))
        return posixpath.relpath(site_path(path), posixpath.dirname(src_uri) or ".")

    return _LINK.sub(moved, markdown)


def site_path(path: str) -> str:
    """Where the site has a file of the repository."""
    return PAGES.get(path) or path.removeprefix("docs/")
