r"""Prepares Criteo's Kaggle display advertising data: `train.txt` in, a prepared dataset out.

  python -m data_prep.criteo --data_file=train.txt --out_dir=data/criteo

A line is a click (1 or 0), the counts I1 to I13 and the ids C1 to C26, separated by tabs, empty
where missing; the file may be plain or `.gz`. The fields are named i1 to i13 and c1 to c26, the
task is click. Rows are drawn at random for test and validation. All of it is a declaration of
`data_prep.own_log`, stored in the dataset's schema: written to a file, it does the same there.
"""

from absl import flags, logging

from data_prep.criteo.preparation import NUMERIC_CHOICES, prepare_criteo
from data_prep.own_log.preparation import summary
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS


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
