"""Prepares Criteo's train.txt by a declaration of its columns."""

import glob
import pathlib

from data_prep.criteo.fields import COLUMNS, COUNTS, IDS, LABEL
from data_prep.own_log.declaration import Declaration, parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.simulation.folder import read_simulation
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, DatasetError, Schema

NAME = "criteo"


def declaration(
    data_file: pathlib.Path,
    numeric: str = "log",
    min_count: int = 10,
    test_fraction: float = 0.1,
    validation_fraction: float = 0.1,
) -> Declaration:
    """What `train.txt` holds, in the terms of `data_prep.own_log`.

    Args:
      data_file: the file; its folder is the declaration's.
      numeric: `log` or `quantile`: I1 to I13 become bins, as the module
        `data_prep.own_log.learning.binning` describes, each with an embedding of its own.
        `standard`: they stay numbers, `sign(x) ln(1 + |x|)`, a missing one counting as 0.
      min_count: Least number of training rows of an id, or bin, that is kept.
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
    raw_dir: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    seed: int = 0,
    max_bad_rows: int = 0,
    **choices,
) -> Schema:
    """Prepares Criteo.

    Args:
      raw_dir: folder of `train.txt`, plain or `.gz`, or that file.
      out_dir: folder to make; must not exist.
      seed: Seed of the split and the shuffle.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.
      **choices: Choices, as `declaration` takes them.

    Returns:
      The schema of the prepared dataset.

    Raises:
      DatasetError: the input is not as it must be, or `out_dir` exists.
    """
    data_file = _find(pathlib.Path(raw_dir))
    declared = declaration(data_file, **choices)
    simulation = read_simulation(data_file.parent)
    return prepare(declared, data_file.parent, out_dir, seed, max_bad_rows, simulation)


def _find(raw_dir: pathlib.Path) -> pathlib.Path:
    """Criteo's file, which the user names or whose folder the user names."""
    if raw_dir.is_file():
        return raw_dir
    names = ("train.txt", "train.txt.gz")
    for name in names:
        if (raw_dir / name).is_file():
            return raw_dir / name
    raise DatasetError(
        f"{raw_dir} holds no {' and no '.join(names)}; give the folder of Criteo's file, or the "
        "file, by --raw_dir"
    )
