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
from collections.abc import Sequence

from absl import flags, logging

from data_prep.ali_ccp.chunks import Settings
from data_prep.ali_ccp.fields import FIELDS, RawField
from data_prep.ali_ccp.preparation import prepare, summary
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of the preparation."""
    flags.DEFINE_string("raw_dir", None, "Folder of the four raw files.", required=True)
    flags.DEFINE_string("out_dir", None, "Folder to make; must not exist.", required=True)
    flags.DEFINE_list("fields", [f.source for f in FIELDS], "Fields to keep, by raw name.")
    flags.DEFINE_integer(
        "max_values", 50, "Longer lists are cut to their first so many values.", 1, 65535
    )
    flags.DEFINE_integer("min_count", 10, "An id needs at least so many occurrences.", 1)
    flags.DEFINE_bool(
        "keep_feature_value",
        False,
        "Keep the feature values of multi-valued fields as pooling weights; those of "
        "single-valued fields are always dropped.",
    )
    flags.DEFINE_bool(
        "keep_conversions_without_click",
        False,
        "Keep rows that have a conversion and no click, faults of the log.",
    )
    flags.DEFINE_float(
        "validation_fraction", 0.05, "Share of the training rows for validation.", 0.0, 0.9
    )
    flags.DEFINE_integer(
        "rows", None, "Rows drawn without replacement from each split; all by default.", 1
    )
    flags.DEFINE_integer("max_bad_lines", 0, "So many faulty lines are left out, no more.", 0)
    flags.DEFINE_integer("seed", 0, "Of sampling, validation and shuffling.", 0, 2**32 - 1)


def _chosen_fields(sources: Sequence[str]) -> tuple[RawField, ...]:
    unknown = sorted(set(sources) - {field.source for field in FIELDS})
    if unknown or not sources:
        raise DatasetError(
            f"--fields names {', '.join(unknown) or 'nothing'}; "
            f"the fields are {', '.join(field.source for field in FIELDS)}"
        )
    return tuple(field for field in FIELDS if field.source in sources)


def settings_of_flags() -> Settings:
    """What the flags say."""
    names = [field.name for field in dataclasses.fields(Settings) if field.name != "fields"]
    given = {name: FLAGS[name].value for name in names}
    return Settings(_chosen_fields(FLAGS.fields), **given)


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    print(summary(prepare(FLAGS.raw_dir, FLAGS.out_dir, settings_of_flags())))


if __name__ == "__main__":
    define_flags()
    command_line.run(main)
