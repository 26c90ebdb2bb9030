"""Figures 3 to 7 of the DEPHN paper: trains what they need, draws them, and says what they show.

Each figure is written as PNG and SVG, and all of them on one HTML page. Figure 4 is mathematics;
the others are of runs on simulated data, or on real data if its folder is given. Finished runs are
not repeated.

Example:
  python -m experiments.dephn_figures --preset=small --out_dir=runs/dephn_figures
"""

import pathlib

from absl import flags

from dcrnn_tf import command_line
from experiments import datasets, dephn_tables

FLAGS = flags.FLAGS
TABLES = (
    dephn_tables.FIGURE_3,
    dephn_tables.FIGURE_5_R,
    dephn_tables.FIGURE_5_UR,
    dephn_tables.FIGURE_6,
)


def main() -> None:
    """Runs the program."""
    if FLAGS.data_dir and FLAGS.preset:
        raise command_line.UsageError(
            "--preset is for simulated data, --data_dir for real data; give one of them"
        )
    out_dir = pathlib.Path(FLAGS.out_dir)
    runs = out_dir / "runs"
    preset = None if FLAGS.data_dir else FLAGS.preset or "small"
    datasets.call(
        "experiments.reproduce",
        f"--table={','.join(table.name for table in TABLES)}",
        f"--preset={preset}" if preset else f"--data_dir={FLAGS.data_dir}",
        f"--out_dir={runs}",
        f"--work_dir={FLAGS.work_dir}",
    )
    import matplotlib

    from experiments import dephn_figure_content as content
    from experiments import plots, report

    command_line.use_threads(0)
    folders = {table.name: runs / table.folder_name(preset) for table in TABLES}
    with matplotlib.rc_context(plots.STYLE):
        shown = [
            *content.figure_3(folders),
            content.figure_4(),
            content.figure_5(folders),
            content.figure_6(folders),
            content.figure_7(folders),
        ]
        sections = []
        for one in shown:
            for suffix in ("png", "svg"):
                one.figure.savefig(out_dir / f"{one.name}.{suffix}", dpi=150)
            words = ((one.data,) if one.data else ()) + one.sentences
            picture = plots.picture(one.figure, one.heading)
            sections.append(report.Section(one.heading, sentences=words, figures=[picture]))
    simulated = any(content.data_of(table, folders)["simulated"] for table in TABLES)
    path = report.write_page(
        out_dir / "figures.html",
        title="Figures of the DEPHN paper",
        warning="Simulated data: figures 3, 5, 6 and 7 are not of Ali-CCP and Criteo"
        if simulated
        else None,
        source="Kong, Su, Zhao and Hou, DEPHN, figures 3 to 7",
        origin="Drawn after",
        incomplete=[],
        sections=sections,
    )
    print(f"Figures: {path}")


def _define_flags() -> None:
    flags.DEFINE_string("out_dir", "runs/dephn_figures", "Folder of the figures and of their runs.")
    flags.DEFINE_enum("preset", None, ["small", "smoke"], "Size of the runs; default small.")
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of the real files, with the folders ali_ccp and criteo; or simulated.",
    )
    flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
