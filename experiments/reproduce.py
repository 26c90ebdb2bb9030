"""Reproduces tables of the papers: data, all runs, statistics, reports.

Without --data_dir it simulates the data first; with it, it works on the real files. Runs that are
finished are not repeated, and a run that was interrupted goes on from its checkpoint.

Example:
  python -m experiments.reproduce --table=table4 --preset=small
  python -m experiments.reproduce --table=table4 --data_dir=path/to/ali_ccp

Several tables, separated by commas, are made one after the other, each in a folder of its own.
"""

from absl import flags

from dcrnn_tf.system import command_line
from experiments.table_registry import TABLES
from experiments.tables import datasets, make

FLAGS = flags.FLAGS
RAW_DATA = sorted({datasets.SOURCES[table.data].raw for table in TABLES.values()})

flags.DEFINE_list("table", ["table4"], f"Tables to reproduce, of {', '.join(TABLES)}.")
flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of the real files; simulated if none. For tables of several datasets, a folder with "
    f"one of theirs for each ({', '.join(RAW_DATA)}).",
)
flags.DEFINE_list(
    "models", None, "Models to run beside the table's baseline, by name; all if not given."
)
flags.DEFINE_enum("preset", None, make.PRESETS, "Size of the simulated form; default small.")
flags.DEFINE_integer("seeds", None, "Runs per row; the preset's if not given.", lower_bound=1)
flags.DEFINE_integer("epochs", None, "Epochs; the preset's if not given.", lower_bound=1)
flags.DEFINE_integer("rows", None, "Rows of the data; the preset's if not given.", lower_bound=1000)
flags.DEFINE_string(
    "out_dir", None, "Folder of the table, or of the tables' folders; runs/TABLE if not given."
)
flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")
flags.DEFINE_integer(
    "parallel_runs", 0, "Runs at a time, sharing the processor; 0 is one per core.", lower_bound=0
)


def main() -> None:
    """Runs the program."""
    settings = make.settings_of(FLAGS)
    unknown = [name for name in FLAGS.table if name not in TABLES]
    if unknown or not FLAGS.table:
        raise command_line.UsageError(
            f"--table={','.join(FLAGS.table)}: each must be one of {', '.join(TABLES)}"
        )
    tables = [TABLES[name] for name in dict.fromkeys(FLAGS.table)]
    if FLAGS.out_dir and len(tables) == 1:
        make.make(tables[0], settings, FLAGS.out_dir)
    else:
        make.make_all(tables, settings, FLAGS.out_dir or "runs")


if __name__ == "__main__":
    command_line.run(main)
