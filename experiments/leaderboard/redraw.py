"""Draws a leaderboard's pictures anew from its CSV file, where the runs are no longer there.

  python -m experiments.leaderboard.redraw --csv=docs/data/leaderboards/census_income_nominal.csv \
      --out=docs/images/leaderboard_nominal

Writes `OUT_models` and `OUT_cost`, each as PNG and as SVG.
"""

import csv
import dataclasses
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import required


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which board is drawn, and where the pictures go."""

    csv: str = required("File leaderboard.csv of a leaderboard.")
    out: str = required("Beginning of the pictures' paths.")


def main(settings: Settings) -> None:
    """Runs the program."""
    from experiments.leaderboard.files import COST_WORDS
    from experiments.reports import plots
    from experiments.tables import comparison_plots

    shown, baseline = read(pathlib.Path(settings.csv))
    out = pathlib.Path(settings.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with plots.styled():
        figures = {
            "models": comparison_plots.dots(shown, baseline),
            "cost": comparison_plots.pareto(shown, COST_WORDS),
        }
        for name, figure in figures.items():
            path = out.with_name(f"{out.name}_{name}")
            plots.save(figure, path, name)
            print(f"Picture: {path}.png")


def read(path: pathlib.Path) -> tuple[list, str | None]:
    """Returns the panels of a board's CSV file, and the name of its baseline.

    Raises:
      UserError: The file lacks a column of a leaderboard.
    """
    from dcrnn_tf import metrics
    from experiments.tables.comparison_plots import Dot, Panel

    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    try:
        metric = next(one for one in metrics.printed() if f"{one.name}_mean" in lines[0])
        name = metric.name
        dots: dict[str, list[Dot]] = {line["task"]: [] for line in lines}
        for line in lines:
            ends = (line[f"{name}_low"], line[f"{name}_high"])
            interval = (float(ends[0]), float(ends[1])) if all(ends) else None
            cost = float(line["wall_seconds"].replace(",", "")) if line["wall_seconds"] else None
            dot = Dot(line["row"], float(line[f"{name}_mean"]), interval, cost)
            dots[line["task"]].append(dot)
        baselines = {line["baseline"] for line in lines}
    except (LookupError, StopIteration, ValueError):
        raise UserError(
            f"{path} is no leaderboard.csv, with the columns task, row, auc_mean, baseline and "
            "wall_seconds; give the file that experiments.leaderboard has written"
        ) from None
    panels = [Panel(task, metric, of_task) for task, of_task in dots.items()]
    return panels, next(iter(baselines - {""}), None)


if __name__ == "__main__":
    command_line.run(main, Settings)
