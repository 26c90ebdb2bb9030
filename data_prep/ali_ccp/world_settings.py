"""What a user chooses of a simulated Ali-CCP."""

import dataclasses

from data_prep.ali_ccp.fields import PUBLISHED_COUNTS
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is simulated."""

    train_rows: int = required(
        "Number of exposures of the training split.", lower=1, upper=99_999_999
    )
    test_rows: int = required("Number of exposures of the test split.", lower=1, upper=99_999_999)
    click_rate: float = setting(1 / 24, "Number of clicks per exposure, 1/24 by default.", above=0)
    conversion_rate: float = setting(
        1 / 300,
        "Number of conversions per exposure, 1/300 by default, 1/4584 in the preset full.",
        above=0,
    )
    task_correlation: float = setting(
        0.3,
        "Correlation, across exposures, of the logit of a click with that of a conversion after a "
        "click, before --noise, which changes it a little.",
        lower=-1,
        upper=1,
    )
    noise: float = setting(
        0.1,
        "Share of clicks and conversions that happen whatever the features say.",
        lower=0,
        upper=1,
    )
    list_scale: float = setting(
        1.0, "Length of the users' histories as a share of the real one.", above=0, upper=1
    )
    seed: int = setting(0, "Seed of the simulator's random numbers.", lower=0)

    def rows(self, split: str) -> int:
        """Exposures of a split."""
        return self.train_rows if split == "train" else self.test_rows


PRESETS = {
    "small": Settings(200_000, 100_000, list_scale=0.1),
    "full": Settings(
        PUBLISHED_COUNTS["train"].rows, PUBLISHED_COUNTS["test"].rows, conversion_rate=1 / 4584
    ),
}
