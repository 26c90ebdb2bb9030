"""Checks a prepared dataset or a run folder whole, and says of everything that is damaged where.

Example:
  python -m experiments.verify --data_dir=data/ali_ccp
  python -m experiments.verify --run_dir=runs/dcrnn

Prints a line for each finding and ends with exit code 1 if there are any.
"""

import dataclasses
import pathlib
from collections.abc import Iterator

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting

MOST_FINDINGS = 100  # printed; a file of another kind would have one in each record


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which folder is checked."""

    data_dir: str | None = setting(None, "Prepared dataset to check.")
    run_dir: str | None = setting(None, "Run folder to check.")


def main(settings: Settings) -> None:
    """Runs the program."""
    if settings.data_dir is not None and settings.run_dir is None:
        verify_dataset(settings.data_dir)
    elif settings.run_dir is not None and settings.data_dir is None:
        verify_run(settings.run_dir)
    else:
        raise command_line.UsageError("give one of --data_dir and --run_dir")


def verify_dataset(data_dir: str | pathlib.Path) -> None:
    """Prints what is wrong with a prepared dataset, or its counts.

    Raises:
      DatasetError: something is.
    """
    import tqdm

    from dcrnn_tf.dataset import verification
    from dcrnn_tf.dataset.schema import Entity, Split, load_schema

    schema = load_schema(data_dir)
    parts: list[Split | Entity] = [*schema.entities.values(), *schema.splits.values()]
    with tqdm.tqdm(
        total=sum(part.rows for part in parts), unit=" rows", unit_scale=True, desc="Checking"
    ) as bar:
        _print_all(verification.findings(data_dir, schema, bar.update), data_dir)
    counts = [f"{split.name} {split.rows:,} rows" for split in schema.splits.values()]
    counts += [f"{entity.name} table {entity.rows:,} rows" for entity in schema.entities.values()]
    print(f"{data_dir} is sound: {', '.join(counts)}; {len(schema.fields)} fields.")


def verify_run(run_dir: str | pathlib.Path) -> None:
    """Prints what is wrong with a run folder, or which checkpoints it has.

    Raises:
      DatasetError: something is.
    """
    from dcrnn_tf.training.checkpoints import CHECKPOINTS, Checkpoints
    from experiments.runs.findings import findings

    steps = Checkpoints(pathlib.Path(run_dir, CHECKPOINTS), {}).steps()
    _print_all(findings(pathlib.Path(run_dir)), run_dir)
    print(f"{run_dir} is sound; checkpoints of steps: {', '.join(map(str, steps)) or 'none'}.")


def _print_all(findings: Iterator[str], folder: str | pathlib.Path) -> None:
    import tqdm

    from dcrnn_tf.dataset.schema import DatasetError

    count = 0
    for count, finding in enumerate(findings, start=1):
        tqdm.tqdm.write(finding)
        if count == MOST_FINDINGS:
            raise DatasetError(f"{folder} has {count} findings or more; the rest was not looked at")
    if count:
        raise DatasetError(f"{folder} has {count} finding{'s' if count > 1 else ''}")


if __name__ == "__main__":
    command_line.run(main, Settings)
