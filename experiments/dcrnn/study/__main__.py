"""Tests the DCRNN paper's claims on simulated album recommendation, a figure and a verdict each.

  python -m experiments.dcrnn.study --preset=small --out_dir=runs/dcrnn_study

Trains what the figures need (finished runs are not repeated) and writes each figure as PNG and
SVG, all of them with their verdicts to `study.html`, and every paired difference to `study.csv`.
"""

import dataclasses
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import changes, given, setting
from experiments.dcrnn.study import tables
from experiments.tables import make

Changes = changes(make.Settings, "preset", "work_dir")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the study is written."""

    out_dir: str = setting("runs/dcrnn_study", "Folder of the figures and of their runs.")


def main(settings: Settings, changed: object) -> None:
    """Runs the program."""
    of_tables = make.Settings(**given(changed))
    runs = pathlib.Path(settings.out_dir, "runs")
    results = make.make_all(tables.TABLES, of_tables, runs)

    from experiments.dcrnn.study import content as content
    from experiments.reports import plots
    from experiments.tables import figure_page

    path = pathlib.Path(settings.out_dir, "study.html")
    with plots.styled():
        shown = [
            content.sharing(results),
            content.adaptation(results),
            content.sequence(results),
            content.crossing(results),
            content.size(results),
        ]
        figure_page.write(
            path,
            shown,
            title="The claims of the DCRNN paper, tested",
            source="Zhou and Yu, DCRNN",
            warning="Simulated data: the paper's Xiaomi Radio logs are private",
            data=content.records(content.differences_by_table(results)),
        )
    for one in shown:
        print(f"{one.heading}\n  {one.sentences[0]}")
    print(f"Study: {path}")


if __name__ == "__main__":
    command_line.run(main, Settings, Changes)
