"""Makes the pages of the API reference: one for each package, from its docstrings."""

import pathlib
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = ("dcrnn_tf", "data_prep")
_PROGRAM = '\nif __name__ == "__main__":\n'
_PUBLIC = re.compile(r"^(?:class|def) [A-Za-z]", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the pages to the navigation."""
    config.nav.append(
        {
            "API": [
                {package: [{name: _uri(name)} for name in modules_by_package(package)]}
                for package in PACKAGES
            ]
        }
    )
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to the site."""
    for package in PACKAGES:
        for name, modules in modules_by_package(package).items():
            content = "\n\n".join([f"# {name}", *(f"::: {module}" for module in modules)])
            files.append(File.generated(config, _uri(name), content=content))
    return files


def modules_by_package(package: str) -> dict[str, list[str]]:
    """The modules with public classes or functions of a package and of those inside it."""
    modules: dict[str, list[str]] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        text = path.read_text("utf-8")
        if path.name == "__main__.py" or not _PUBLIC.search(text) or _PROGRAM in text:
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        folder = ".".join(path.relative_to(ROOT).parent.parts)
        modules.setdefault(folder, []).append(name.removesuffix(".__init__"))
    return modules


def _uri(package: str) -> str:
    return f"api/{package}.md"
