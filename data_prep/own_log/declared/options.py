"""How the files of an own log are read, and which of their columns."""

import codecs
import dataclasses
from collections.abc import Collection, Mapping

from data_prep.own_log.declared.keys import Keys
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.nearest import did_you_mean


@dataclasses.dataclass(frozen=True)
class FileOptions:
    """How files are read: the keys of a declaration that `docs/own_data/files.md` describes."""

    separator: str = ","
    quoted: bool = True
    column_names: tuple[str, ...] | None = None
    missing_values: tuple[str, ...] = ("", "NaN", "nan")
    encoding: str = "UTF-8"


DEFAULT = FileOptions()
# With what some encodings take for more than these characters.
_ASCII = bytes(range(128)) + rb"\u0041\x41 +AGE- ~{ " + b"\x1b$B!!"
OPTION_KEYS = tuple(field.name for field in dataclasses.fields(FileOptions))


@dataclasses.dataclass(frozen=True)
class Selection:
    """The columns that are read of files.

    Attributes:
      columns: the columns, each with the part of the declaration that names it, for messages.
      lists: Columns whose cells may be lists; every other column has single values.
      numbers: Columns whose cells are read as numbers.
      options: how the files are read.
      elsewhere: Columns that a file may lack, since something else gives them.
    """

    columns: Mapping[str, str]
    lists: Collection[str] = ()
    numbers: Collection[str] = ()
    options: FileOptions = DEFAULT
    elsewhere: Collection[str] = ()

    def among(self, names: Collection[str]) -> list[str]:
        """The columns that are among the given names."""
        return [column for column in self.columns if column in names]

    def check(self, names: Collection[str], where: str) -> None:
        """Checks that the columns exist.

        Args:
          names: Names of the columns that there are.
          where: Name of the file that has them, for messages.

        Raises:
          DatasetError: One does not; the message names the nearest existing one.
        """
        for column, part in self.columns.items():
            if column not in names:
                raise DatasetError(
                    f"{where}: there is no column {column!r} ({part}){did_you_mean(column, names)}"
                )


def parse_options(keys: Keys, default: FileOptions = DEFAULT) -> FileOptions:
    """Reads the keys of `FileOptions`, which are `OPTION_KEYS`.

    Args:
      keys: Keys of the part of a declaration that names the files.
      default: Options of which absent keys are taken; by default those of a whole declaration.

    Raises:
      DatasetError: A value that cannot be.
    """
    names = keys.values("column_names")
    if names is not None and (twice := [name for name in names if names.count(name) > 1]):
        raise DatasetError(f"column_names holds {twice[0]!r} more than once")
    separator = keys.text("separator", default.separator, strip=False)
    if any(character in separator for character in '\r\n\0"\\'):
        keys.fail(
            "separator",
            "text that is no pattern, without line breaks, quotes and backslashes, such as "
            '",", "::" or, for a tab, "\\t" in double quotes',
        )
    missing = keys.cells("missing_values", may_be_empty=True)
    return FileOptions(
        separator=separator,
        quoted=keys.truth("quoted", default.quoted),
        column_names=names,
        missing_values=default.missing_values if missing is None else ("", *missing),
        encoding=_encoding(keys, default.encoding),
    )


def _encoding(keys: Keys, default: str) -> str:
    """Returns an encoding of text in which ASCII is ASCII, so that line ends can be found."""
    name = keys.text("encoding", default)
    try:
        is_ascii = _ASCII.decode(name) == _ASCII.decode("ascii")
        codecs.getincrementaldecoder(name)("surrogateescape").decode(_ASCII, True)
    except (LookupError, ValueError):
        is_ascii = False
    if not is_ascii:
        keys.fail("encoding", "one that holds ASCII, such as utf-8, latin-1, cp1252 or gb18030")
    return name
