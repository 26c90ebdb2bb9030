"""What a user chooses of a simulated WeChat Big Data Challenge."""

import dataclasses

from dcrnn_tf.system.settings import setting

DAYS = 14
TOPICS = 4
CIRCLES = 4


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is simulated."""

    rows: int = setting(200_000, "Number of exposures, in equal parts on 14 days.", lower=DAYS)
    users: int = setting(2_000, "Number of users; few of them have most exposures.", lower=CIRCLES)
    feeds: int = setting(3_000, "Number of feeds; few of them have most exposures.", lower=TOPICS)
    seed: int = setting(0, "Seed of the simulator's random numbers.", lower=0)
