"""Tests the DCRNN paper's claims on simulated album recommendation, a figure and a verdict each.

  python -m experiments.dcrnn.study --preset=small --out_dir=runs/dcrnn_study

Trains what the figures need (finished runs are not repeated) and writes each figure as PNG and
SVG, all of them with their verdicts to `study.html`, and every paired difference to `study.csv`.
"""

import pathlib

from absl import flags

from dcrnn_tf.system import command_line
from experiments.dcrnn.study import tables
from experiments.tables import figure_page

FLAGS = flags.FLAGS


def main() -> None:
    """Runs the program."""
    results = figure_page.make_runs(tables.TABLES, FLAGS)
    import matplotlib

    from experiments.dcrnn.study import content as content
    from experiments.reports import plots

    path = pathlib.Path(FLAGS.out_dir, "study.html")
    with matplotlib.rc_context(plots.STYLE):
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
    figure_page.define_flags("runs/dcrnn_study")
    command_line.run(main)
