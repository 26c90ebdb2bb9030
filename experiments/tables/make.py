"""Makes tables: their data, all their runs, their statistics and their files.

Simulations, preparations and runs are processes of their own. What is needed after the runs is
imported after them, so that this process takes little memory beside theirs.
"""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import setting
from experiments.runs import processes, run_folder
from experiments.tables import datasets, room, runs
from experiments.tables.spec import Preset, Table

if TYPE_CHECKING:
    from dcrnn_tf.dataset.schema import Schema
    from experiments.tables.result import TableResult

PRESETS = ("small", "smoke")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a user chooses of the tables to make; both folders of real data are taken anywhere.

    Raises:
      UsageError: More than one of `preset`, `raw_dir` and `data_dir` is given.
    """

    preset: str | None = setting(
        None, "Size of the simulated data, small by default.", choices=PRESETS
    )
    raw_dir: str | None = setting(
        None,
        "Folder of the real raw files; the data are simulated by default. For tables of several "
        "datasets, a folder with one of theirs for each.",
    )
    data_dir: str | None = setting(
        None, "Prepared dataset, for a table that takes any; the data are simulated by default."
    )
    work_dir: str = setting("data", "Folder of simulated and prepared data.")
    models: tuple[str, ...] | None = setting(
        None, "Names of the models to run beside the table's baseline; all by default."
    )
    seeds: int | None = setting(
        None, "Number of runs of each row; that of the preset by default.", lower=1
    )
    epochs: int | None = setting(None, "Number of epochs; that of the preset by default.", lower=1)
    rows: int | None = setting(
        None, "Number of rows of the data; that of the preset by default.", lower=1000
    )
    validation_fraction: float | None = setting(
        None,
        "Share of the training rows for validation, 0 for none, as the papers have it; that of the "
        "data's preparation by default.",
        lower=0.0,
        upper=0.9,
    )
    parallel_runs: int = setting(
        0, "Number of runs at a time, which share the processor; 0 is one per core.", lower=0
    )

    def __post_init__(self) -> None:
        if self.preset and self.folder:
            raise command_line.UsageError(
                "--preset is for simulated data, --raw_dir and --data_dir for real data; give one "
                "of them"
            )
        if self.raw_dir and self.data_dir and self.raw_dir != self.data_dir:
            raise command_line.UsageError(
                f"--raw_dir={self.raw_dir} and --data_dir={self.data_dir} are two datasets; give "
                "one of them"
            )

    @property
    def folder(self) -> str | None:
        """The folder of the real data, raw or prepared; None for simulated data."""
        return self.raw_dir or self.data_dir

    @property
    def size(self) -> str:
        """Name of the tables' preset: `paper` on real data."""
        return "paper" if self.folder else self.preset or "small"


def make(table: Table, settings: Settings, out_dir: str | pathlib.Path) -> "TableResult":
    """Makes one table. Runs that are finished are not repeated, interrupted ones are taken up.

    Args:
      table: The table.
      settings: What the user chooses of it.
      out_dir: Folder of the table, its report and its runs.

    Returns:
      The result, as the files have it.

    Raises:
      UserError: The settings do not suit the table or its data; or a run has failed or cannot be
        read, which the files of the table say as well.
    """
    result = attempt(table, settings, out_dir)
    refuse_failures([result])
    return result


def attempt(table: Table, settings: Settings, out_dir: str | pathlib.Path) -> "TableResult":
    """Makes one table as `make` does, and returns it where runs have failed too."""
    return _make_each([table], settings, [pathlib.Path(out_dir)])[0]


def refuse_failures(results: "Sequence[TableResult]", others: Sequence[str] = ()) -> None:
    """Ends a program whose tables are written, where some of their runs have failed.

    Args:
      results: Results of the tables.
      others: Clauses on what else has failed.

    Raises:
      UserError: It names the runs, and why they failed.
    """
    failures = [clause for result in results for clause in result.failures]
    if failures := [*failures, *others]:
        raise UserError(
            f"{'; '.join(failures)}; everything else is written, and the same command makes what "
            "is missing"
        )


def make_all(
    tables: Sequence[Table], settings: Settings, folder: str | pathlib.Path
) -> "dict[str, TableResult]":
    """Makes tables as `make` does, one after the other, each in a folder named after it.

    Returns:
      The results by the tables' names.
    """
    out_dirs = [pathlib.Path(folder, table.folder_name(settings.size)) for table in tables]
    results = _make_each(tables, settings, out_dirs)
    refuse_failures(results)
    return {result.table.name: result for result in results}


def _make_each(
    tables: Sequence[Table], settings: Settings, out_dirs: Sequence[pathlib.Path]
) -> "list[TableResult]":
    """Makes tables and says in the end where their reports are."""
    results, sentences = [], []
    _tell_of_raw_files(settings)
    raw_dirs = _raw_dirs(tables, settings.folder)
    presets = [_preset(table, settings) for table in tables]
    names = [table.data for table in tables]
    room.require(list(zip(names, presets, raw_dirs, strict=True)), settings.work_dir)
    for table, raw_dir, out_dir in zip(tables, raw_dirs, out_dirs, strict=True):
        started = time.monotonic()
        result, page = _make(table, settings, raw_dir, out_dir)
        minutes = (time.monotonic() - started) / 60
        results.append(result)
        sentences.append(f"Report: {page} ({minutes:.1f} minutes)")
    print("\n".join(sentences))
    return results


