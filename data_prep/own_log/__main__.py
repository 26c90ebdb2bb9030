"""Makes a prepared dataset of any logs in CSV or Parquet files, from a small declaration.

  python -m data_prep.own_log --declaration=examples/census_income.yaml \\
      --data_dir=FOLDER_OF_THE_FILES --out_dir=data/census_income

The declaration (YAML or JSON, described in docs/own_data.md) names the input columns, the label
columns and the split. Files are read twice, chunk by chunk: once to check every row, count ids and
fit scalings on the training rows, once to encode and write.
"""

import pathlib

from absl import flags, logging

from data_prep.own_log.declaration import Declaration, load_declaration, with_min_count
from data_prep.own_log.preparation import prepare, summary
from data_prep.simulation.folder import read_simulation
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of the preparation."""
    flags.DEFINE_string(
        "declaration", None, "YAML or JSON file that says what the files hold.", required=True
    )
    flags.DEFINE_string(
        "data_dir", ".", "Folder that the declaration's file names are relative to."
    )
    flags.DEFINE_string(
        "out_dir", None, "Folder of the prepared dataset; must not exist.", required=True
    )
    flags.DEFINE_integer(
        "seed", 0, "Seed of the split and the shuffle.", lower_bound=0, upper_bound=2**32 - 1
    )
    flags.DEFINE_integer(
        "min_count",
        None,
        "An id needs at least so many training rows; each field's as declared if not given.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "max_bad_rows", 0, "Bad rows left out and counted before that is an error.", lower_bound=0
    )


def declaration_of_flags() -> Declaration:
    """The declaration that the flags name, with their changes."""
    declaration = load_declaration(FLAGS.declaration)
    if FLAGS.min_count is not None:
        declaration = with_min_count(declaration, FLAGS.min_count)
    return declaration


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    schema = prepare(
        declaration_of_flags(),
        FLAGS.data_dir,
        FLAGS.out_dir,
        FLAGS.seed,
        FLAGS.max_bad_rows,
        read_simulation(pathlib.Path(FLAGS.data_dir)),
    )
    print(summary(schema))
    print(f"Written to {FLAGS.out_dir}.")


if __name__ == "__main__":
    define_flags()
    command_line.run(main)
