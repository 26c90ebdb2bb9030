"""Rehearses Ali-CCP at its full size: simulates its raw files, prepares them, trains, evaluates.

  python -m experiments.rehearse

The raw files have as many rows as the published ones, and histories as long. DCRNN+BiLSTM+Ada is
trained for an epoch on a part of the training rows and evaluated on all test rows. The page tells
what each program took. The same command goes on after an interruption; the page then says which
figures are of the last attempt alone.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_prep.ali_ccp.world_settings import PRESETS
from data_prep.simulation import sizes as simulators
from data_prep.storage import sizes as preparations
from dcrnn_tf.system import command_line, interruption, room
from dcrnn_tf.system.room import Need
from dcrnn_tf.system.settings import setting
from dcrnn_tf.system.whole_file import whole_file
from experiments.programs import shielded

if TYPE_CHECKING:
    from experiments.reports.document import Document

_LARGEST_SHARE = 0.9  # of the training rows
_LISTS = 200  # longest list that is kept
_MODEL = (
    "--epochs=1",
    "--model=dcrnn",
    "--set=cell=lstm",
    "--set=bidirectional=true",
    "--set=adaptation=true",
)
# At the full size, on two cores beside other work.
_TRAINING_MEMORY, _TRAINED, _EVALUATED = 7.5e9, 10_000, 60_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """How many rows there are, and where everything lies."""

    preset: str = setting(
        "full",
        "full: as many rows as the published files, 45 GB. smoke: 0.1 percent of them.",
        choices=("full", "smoke"),
    )
    train_rows: int = setting(
        4_000_000, "Number of training rows that the model sees; a thousandth in smoke.", lower=1
    )
    batch_size: int = setting(1024, "Number of examples of a training step.", lower=1)
    work_dir: str = setting("data", "Folder of the simulated and the prepared data.")
    out_dir: str = setting("runs", "Folder of the run and of the page.")


@dataclasses.dataclass(frozen=True)
class Stage:
    """A program of the rehearsal.

    Attributes:
      name: What it does, in a word.
      module: Module of the program.
      flags: Its flags.
      made: File or folder that is there when the program has ended without an error.
    """

    name: str
    module: str
    flags: Sequence[str]
    made: pathlib.Path


def main(settings: Settings) -> None:
    """Runs the program."""
    from data_prep.storage import fewer_rows  # late: they take long to import

    share = 1 if settings.preset == "full" else 1000
    rows = {split: PRESETS["full"].rows(split) // share for split in ("train", "test")}
    work = pathlib.Path(settings.work_dir)
    raw, prepared = (work / f"rehearsal-{settings.preset}-{part}" for part in ("raw", "prepared"))
    wanted = settings.train_rows // share
    part = prepared.with_name(f"{prepared.name}-{wanted}")
    out_dir = pathlib.Path(settings.out_dir, f"rehearsal-{settings.preset}")
    run_dir = out_dir / f"run-{wanted}"
    if not 0 < wanted <= _LARGEST_SHARE * rows["train"]:
        raise command_line.UsageError(
            f"--train_rows={settings.train_rows} leaves {wanted:,} of {rows['train']:,} rows, "
            f"expected 1 to {_LARGEST_SHARE:.0%} of them, since validation takes some"
        )
    simulated = simulators.ali_ccp(sum(rows.values()), 1.0)
    need = Need(0, _TRAINING_MEMORY, wanted / _TRAINED + rows["test"] / _EVALUATED)
    if not raw.exists():
        need += simulated
    if not prepared.exists():
        need += preparations.ALI_CCP.need(simulated.disk)
    room.require("The rehearsal", work, need, [prepared.with_name(f"{prepared.name}.work")])
    size = [f"--{split}_rows={count}" for split, count in rows.items()]
    size += [] if share == 1 else ["--conversion_rate=0.01"]  # so few rows had none
    simulation, preparation, training = (
        Stage(
            "simulation",
            "data_prep.ali_ccp.simulate",
            ["--preset=full", *size, f"--out_dir={raw}"],
            raw,
        ),
        Stage(
            "preparation",
            "data_prep.ali_ccp",
            [f"--raw_dir={raw}", f"--out_dir={prepared}", f"--max_values={_LISTS}"],
            prepared,
        ),
        Stage(
            "training",
            "experiments.train",
            [
                f"--data_dir={part}",
                f"--run_dir={run_dir}",
                f"--batch_size={settings.batch_size}",
                *_MODEL,
            ],
            run_dir / "result.json",
        ),
    )
    records = [measured(simulation, out_dir), measured(preparation, out_dir)]
    fewer_rows.make(prepared, part, wanted)
    records.append(measured(training, out_dir))
    page = _page(rows, records, json.loads(training.made.read_text(encoding="utf-8")))
    page.write(out_dir / "rehearsal.md", out_dir / "rehearsal.csv", out_dir / "report.html")
    print(page.markdown())
    print(f"Report: {out_dir / 'report.html'}")


def measured(stage: Stage, out_dir: pathlib.Path) -> Mapping[str, Any]:
    """Runs a program unless it has ended before; returns what it took.

    The figures are in the file `STAGE.json`; it is written first, so that another attempt is known
    as such.
    """
    path = out_dir / f"{stage.name}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"attempts": 0}
    if "seconds" in record and stage.made.exists():
        return record
    record = {"stage": stage.name, "attempts": record["attempts"] + 1}
    out_dir.mkdir(parents=True, exist_ok=True)
    _save(path, record)
    started = time.monotonic()
    process = subprocess.Popen(shielded([sys.executable, "-m", stage.module, *stage.flags]))
    try:
        _, status, used = os.wait4(process.pid, 0)
    except interruption.Interrupted:
        process.terminate()
        os.wait4(process.pid, 0)
        raise
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))
    record |= {
        "seconds": time.monotonic() - started,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * 1024,
        "disk": room.size_of(stage.made if stage.made.is_dir() else stage.made.parent),
    }
    _save(path, record)
    return record


def _page(
    rows: Mapping[str, int], records: Sequence[Mapping[str, Any]], result: Mapping[str, Any]
) -> "Document":
    """Returns the page: what each program took, and what the run says of itself."""
    from experiments.reports.blocks import Facts
    from experiments.reports.document import Document, Section
    from experiments.reports.grid import Grid, Number, Text

    columns = [
        Text("program", "stage"),
        Number("minutes", lambda record: record["seconds"] / 60, ".1f"),
        Number("processor minutes", lambda record: record["processor_seconds"] / 60, ".1f"),
        Number("memory", "memory", room.in_bytes),
        Number("written", "disk", room.in_bytes),
        Number("attempts", "attempts"),
    ]
    test = result["metrics"]["test"]
    facts = [
        ("Rows", ", ".join(f"{count:,} {split}" for split, count in rows.items())),
        ("Steps", f"{result['steps']:,}"),
        ("Rows per second of training", f"{result['rows_per_second']:,.0f}"),
        *((f"Test AUC, {task}", f"{metrics['auc']:.4f}") for task, metrics in test.items()),
    ]
    words = "Of a program that took several attempts the figures are those of the last."
    return Document(
        "Rehearsal of Ali-CCP",
        Section("In short", [Facts(facts)]),
        [Section("What the programs took", [Grid.of("Programs", columns, records), words])],
        warning="Simulated data",
        data=Grid.of("Programs", columns, records),
    )


def _save(path: pathlib.Path, record: Mapping[str, Any]) -> None:
    with whole_file(path) as file:
        json.dump(record, file, indent=2)


if __name__ == "__main__":
    command_line.run(main, Settings)
