"""Tests the DCRNN paper's claims on simulated album recommendation, a figure and a verdict each.

  python -m experiments.dcrnn.study --preset=small --out_dir=runs/dcrnn_study

Trains what the figures need (finished runs are not repeated) and writes each figure as PNG and
SVG, all of them with their verdicts to `study.html`, and every paired difference to `study.csv`.
"""

import csv
import pathlib

from absl import flags

from dcrnn_tf.system import command_line
from dcrnn_tf.system.whole_file import whole_file
from experiments.dcrnn.study import tables
from experiments.reports import figure_page

FLAGS = flags.FLAGS


def main() -> None:
    """Runs the program."""
    results = figure_page.make_runs(tables.TABLES, FLAGS)
    import matplotlib

    from experiments.dcrnn.study import content as content
    from experiments.reports import plots

    with matplotlib.rc_context(plots.STYLE):
        shown = [
            content.sharing(results),
            content.adaptation(results),
            content.sequence(results),
            content.crossing(results),
            content.size(results),
        ]
        path = figure_page.write(
            FLAGS.out_dir,
            shown,
            title="The claims of the DCRNN paper, tested",
            source="Zhou and Yu, DCRNN",
            warning="Simulated data: the paper's Xiaomi Radio logs are private",
            file="study.html",
        )
    write_csv(content.differences_by_figure(results), pathlib.Path(FLAGS.out_dir, "study.csv"))
    for one in shown:
        print(f"{one.heading}\n  {one.sentences[0]}")
    print(f"Study: {path}")


def write_csv(differences: dict[str, dict], path: pathlib.Path) -> None:
    """Writes `{table: {task: {comparison: difference}}}`, a line each."""
    with whole_file(path, newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("table", "task", "comparison", "pairs", "mean", "low", "high", "p_value"))
        for table, tasks in differences.items():
            for task, found in tasks.items():
                for comparison, one in found.items():
                    if one is not None:
                        ends = one.interval or ("", "")
                        p_value = "" if one.p_value is None else one.p_value
                        lines.writerow(
                            (table, task, comparison, one.pairs, one.mean, *ends, p_value)
                        )


if __name__ == "__main__":
    figure_page.define_flags("runs/dcrnn_study")
    command_line.run(main)
