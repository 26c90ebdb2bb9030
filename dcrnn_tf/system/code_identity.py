"""Identifies the code that runs by its content, wherever it is installed."""

import functools
import hashlib
import pathlib
import subprocess

import dcrnn_tf

_ROOT = pathlib.Path(__file__).parents[2]
_PACKAGES = ("dcrnn_tf", "data_prep", "experiments")
_COMPILED = (".pyc", ".so", ".partial")  # made from the other files


@functools.cache
def identity() -> dict[str, str | None]:
    """Returns the code's `version`, the `digest` of its files, and its `git_revision`.

    The digest is that of the files on disk at the first call. Runs of equal digests are runs of the
    same code.
    """
    return {
        "version": dcrnn_tf.__version__,
        "digest": digest(_ROOT),
        "git_revision": git_revision(_ROOT),
    }


def digest(root: pathlib.Path) -> str:
    """Returns a digest of all source files of the project's packages below a folder."""
    content = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix not in _COMPILED and path.is_file():
                file = path.read_bytes()
                content.update(f"{path.relative_to(root).as_posix()}\0{len(file)}\0".encode())
                content.update(file)
    return content.hexdigest()[:16]


def git_revision(root: pathlib.Path) -> str | None:
    """Returns the commit of a checkout, with the mark `-dirty` where files differ from it.

    Returns:
      The commit; None where the folder is not the root of a checkout that holds this code, such as
      an environment inside of another project's checkout.
    """
    if (top := _git(root, "rev-parse", "--show-toplevel")) is None:
        return None
    tracked = _git(root, "ls-files", "--error-unmatch", *_PACKAGES)
    if tracked is None or pathlib.Path(top).resolve() != root.resolve():
        return None
    revision = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", *_PACKAGES)
    return f"{revision}-dirty" if revision and changes else revision


def _git(folder: pathlib.Path, *arguments: str) -> str | None:
    """Returns what git prints; None where it fails or is not installed."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
