r"""Prepares the WeChat Big Data Challenge 2021: the two raw files in, a prepared dataset out.

  python -m data_prep.wechat --raw_dir=RAW --out_dir=PREPARED

RAW holds user_action.csv and feed_info.csv, each plain or as .csv.gz. What feed_info.csv says of a
feed is stored once, in the entity table `feed`: one row for each of its lines, then one for each
feed that only user_action.csv knows. The last day is the test split, the days before are training,
of which a random share is validation. Ids are counted on the training rows, a feed's ids once for
each training row of the feed, lists as cut to --max_values: what one would count in the joined
table.
"""

import dataclasses

from absl import flags, logging

from data_prep.wechat.fields import BEHAVIOURS
from data_prep.wechat.preparation import Settings, prepare, summary
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS


def _define_flags() -> None:
    default = Settings()
    flags.DEFINE_string("raw_dir", None, "Folder of the two raw files.", required=True)
    flags.DEFINE_string("out_dir", None, "Folder to make; must not exist.", required=True)
    flags.DEFINE_list("tasks", list(default.tasks), f"Behaviours, of {', '.join(BEHAVIOURS)}.")
    flags.DEFINE_list("test_days", [], "Days of the test split; the last one by default.")
    flags.DEFINE_list(
        "validation_days",
        [],
        "Days of the validation split; by default it is a random share of the training rows.",
    )
    flags.DEFINE_float("validation_fraction", default.validation_fraction, "That share.", 0.0, 0.9)
    flags.DEFINE_integer("min_count", default.min_count, "An id needs so many occurrences.", 1)
    flags.DEFINE_integer(
        "max_values", default.max_values, "Longer lists are cut to so many values.", 1, 65535
    )
    flags.DEFINE_integer(
        "rows", None, "Rows drawn without replacement; all by default.", lower_bound=1
    )
    flags.DEFINE_integer(
        "max_bad_rows", 0, "Bad rows of each file left out and counted before that is an error.", 0
    )
    flags.DEFINE_integer("seed", 0, "Of sampling, validation and shuffling.", 0, 2**32 - 1)


def _days(flag: str) -> tuple[int, ...]:
    try:
        return tuple(int(day) for day in FLAGS[flag].value)
    except ValueError:
        given = ",".join(FLAGS[flag].value)
        raise command_line.UsageError(f"--{flag}={given} must be days, such as 13,14") from None


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    if FLAGS.validation_days and FLAGS["validation_fraction"].present:
        raise command_line.UsageError(
            "--validation_days and --validation_fraction contradict each other; give one of them"
        )
    given = {field.name: FLAGS[field.name].value for field in dataclasses.fields(Settings)}
    given["tasks"] = tuple(FLAGS.tasks)
    given |= {name: _days(name) for name in ("test_days", "validation_days")}
    print(summary(prepare(FLAGS.raw_dir, FLAGS.out_dir, Settings(**given))))
    print(f"Written to {FLAGS.out_dir}.")


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
