"""Says which models of a paper table cannot be built for a dataset, and why.

It is a process of its own, since it needs TensorFlow, which a table does without beside its runs.
"""

import json
import sys
from collections.abc import Mapping, Sequence

from dcrnn_tf.system import command_line


def refusals(data_dir: str, rows: Sequence[tuple[str, str, Mapping]]) -> dict[str, str]:
    """Returns why models cannot be built for a dataset, by the labels of their rows.

    Args:
      data_dir: Folder of the dataset.
      rows: Label, model and settings of each row.
    """
    from dcrnn_tf.dataset.schema import load_schema
    from dcrnn_tf.models import ModelError
    from experiments.tables import equal_size

    schema = load_schema(data_dir)
    reasons = {}
    for label, model, settings in rows:
        try:
            equal_size.parameters(schema, model, settings)
        except ModelError as error:
            reasons[label] = str(error)
    return reasons


def main() -> None:
    """Reads the arguments of `refusals` as JSON, and prints what it returns in a last line."""
    print(json.dumps(refusals(**json.load(sys.stdin))))


if __name__ == "__main__":
    command_line.run(main)
