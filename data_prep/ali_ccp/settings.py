"""What a user chooses of the preparation of Ali-CCP."""

import dataclasses

from data_prep.ali_ccp.fields import FIELDS, RawField
from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to keep of the raw files."""

    fields: tuple[RawField, ...] = FIELDS
    max_values: int = setting(
        50, "Longest list; longer ones are cut to their first values.", lower=1, upper=65535
    )
    min_count: int = setting(
        10, "Least number of occurrences of an id that gets an embedding row.", lower=1
    )
    keep_feature_value: bool = setting(
        False,
        "Whether the feature values of multi-valued fields are kept as pooling weights; those of "
        "single-valued fields are always dropped.",
    )
    keep_conversions_without_click: bool = setting(
        False, "Whether rows with a conversion and no click, faults of the log, are kept."
    )
    validation_fraction: float = setting(
        0.05, "Share of the training rows for validation.", lower=0.0, upper=0.9
    )
    rows: int | None = setting(
        None, "Number of rows drawn without replacement from each split; all by default.", lower=1
    )
    max_bad_lines: int = setting(
        0, "Largest number of faulty lines that are left out and counted.", lower=0
    )
    seed: int = setting(0, "Seed of sampling, validation and shuffling.", lower=0, upper=2**32 - 1)
