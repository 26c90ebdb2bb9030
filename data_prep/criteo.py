r"""Prepares Criteo's Kaggle display advertising data: `train.txt` in, a prepared dataset out.

  python -m data_prep.criteo --data_file=train.txt --out_dir=data/criteo

A line is a click (1 or 0), the counts I1 to I13 and the ids C1 to C26, separated by tabs, empty
where missing; the file may be plain or `.gz`. The fields are named i1 to i13 and c1 to c26, the
task is click. Rows are drawn at random for test and validation. All of it is a declaration of
`data_prep.table`, stored in the dataset's schema: written to a file, it does the same there.
"""

import glob
import pathlib

from absl import flags, logging

from data_prep.simulation_file import read_simulation
from data_prep.table import prepare, summary
from data_prep.table_declaration import Declaration, parse_declaration
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, DatasetError, Schema
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS
NAME = "criteo"
LABEL = "click"
COUNTS = tuple(f"I{number}" for number in range(1, 14))
IDS = tuple(f"C{number}" for number in range(1, 27))
COLUMNS = (LABEL, *COUNTS, *IDS)
NUMERIC_CHOICES = ("log", "quantile", "standard")


def declaration(
    data_file: pathlib.Path,
    numeric: str = "log",
    min_count: int = 10,
    test_fraction: float = 0.1,
    validation_fraction: float = 0.1,
) -> Declaration:
    """What `train.txt` holds, in the terms of `data_prep.table`.

    Args:
      data_file: the file; its folder is the declaration's.
      numeric: `log` or `quantile`: I1 to I13 become bins, as `data_prep.binning` describes, each
        with an embedding of its own. `standard`: they stay numbers, `sign(x) ln(1 + |x|)`, a
        missing one counting as 0.
      min_count: an id, or bin, needs at least so many training rows.
      test_fraction: share of the rows that become test rows.
      validation_fraction: share of the remaining ones that become validation rows.
    """
    if numeric == "standard":
        count: dict[str, object] = {"kind": NUMERIC, "scaling": "log"}
    else:
        count = {"kind": CATEGORICAL, "bins": numeric, "min_count": min_count}
    fields = {name.lower(): count | {"column": name} for name in COUNTS}
    fields |= {
        name.lower(): {"kind": CATEGORICAL, "min_count": min_count, "column": name} for name in IDS
    }
    content = {
        "name": NAME,
        "separator": "\t",
        "quoted": False,
        "column_names": list(COLUMNS),
        "split": {
            "by": "fraction",
            "files": glob.escape(data_file.name),
            "test_fraction": test_fraction,
            "validation_fraction": validation_fraction,
        },
        "tasks": {LABEL: {"positive": ["1"], "negative": ["0"]}},
        "fields": fields,
    }
    return parse_declaration(content, data_file)


def prepare_criteo(
    data_file: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    seed: int = 0,
    max_bad_rows: int = 0,
    **choices,
) -> Schema:
    """Prepares Criteo.

    Args:
      data_file: `train.txt`, plain or `.gz`.
      out_dir: folder to make; must not exist.
      seed: of the split and the shuffle.
      max_bad_rows: how many bad rows are left out and counted before that is an error.
      **choices: as `declaration` takes them.

    Returns:
      The schema of the prepared dataset.

    Raises:
      DatasetError: the input is not as it must be, or `out_dir` exists.
    """
    data_file = pathlib.Path(data_file)
    if not data_file.is_file():
        raise DatasetError(
            f"there is no file {data_file}; give Criteo's train.txt, plain or .gz, by --data_file"
        )
    declared = declaration(data_file, **choices)
    simulation = read_simulation(data_file.parent)
    return prepare(declared, data_file.parent, out_dir, seed, max_bad_rows, simulation)


def _define_flags() -> None:
    flags.DEFINE_string("data_file", None, "Criteo's train.txt, plain or .gz.", required=True)
    flags.DEFINE_string(
        "out_dir", None, "Folder of the prepared dataset; must not exist.", required=True
    )
    flags.DEFINE_enum(
        "numeric",
        "log",
        NUMERIC_CHOICES,
        "What becomes of I1 to I13. log: bins floor(ln(x)^2) above 2, whole numbers below. "
        "quantile: bins of about equal shares of the training rows. standard: numbers, "
        "sign(x) ln(1 + |x|).",
    )
    flags.DEFINE_integer(
        "min_count", 10, "An id, or bin, needs at least so many training rows.", lower_bound=1
    )
    flags.DEFINE_float("test_fraction", 0.1, "Share of the rows for testing.", 0.0, 0.9)
    flags.DEFINE_float(
        "validation_fraction", 0.1, "Share of the remaining rows for validation.", 0.0, 0.9
    )
    flags.DEFINE_integer(
        "seed", 0, "Seed of the split and the shuffle.", lower_bound=0, upper_bound=2**32 - 1
    )
    flags.DEFINE_integer(
        "max_bad_rows", 0, "Bad rows left out and counted before that is an error.", lower_bound=0
    )


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    names = ("numeric", "min_count", "test_fraction", "validation_fraction", "seed", "max_bad_rows")
    choices = {name: FLAGS[name].value for name in names}
    schema = prepare_criteo(FLAGS.data_file, FLAGS.out_dir, **choices)
    print(summary(schema))
    print(f"Written to {FLAGS.out_dir}.")


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
