"""What a user chooses of the preparation of the WeChat Big Data Challenge."""

import dataclasses

from data_prep.wechat.fields import BEHAVIOURS, PAPER_TASKS
from dcrnn_tf.system.settings import setting

_DAYS = "days, such as 13,14"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to keep."""

    tasks: tuple[str, ...] = setting(
        PAPER_TASKS,
        f"Behaviours that become tasks, in the dataset's order, of {', '.join(BEHAVIOURS)}.",
    )
    test_days: tuple[int, ...] = setting(
        (), "Days of the test split; the last one by default.", noun=_DAYS
    )
    validation_days: tuple[int, ...] = setting(
        (),
        "Days of the validation split; by default it is a random share of the training rows.",
        noun=_DAYS,
    )
    validation_fraction: float = setting(
        0.05, "Share of the training rows for validation.", lower=0.0, upper=0.9
    )
    min_count: int = setting(
        10, "Least number of occurrences of an id that gets an embedding row.", lower=1
    )
    max_values: int = setting(
        50, "Longest list; longer ones are cut to their first values.", lower=1, upper=65535
    )
    rows: int | None = setting(
        None, "Number of rows drawn without replacement; all by default.", lower=1
    )
    max_bad_rows: int = setting(
        0, "Largest number of bad rows of each file that are left out and counted.", lower=0
    )
    seed: int = setting(0, "Seed of sampling, validation and shuffling.", lower=0, upper=2**32 - 1)
