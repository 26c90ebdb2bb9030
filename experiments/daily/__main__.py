"""Walks through a log day by day: evaluates a model on a day, then has it learn the day.

  python -m experiments.daily --declaration=data/drift/drift.yaml --raw_dir=data/drift \\
      --out_dir=daily/drift --first_day=2026-01-08 --last_day=2026-01-14 --model=mmoe

compares ways to keep a model up to date: `full`, training anew on all days before; `warm`, going on
from the model of the day before with that day alone; `window`, going on with the last days. The
folder gets `daily.html`, `daily.md` and `daily.csv`. The same command again goes on where it was.
See docs/next_day.md.
"""

import dataclasses
import datetime
from collections.abc import Mapping

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from dcrnn_tf.training.settings import TrainingSettings
from experiments.runs import forms

FULL, WARM, WINDOW = POLICIES = ("full", "warm", "window")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The log, the days, and the ways in which a model is kept up to date."""

    declaration: str = required("Declaration of the log, with a column of times.")
    out_dir: str = required("Folder of the runs and of the page.")
    first_day: str = required(
        "First day that is evaluated, such as 2026-01-08; the days before it are learned first."
    )
    last_day: str = required("Last day that is evaluated.")
    raw_dir: str = setting(".", "Folder that the declaration's file names are relative to.")
    policies: tuple[str, ...] = setting(
        POLICIES, "Ways to keep the model up to date.", choices=POLICIES
    )
    window_days: int = setting(3, "Number of days that `window` learns again.", lower=1)
    forget_after: int | None = setting(
        None, "As in data_prep.own_log: number of days without an id that its row is kept.", lower=1
    )
    min_count: int | None = setting(
        None, "Least number of training rows of an id; that of the declaration by default.", lower=1
    )
    max_bad_rows: int = setting(
        0, "Largest number of bad rows that are left out and counted.", lower=0
    )
    model: str = setting("dcrnn", "Name of the model, as in experiments.train.")
    set: Mapping[str, object] = setting({}, "A setting of the model as NAME=VALUE.")
    mixed_precision: str = setting(
        "none", "Type of the computation, as in experiments.train.", choices=forms.PRECISIONS
    )
    keep_data: bool = setting(
        False, "Whether the prepared datasets stay; by default only what is needed to go on does."
    )


def main(settings: Settings, training: TrainingSettings) -> None:
    """Runs the program."""
    days = _days(settings)
    from experiments.daily import page, walk

    records = walk.walk(settings, training, days)
    paths = page.write(settings, records)
    print(f"Written: {', '.join(map(str, paths))}.")


def _days(settings: Settings) -> list[datetime.date]:
    ends = []
    for flag in ("first_day", "last_day"):
        try:
            ends.append(datetime.date.fromisoformat(getattr(settings, flag)))
        except ValueError:
            raise command_line.UsageError(
                f"--{flag}={getattr(settings, flag)} must be a day such as 2026-01-08"
            ) from None
    if ends[1] < ends[0]:
        raise command_line.UsageError(
            f"--last_day={settings.last_day} is before --first_day={settings.first_day}"
        )
    return [ends[0] + datetime.timedelta(n) for n in range((ends[1] - ends[0]).days + 1)]


if __name__ == "__main__":
    command_line.run(main, Settings, TrainingSettings)
