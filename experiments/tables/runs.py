"""Plans the runs of a table: their commands, which are finished, which another table has made."""

import json
import math
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

from dcrnn_tf.system.errors import UserError
from experiments.programs import shielded
from experiments.runs import reuse, run_folder
from experiments.runs.processes import RunProcess, die_with_parent
from experiments.runs.run import damage_of
from experiments.tables.spec import PROGRAMS, Preset, Row, Table


def planned(
    table: Table, preset: Preset, prepared: pathlib.Path, out_dir: pathlib.Path
) -> list[RunProcess]:
    """Plans all runs of a table, seed by seed, so that rows have equally many seeds at any time."""
    return [
        _planned_run(table, row, seed, preset, prepared, out_dir)
        for seed in range(1, preset.seeds + 1)
        for row in table.rows
        if not (row.deterministic and seed > 1)
        if not preset.labels or row.label in preset.labels
    ]


def _planned_run(
    table: Table,
    row: Row,
    seed: int,
    preset: Preset,
    prepared: pathlib.Path,
    out_dir: pathlib.Path,
) -> RunProcess:
    program = PROGRAMS.get(row.model)
    folder = table.run_dir(out_dir, row, seed)
    command = [sys.executable, "-m", program.module if program else "experiments.train"]
    command += [f"--data_dir={prepared}", f"--run_dir={folder}"]
    if not program:
        command += [
            f"--model={row.model}",
            *(f"--set={key}={json.dumps(value)}" for key, value in row.settings.items()),
            f"--seed={seed}",
            f"--epochs={preset.epochs}",
            f"--batch_size={preset.batch_size}",
            f"--learning_rate={preset.learning_rate}",
            f"--log_every={20 if (preset.rows or math.inf) < 1_000_000 else 500}",
            *(f"--{flag}={value}" for flag, value in table.run_flags.items()),
        ]
    return RunProcess(command, folder, trains=not program)


def check_finished(runs: Sequence[RunProcess]) -> None:
    """Refuses finished runs of another command, and tells of those that other code has made.

    A run whose files are damaged is named here already, before others are made.

    Raises:
      UserError: A run was made by a command that the table does not have now.
    """
    finished = [run for run in runs if run.done()]
    for run in list(finished):
        if damage := damage_of(run.folder):
            print(f"{damage}.", file=sys.stderr)
            finished.remove(run)
        elif not reuse.made_by(run.folder, run.command):
            raise UserError(
                f"{run.folder} was made with other settings than the table has now; remove that "
                "folder, or choose another --out_dir"
            )
    records = [run_folder.read(run.folder, run_folder.RUN_FILE) for run in finished]
    if others := [record for record in records if not reuse.same_code(record)]:
        print(
            f"{len(others)} of {len(runs)} runs were made by other code than this and stay as they "
            f"are; remove {runs[0].folder.parents[1]} to make all runs again."
        )


def take_over(runs: Sequence[RunProcess], fingerprint: str) -> None:
    """Copies the runs that tables beside this one have made."""
    new = [run for run in runs if not run.folder.exists()]
    taken = sum(reuse.take_over(run.command, run.folder.absolute(), fingerprint) for run in new)
    if taken:
        print(f"{taken} of {len(runs)} runs are copied from other tables, which made the same.")


def check_models(table: Table, runs: Sequence[RunProcess], prepared: pathlib.Path) -> None:
    """Refuses a table some of whose models cannot be built, before the first of its runs begins.

    Args:
      table: The table.
      runs: Its runs, those that are finished included.
      prepared: Folder of the dataset.

    Raises:
      UserError: The dataset does not suit a model, or a model its settings.
    """
    waiting = {run.folder.parent.name for run in runs if run.trains and not run.done()}
    rows = [(row.label, row.model, row.settings) for row in table.rows if row.slug in waiting]
    if len(rows) < 2:  # the first run itself refuses
        return
    if refusals := refused(f"the models of {table.name}", rows, prepared):
        listed = "; ".join(f"{label}: {reason}" for label, reason in refusals.items())
        raise UserError(
            f"{prepared} does not suit {len(refusals)} of the {len(table.rows)} models of "
            f"{table.name}: {listed}; choose the others by --models, or another dataset"
        )


def refused(
    what: str, rows: Sequence[tuple[str, str, Mapping]], prepared: pathlib.Path
) -> dict[str, str]:
    """Returns why models cannot be built for a dataset, by their labels.

    Args:
      what: What the models are called in the error.
      rows: Label, model and settings of each.
      prepared: Folder of the dataset.

    Raises:
      UserError: They cannot be checked.
    """
    done = subprocess.run(
        shielded([sys.executable, "-m", "experiments.tables.refusals"]),
        input=json.dumps({"data_dir": str(prepared), "rows": rows}),
        capture_output=True,
        encoding="utf-8",
        preexec_fn=die_with_parent,
        check=False,
    )
    if done.returncode:
        *_, last = ["the process was killed", *done.stderr.strip().splitlines()]
        raise UserError(f"{what} cannot be checked: {last}")
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found
