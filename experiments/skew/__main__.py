"""Compares logged requests of a served model with the rows that it was trained on.

  python -m experiments.skew --version_dir=models/dcrnn/2 --files='logged_*.parquet'

reads rows with the raw columns of the declaration, or with the names of the fields, and prints for
each field the shares of missing values and of unknown ids, in training and in requests, and how far
numbers have moved. The statistics of training lie in the version's `assets.extra`.
"""

import dataclasses
import glob
import json
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """The version, the requests, and what counts as a difference."""

    version_dir: str = required("Folder of an exported version, such as models/dcrnn/2.")
    files: str = required("Parquet files or JSON lines with the rows of requests.")
    largest_share: float = setting(
        0.05, "Largest difference of a share of missing values or unknown ids.", lower=0
    )
    largest_shift: float = setting(
        0.2, "Largest population stability index of numbers and of lengths of lists.", lower=0
    )
    json: str | None = setting(None, "JSON file to write the comparison to.")


def main(settings: Settings) -> None:
    """Runs the program."""
    from dcrnn_tf.dataset.schema import DatasetError, load_schema
    from dcrnn_tf.serving import field_statistics
    from dcrnn_tf.system.whole_file import whole_file
    from experiments.skew import requests

    paths = [pathlib.Path(path) for path in sorted(glob.glob(settings.files))]
    if not paths:
        raise DatasetError(f"--files={settings.files} fits no file")
    extra = pathlib.Path(settings.version_dir, "assets.extra")
    training = field_statistics.read(extra)
    features, missing, rows = requests.encoded(extra, paths)
    found = field_statistics.differences(load_schema(extra), training, features, missing)
    skewed = [
        one.field for one in found if one.is_skewed(settings.largest_share, settings.largest_shift)
    ]
    print(requests.grid(found, skewed).markdown())
    print(f"\n{rows:,} rows of requests; {len(skewed)} of {len(found)} fields differ from training")
    if settings.json is not None:
        content = {"rows": rows, "skewed": skewed, "fields": [dataclasses.asdict(f) for f in found]}
        with whole_file(pathlib.Path(settings.json)) as file:
            json.dump(content, file, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    command_line.run(main, Settings)
