"""Paths of remote files, such as `s3://bucket/logs`, with what preparations need of a path."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Collection, Iterator
from typing import BinaryIO

import fsspec

from dcrnn_tf.dataset.schema import DatasetError

_SCHEME = "://"


@dataclasses.dataclass(frozen=True)
class RemoteStatus:
    """Size of a remote file, and what changes when the file does."""

    st_size: int
    st_mtime_ns: str


@functools.total_ordering
class RemotePath:
    """A path of a file system that `fsspec` knows, used like one of `pathlib`.

    Args:
      url: The path with its scheme.

    Raises:
      DatasetError: Nothing here reads such paths.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        if "::" in url or not self._url.partition(_SCHEME)[2]:
            raise DatasetError(f"{url} is no path such as s3://bucket/logs")
        with _reaching(url):
            self._fs, self._path = fsspec.core.url_to_fs(self._url)

    def __reduce__(self) -> tuple:
        return RemotePath, (self._url,)

    def __str__(self) -> str:
        return self._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self._url == other._url

    def __lt__(self, other: "RemotePath") -> bool:
        return self._url < other._url

    def __truediv__(self, name: str) -> "RemotePath":
        if name.startswith("/"):
            raise ValueError(name)
        return RemotePath(f"{self._url}/{name}") if name.strip("./") else self

    @property
    def name(self) -> str:
        """The last part."""
        return self._url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """What the name ends with, from its last point on."""
        return pathlib.PurePosixPath(self.name).suffix

    def with_name(self, name: str) -> "RemotePath":
        """The path with another last part."""
        return RemotePath(f"{self._url.rpartition('/')[0]}/{name}")

    def absolute(self) -> "RemotePath":
        """The path itself, for no other leads to it."""
        return self

    def resolve(self) -> "RemotePath":
        """The path itself, for no other leads to it."""
        return self

    def relative_to(self, folder: "RemotePath") -> pathlib.PurePosixPath:
        """The part of the path that is below a folder."""
        if not self._url.startswith(f"{folder}/"):
            raise ValueError(f"{self} is not in {folder}")
        return pathlib.PurePosixPath(self._url[len(str(folder)) + 1 :])

    def is_file(self) -> bool:
        """Whether it is a file."""
        with _reaching(self._url):
            return self._fs.isfile(self._path)

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        with _reaching(self._url):
            return self._fs.isdir(self._path)

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """Yields the paths below that fit a pattern."""
        if ".." in pattern.split("/"):
            raise ValueError(pattern)
        with _reaching(self._url):
            found = self._fs.glob(f"{self._path}/{pattern}")
        for path in found:
            yield self._below(path)

    def rglob(self, pattern: str) -> Iterator["RemotePath"]:
        """Yields the paths in all folders below that fit a pattern."""
        return self.glob(f"**/{pattern}")

    def stat(self) -> RemoteStatus:
        """Returns its size, and what changes when the file does."""
        with _reaching(self._url):
            return RemoteStatus(self._fs.size(self._path), str(self._fs.ukey(self._path)))

    def open(self, mode: str = "rb") -> BinaryIO:
        """Opens it for reading."""
        with _reaching(self._url):
            return self._fs.open(self._path, mode)

    def _below(self, path: str) -> "RemotePath":
        return self / path.removeprefix(self._path).strip("/")


RawPath = pathlib.Path | RemotePath


def in_order(paths: Collection[RawPath]) -> list[RawPath]:
    """Returns paths in their order, those on this machine first."""
    local = sorted(path for path in paths if isinstance(path, pathlib.Path))
    return [*local, *sorted(path for path in paths if isinstance(path, RemotePath))]


def parts_below(path: RawPath, folder: RawPath) -> tuple[str, ...]:
    """Returns the parts of a path that is below a folder.

    Raises:
      ValueError: It is not.
    """
    if isinstance(path, RemotePath):
        if isinstance(folder, RemotePath):
            return path.relative_to(folder).parts
    elif not isinstance(folder, RemotePath):
        return path.relative_to(folder).parts
    raise ValueError(f"{path} is not in {folder}")


def raw_folder(text: str | RawPath) -> RawPath:
    """Returns the folder that a text names, on this machine or a remote one.

    Raises:
      DatasetError: Nothing here reads such paths.
    """
    if isinstance(text, str) and _SCHEME in text:
        return RemotePath(text)
    return pathlib.Path(text) if isinstance(text, str) else text


@contextlib.contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Turns what goes wrong on the way to a file into one sentence."""
    try:
        yield
    except Exception as error:  # each file system has exceptions of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"{url} cannot be reached ({reason}); check its name, the rights to it, and that the "
            "package for such paths is installed"
        ) from None
