r"""Prepares Criteo's Kaggle display advertising data: `train.txt` in, a prepared dataset out.

  python -m data_prep.criteo --raw_dir=RAW --out_dir=data/criteo

A line is a click (1 or 0), the counts I1 to I13 and the ids C1 to C26, separated by tabs, empty
where missing; the file may be plain or `.gz`. The fields are named i1 to i13 and c1 to c26, the
task is click. Rows are drawn at random for test and validation. All of it is a declaration of
`data_prep.own_log`, stored in the dataset's schema: written to a file, it does the same there.
"""

import dataclasses

from data_prep.criteo.fields import NUMERIC_CHOICES
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """Criteo's file, and how it is prepared."""

    raw_dir: str = required(
        "Folder of Criteo's train.txt, plain or .gz, or that file.", former="data_file"
    )
    out_dir: str = required("Folder of the prepared dataset; must not exist.")
    numeric: str = setting(
        "log",
        "Encoding of I1 to I13. log: bins floor(ln(x)^2) above 2, whole numbers below. "
        "quantile: bins of about equal shares of the training rows. standard: numbers, "
        "sign(x) ln(1 + |x|).",
        choices=NUMERIC_CHOICES,
    )
    min_count: int = setting(
        10,
        "Least number of training rows with an id, or a bin, that gets an embedding row.",
        lower=1,
    )
    test_fraction: float = setting(0.1, "Share of the rows for testing.", lower=0.0, upper=0.9)
    validation_fraction: float = setting(
        0.1, "Share of the remaining rows for validation.", lower=0.0, upper=0.9
    )
    seed: int = setting(0, "Seed of the split and the shuffle.", lower=0, upper=2**32 - 1)
    max_bad_rows: int = setting(
        0, "Largest number of bad rows that are left out and counted.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    from data_prep.criteo.preparation import prepare_criteo  # late: these take long to import
    from data_prep.own_log.statistics import summary

    print(summary(prepare_criteo(**dataclasses.asdict(settings))))
    print(f"Written to {settings.out_dir}.")


if __name__ == "__main__":
    command_line.run(main, Settings)
