"""What a user chooses of a simulated Criteo."""

import dataclasses

from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is simulated."""

    rows: int = setting(200_000, "Number of rows of train.txt.", lower=1)
    click_rate: float = setting(0.25, "Share of clicks.", lower=0.001, upper=0.999)
    signal: float = setting(1.5, "Standard deviation of the planted logit.", above=0, upper=10)
    seed: int = setting(0, "Seed of the simulator's random numbers.", lower=0)
