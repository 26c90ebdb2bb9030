r"""Prepares Ali-CCP: the four raw files in, a prepared dataset out.

  python -m data_prep.ali_ccp --raw_dir=RAW --out_dir=PREPARED

RAW holds sample_skeleton_train.csv, sample_skeleton_test.csv, common_features_train.csv and
common_features_test.csv, each plain or as .csv.gz. What the common files say of a user is stored
once, in the entity table `user`: one row for each of their lines, the training file's first. The
official test split stays the test split; validation is a fraction of the training rows, whole
users. Ids are counted on the training rows that remain (sampled, without validation), a user's
ids once for each row of that user, lists as cut to --max_values: what one would count in the
joined table.
"""

import dataclasses

from data_prep.ali_ccp.fields import FIELDS
from data_prep.ali_ccp.settings import Settings
from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Files:
    """The raw files, the prepared dataset, and the fields that it gets."""

    raw_dir: str = required("Folder of the four raw files.")
    out_dir: str = required("Folder of the prepared dataset; must not exist.")
    fields: tuple[str, ...] = setting(
        tuple(field.raw_name for field in FIELDS), "Raw names of the fields to keep."
    )


def with_fields(settings: Settings, names: tuple[str, ...]) -> Settings:
    """The settings, for the fields of these raw names alone.

    Raises:
      DatasetError: a name is unknown, or there is none.
    """
    unknown = sorted(set(names) - {field.raw_name for field in FIELDS})
    if unknown or not names:
        raise DatasetError(
            f"--fields names {', '.join(unknown) or 'nothing'}; "
            f"the fields are {', '.join(field.raw_name for field in FIELDS)}"
        )
    kept = tuple(field for field in FIELDS if field.raw_name in names)
    return dataclasses.replace(settings, fields=kept)


def main(files: Files, settings: Settings) -> None:
    """Runs the program."""
    from data_prep.ali_ccp.preparation import prepare, summary  # late: they take long to import

    settings = with_fields(settings, files.fields)
    print(summary(prepare(files.raw_dir, files.out_dir, settings)))


if __name__ == "__main__":
    command_line.run(main, Files, Settings)
