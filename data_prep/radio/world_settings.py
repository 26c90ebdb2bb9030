"""What a user chooses of a simulated log of album recommendation."""

import dataclasses

from dcrnn_tf.system.settings import required, setting

ROWS_PER_FILE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is simulated."""

    rows: int = setting(200_000, "Number of exposures of the log.", lower=1)
    users: int = setting(
        4_000, "Number of users that may occur in the log, with ids from 0.", lower=1
    )
    albums: int = setting(400, "Number of albums, with ids from 0.", lower=2)
    click_rate: float = setting(
        0.11, "Number of clicks per exposure under the logging policy.", lower=0.001, upper=0.999
    )
    play_rate: float = setting(
        0.5,
        "Number of valid plays per click; with --nochained per exposure.",
        lower=0.001,
        upper=0.999,
    )
    task_correlation: float = setting(
        0.5,
        "Correlation, across exposures, of the planted utilities of a click and of a valid play.",
        lower=-1,
        upper=1,
    )
    feature_noise: float = setting(
        1.0,
        "Standard deviation of the error of a statistical feature, as a multiple of that of the "
        "quantity it estimates; drawn anew for every exposure.",
        lower=0,
        upper=100,
    )
    chained: bool = setting(
        True, "Whether a valid play needs a click; if not, both labels are drawn independently."
    )
    signal: float = setting(1.0, "Standard deviation of the planted logits.", above=0, upper=3)
    seed: int = setting(0, "Seed of the simulator's random numbers.", lower=0)


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the simulated files are written."""

    out_dir: str = required("Folder to write; must not exist.")
    rows_per_file: int = setting(
        ROWS_PER_FILE, "Number of rows of a file; it changes no row.", lower=1
    )
