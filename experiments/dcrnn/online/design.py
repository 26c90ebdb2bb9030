"""The size of an online experiment, as a user chooses it."""

import dataclasses

from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class Design:
    """The size of an experiment."""

    users: int = setting(20_000, "Number of fresh users of the experiment.", lower=1)
    visits: int = setting(2, "Number of visits of each user.", lower=1)
    candidates: int = setting(30, "Number of albums to choose from in a visit.", lower=1)
    shown: int = setting(1, "Number of albums of these that are shown.", lower=1)
    seed: int = setting(0, "Seed of the experiment's random numbers.", lower=0)

    @property
    def exposures(self) -> int:
        """Albums that each policy shows."""
        return self.users * self.visits * self.shown