def _tell_of_raw_files(settings: Settings) -> None:
    """Tells a user who names raw files by `--data_dir`, as was usual, that there is a flag."""
    from dcrnn_tf.dataset.schema import SCHEMA_FILE

    if settings.data_dir and not pathlib.Path(settings.data_dir, SCHEMA_FILE).exists():
        print(
            f"{settings.data_dir} is no prepared dataset: folders of raw files are now given as "
            "--raw_dir; --data_dir still works.",
            file=sys.stderr,
        )


def _raw_dirs(tables: Sequence[Table], folder: str | None) -> list[pathlib.Path | None]:
    """The folder of each table's raw files; None for simulated data."""
    if not folder:
        return [None] * len(tables)
    names = [datasets.SOURCES[table.data].raw for table in tables]
    path = pathlib.Path(folder)
    if len(set(names)) == 1:
        return [path] * len(tables)
    if missing := [name for name in dict.fromkeys(names) if not (path / name).is_dir()]:
        raise command_line.UsageError(
            f"these tables are of {' and '.join(dict.fromkeys(names))}, so --raw_dir={folder} "
            f"must hold a folder of each, and lacks {' and '.join(missing)}"
        )
    return [path / name for name in names]


def _make(
    table: Table, settings: Settings, raw_dir: pathlib.Path | None, out_dir: pathlib.Path
) -> "tuple[TableResult, pathlib.Path]":
    """Makes one table; returns its result and the path of its report."""
    from dcrnn_tf.dataset.schema import load_schema

    preset = _preset(table, settings)
    prepared = datasets.make(table.data, preset, raw_dir, settings.work_dir)
    schema = load_schema(prepared)
    try:
        table = table.complete(schema, settings.models).of_tasks(schema.task_names)
    except ValueError as error:
        raise command_line.UsageError(f"{prepared}: {error}") from None
    if raw_dir and datasets.SOURCES[table.data].private:
        table = table.unpublished()
    left_out: tuple[str, ...] = ()
    matched = any(row.matched_width for row in table.rows)
    if matched:
        table, left_out = _of_equal_size(table, schema)
    config = {
        "table": table.name,
        "preset": settings.size,
        "data_dir": str(prepared),
        "dataset_fingerprint": schema.fingerprint,
        **_lasting(preset),
    }
    run_folder.open_run(out_dir, config)
    planned = runs.planned(table, preset, prepared, out_dir)
    runs.check_finished(planned)
    runs.take_over(planned, schema.fingerprint)
    if not matched:  # which builds the models
        runs.check_models(table, planned, prepared)
    steps = -(-schema.split("train").rows // preset.batch_size) * preset.epochs
    failed = processes.run_all(planned, steps, preset.batch_size, settings.parallel_runs)
    return _write(table, preset, out_dir, left_out, failed)


def _lasting(preset: Preset) -> dict[str, object]:
    """What a preset says that decides each run's result."""
    values = dataclasses.asdict(preset)
    del values["seeds"]
    if preset.validation_fraction is None:  # as it was before tables had this setting
        del values["validation_fraction"]
    return values


def _preset(table: Table, settings: Settings) -> Preset:
    """The table's preset, with what the settings have instead."""
    if settings.size not in table.presets:
        raise command_line.UsageError(
            f"--table={table.name} is for simulated data alone; leave --raw_dir out"
            if settings.folder
            else f"--table={table.name} has no preset {settings.size}; it has "
            f"{', '.join(table.presets)}"
        )
    keys = ("rows", "epochs", "seeds", "validation_fraction")
    given = {key: getattr(settings, key) for key in keys}
    given = {key: value for key, value in given.items() if value is not None}
    return dataclasses.replace(table.presets[settings.size], **given)


def _of_equal_size(table: Table, schema: "Schema") -> tuple[Table, tuple[str, ...]]:
    """The table with matched widths, and a sentence for each row that is left out."""
    command_line.use_threads(0)  # before TensorFlow computes anything, and nobody can any more
    from experiments.tables import equal_size

    table, remarks = equal_size.of_equal_size(table, schema)
    print("\n".join(remarks.values()))
    kept = {row.label for row in table.rows}
    return table, tuple(f"{words}." for label, words in remarks.items() if label not in kept)


def _write(
    table: Table,
    preset: Preset,
    out_dir: pathlib.Path,
    left_out: tuple[str, ...],
    failed: Mapping[pathlib.Path, str],
) -> "tuple[TableResult, pathlib.Path]":
    """Computes the result of finished runs, writes its files and prints it."""
    from experiments.runs.pages.report import REPORT_FILE
    from experiments.tables import report
    from experiments.tables.result import aggregate

    result = aggregate(table, out_dir, range(1, preset.seeds + 1), failed)
    result = dataclasses.replace(result, left_out=left_out)
    print(report.write(result, out_dir).markdown())
    return result, out_dir / REPORT_FILE
