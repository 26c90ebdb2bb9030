"""Makes a prepared dataset of logs in CSV, JSON lines or Parquet files, from a declaration.

  python -m data_prep.own_log --declaration=examples/census_income.yaml \\
      --raw_dir=FOLDER_OF_THE_FILES --out_dir=data/census_income

The declaration (YAML or JSON, described in docs/own_data.md) names the input columns, the label
columns and the split. Files are read twice, chunk by chunk: once to check every row, count ids and
fit scalings on the training rows, once to encode and write.
"""

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from data_prep.simulation.folder import read_simulation
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from dcrnn_tf.system.whole_file import whole_file

if TYPE_CHECKING:  # as all that takes long to import
    from data_prep.own_log.declaration import Declaration
    from data_prep.own_log.extending import ExtendedDataset
    from dcrnn_tf.dataset.schema import Schema


@dataclasses.dataclass(frozen=True)
class Settings:
    """The own log, its declaration, and how it is prepared."""

    declaration: str = required("YAML or JSON file that says what the files hold.")
    out_dir: str | None = setting(
        None, "Folder of the prepared dataset; must not exist. A --dry_run needs none."
    )
    raw_dir: str = setting(
        ".", "Folder that the declaration's file names are relative to.", former="data_dir"
    )
    seed: int = setting(0, "Seed of the split and the shuffle.", lower=0, upper=2**32 - 1)
    min_count: int | None = setting(
        None,
        "Least number of training rows with an id that gets an embedding row; that of each "
        "field's declaration by default.",
        lower=1,
    )
    validation_fraction: float | None = setting(
        None,
        "Share of the training rows for validation; that of the declaration by default.",
        lower=0.0,
        upper=0.9,
    )
    extends: str | None = setting(
        None,
        "Prepared dataset that this one extends: its ids keep their rows, new ones come behind "
        "them, and scalings, bins and classes stay. See docs/next_day.md.",
    )
    forget_after: int | None = setting(
        None,
        "Number of datasets, each extending the one before it, without a training row of an id, "
        "after which a new id may take its row; by default no id is forgotten.",
        lower=1,
    )
    max_bad_rows: int = setting(
        0, "Largest number of bad rows that are left out and counted.", lower=0
    )

    dry_run: int | None = setting(
        None,
        "Number of rows of each file to try the declaration on: nothing is written, and what "
        "becomes of the first rows is shown.",
        lower=1,
    )
    summary: str | None = setting(None, "JSON file to write the summary to.")

    def check(self) -> None:
        """Checks that the dataset and the summary can be written.

        Raises:
          UsageError: No folder is given for the dataset, or that of the summary is missing.
        """
        if self.dry_run is None:
            self.folder()
        if self.forget_after is not None and self.extends is None:
            raise command_line.UsageError("--forget_after belongs to --extends=FOLDER")
        if self.summary is not None and not pathlib.Path(self.summary).absolute().parent.is_dir():
            raise command_line.UsageError(f"--summary={self.summary}: its folder does not exist")

    def folder(self) -> str:
        """Returns the folder of the dataset.

        Raises:
          UsageError: None is given.
        """
        if self.out_dir is None:
            raise command_line.UsageError("--out_dir must be given (--help lists the flags)")
        return self.out_dir

    def tell(self, schema: "Schema") -> None:
        """States what was prepared, on the screen and in the file of the summary."""
        from data_prep.own_log.statistics import summary, summary_content

        print(summary(schema))
        print(f"Written to {self.out_dir}.")
        if self.summary is not None:
            with whole_file(pathlib.Path(self.summary)) as file:
                json.dump(summary_content(schema), file, indent=2, ensure_ascii=False)

    def declared(self) -> "Declaration":
        """The declaration, with what the flags change of it."""
        from data_prep.own_log import declaration

        declared = declaration.load_declaration(self.declaration)
        if self.min_count is not None:
            declared = declaration.with_min_count(declared, self.min_count)
        if self.validation_fraction is not None:
            declared = declaration.with_validation_fraction(declared, self.validation_fraction)
        return declared

    def extended(self, declaration: "Declaration") -> "ExtendedDataset | None":
        """The dataset that this one extends, if it extends one."""
        from data_prep.own_log.extending import ExtendedDataset

        if self.extends is None:
            return None
        return ExtendedDataset.load(self.extends, declaration, self.forget_after)


def main(settings: Settings) -> None:
    """Runs the program."""
    from data_prep.own_log.preparation import prepare
    from data_prep.own_log.proposal.dry_run import dry_run

    settings.check()
    declaration = settings.declared()
    extended = settings.extended(declaration)
    log = (settings.seed, settings.max_bad_rows)
    if settings.dry_run is not None:
        print(dry_run(declaration, settings.raw_dir, settings.dry_run, *log))
        return
    schema = prepare(
        declaration,
        settings.raw_dir,
        settings.folder(),
        *log,
        read_simulation(pathlib.Path(settings.raw_dir)),
        extended,
    )
    settings.tell(schema)


if __name__ == "__main__":
    command_line.run(main, Settings)
