"""The settings of a simulated log whose world drifts from day to day."""

import dataclasses

from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """How large the log is, and how fast its world drifts."""

    days: int = setting(14, "Number of days.", lower=2, upper=365)
    rows_per_day: int = setting(5000, "Number of exposures of a day.", lower=10)
    users: int = setting(500, "Number of users.", lower=1)
    items: int = setting(300, "Number of items that are on offer on a day.", lower=1)
    drift: float = setting(
        0.2,
        "Share of its tastes' variance that a user's and an item's vector renews each day: 0 is a "
        "world that stays, 1 one that is drawn anew every day.",
        lower=0,
        upper=1,
    )
    churn: float = setting(
        0.03, "Share of the items that are replaced by new ones each day.", lower=0, upper=1
    )
    seed: int = setting(0, "Seed of everything random.", lower=0)
