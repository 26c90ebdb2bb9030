"""Proposes a declaration of an own log from its files, as YAML with comments to edit.

  python -m data_prep.declare --raw_dir=logs --files='exposures_*.csv.gz' --out=shop.yaml

It names kinds of columns, the number of their values, and which may be labels. What it cannot know
is whether a column is known before the label is: inputs that state it are for the user to remove.
"""

import dataclasses
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from dcrnn_tf.system.whole_file import whole_file


@dataclasses.dataclass(frozen=True)
class Settings:
    """The files of an own log, and where their declaration goes."""

    files: tuple[str, ...] = required("File names or patterns.")
    raw_dir: str = setting(".", "Folder that the file names are relative to.")
    out: str | None = setting(None, "File to write the declaration to; it is printed by default.")
    rows: int = setting(100_000, "Number of rows to look at.", lower=1)
    encoding: str = setting("UTF-8", "Encoding of text files, such as latin-1.")


def main(settings: Settings) -> None:
    """Runs the program."""
    from data_prep.own_log.parsing.remote import raw_folder
    from data_prep.own_log.proposal.propose import propose

    out = None if settings.out is None else pathlib.Path(settings.out)
    if out is not None and out.exists():
        raise command_line.UsageError(f"--out={out} exists already; remove it or name another file")
    folder = raw_folder(settings.raw_dir)
    text = propose(folder, settings.files, settings.rows, settings.encoding)
    if out is None:
        print(text, end="")
        return
    with whole_file(out) as file:
        file.write(text)
    print(f"Written to {out}.")


if __name__ == "__main__":
    command_line.run(main, Settings)
