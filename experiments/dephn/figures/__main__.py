"""Figures 3 to 7 of the DEPHN paper: trains what they need, draws them, and says what they show.

Each figure is written as PNG and SVG, and all of them on one HTML page. Figure 4 is mathematics;
the others are of runs on simulated data, or on real data if its folder is given. Finished runs are
not repeated.

Example:
  python -m experiments.dephn.figures --preset=small --out_dir=runs/dephn_figures
"""

import dataclasses
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import changes, given, setting
from experiments.dephn import tables
from experiments.tables import make

Changes = changes(make.Settings, "preset", "work_dir")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the figures are written, and from which files."""

    out_dir: str = setting("runs/dephn_figures", "Folder of the figures and of their runs.")
    raw_dir: str | None = setting(
        None,
        "Folder of the real files, with the folders ali_ccp and criteo; the data are simulated by "
        "default.",
        former="data_dir",
    )


def main(settings: Settings, changed: object) -> None:
    """Runs the program."""
    of_tables = make.Settings(raw_dir=settings.raw_dir, **given(changed))
    runs = pathlib.Path(settings.out_dir, "runs")
    results = make.make_all(tables.FIGURES, of_tables, runs)

    from experiments.dephn.figures import content as content
    from experiments.reports import plots
    from experiments.tables import figure_page

    command_line.use_threads(0)
    # The labels of Criteo-UR and Criteo-R are planted, on real features too.
    simulated = results[tables.FIGURE_3.name].data["simulated"]
    if simulated:
        warning = "Simulated data: figures 3, 5, 6 and 7 are not of Ali-CCP and Criteo"
    else:
        warning = "Planted labels: those of figures 5, 6 and 7 are not Criteo's"
    path = pathlib.Path(settings.out_dir, "figures.html")
    with plots.styled():
        figure_page.write(
            path,
            [
                *content.figure_3(results),
                content.figure_4(),
                content.figure_5(results),
                content.figure_6(results),
                content.figure_7(results),
            ],
            title="Figures of the DEPHN paper",
            source="Kong, Su, Zhao and Hou, DEPHN, figures 3 to 7",
            warning=warning,
        )
    print(f"Figures: {path}")


if __name__ == "__main__":
    command_line.run(main, Settings, Changes)
