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

from data_prep.wechat.settings import Settings
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required


@dataclasses.dataclass(frozen=True)
class Files:
    """The raw files and the prepared dataset."""

    raw_dir: str = required("Folder of the two raw files.")
    out_dir: str = required("Folder of the prepared dataset; must not exist.")


def main(files: Files, settings: Settings) -> None:
    """Runs the program."""
    from data_prep.wechat.preparation import prepare, summary  # late: they take long to import

    if settings.validation_days and settings.validation_fraction != Settings.validation_fraction:
        raise command_line.UsageError(
            "--validation_days and --validation_fraction contradict each other; give one of them"
        )
    print(summary(prepare(files.raw_dir, files.out_dir, settings)))
    print(f"Written to {files.out_dir}.")


if __name__ == "__main__":
    command_line.run(main, Files, Settings)
