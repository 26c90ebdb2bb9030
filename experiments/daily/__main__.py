"""Walks through a log day by day: evaluates a model on a day, then has it learn the day.

  python -m experiments.daily --declaration=data/drift/drift.yaml --raw_dir=data/drift \\
      --out_dir=daily/drift --first_day=2026-01-08 --last_day=2026-01-14 --model=mmoe

compares ways to keep a model up to date: `full`, training anew on all days before; `warm`, going on
from the model of the day before with that day alone; `window`, going on with the last days. The
folder gets `daily.html`, `daily.md` and `daily.csv`. The same command again goes on where it was.
See docs/next_day.md.
"""

import datetime

from dcrnn_tf.system import command_line
from dcrnn_tf.training.settings import TrainingSettings
from experiments.daily.settings import Settings


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
