"""Figures 3 to 7 of the DEPHN paper: trains what they need, draws them, and says what they show.

Each figure is written as PNG and SVG, and all of them on one HTML page. Figure 4 is mathematics;
the others are of runs on simulated data, or on real data if its folder is given. Finished runs are
not repeated.

Example:
  python -m experiments.dephn.figures --preset=small --out_dir=runs/dephn_figures
"""

import pathlib

from absl import flags

from dcrnn_tf.system import command_line
from experiments.dephn import tables
from experiments.tables import figure_page

FLAGS = flags.FLAGS


def main() -> None:
    """Runs the program."""
    results = figure_page.make_runs(tables.FIGURES, FLAGS)
    import matplotlib

    from experiments.dephn.figures import content as content
    from experiments.reports import plots

    command_line.use_threads(0)
    # The labels of Criteo-UR and Criteo-R are planted, on real features too.
    simulated = results[tables.FIGURE_3.name].data["simulated"]
    if simulated:
        warning = "Simulated data: figures 3, 5, 6 and 7 are not of Ali-CCP and Criteo"
    else:
        warning = "Planted labels: those of figures 5, 6 and 7 are not Criteo's"
    path = pathlib.Path(FLAGS.out_dir, "figures.html")
    with matplotlib.rc_context(plots.STYLE):
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
    figure_page.define_flags(
        "runs/dephn_figures",
        "Folder of the real files, with the folders ali_ccp and criteo; or simulated.",
    )
    command_line.run(main)
