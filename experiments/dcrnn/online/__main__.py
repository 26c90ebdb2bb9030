"""Table 3 of the DCRNN paper: parameters, and an online experiment, on simulated users.

Simulates the log of an album recommender, trains both models on it, lets each choose albums for
users of the same world who are not in the log, and compares clicks and valid plays. Finished runs
are not repeated; the experiment is, and gives the same figures.

Example:
  python -m experiments.dcrnn.online --preset=small --out_dir=runs/table3
"""

import dataclasses
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import changes, given, setting
from experiments.dcrnn import tables
from experiments.dcrnn.online.design import Design
from experiments.tables import make

OFFLINE = "offline"  # folder of the runs and of their AUC
USERS = {"small": Design.users, "smoke": 2_000}
FOLDERS = {"small": "runs/table3", "smoke": "runs/table3-smoke"}
Changes = changes(make.Settings, "preset", "work_dir", "seeds", "epochs", "rows", "parallel_runs")
DesignChanges = changes(Design)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the table is written."""

    out_dir: str | None = setting(None, "Folder of the table; runs/table3 by default.")


def main(chosen: Settings, changed: object, design_changes: object) -> None:
    """Runs the program."""
    settings = make.Settings(**given(changed))
    design = Design(**{"users": USERS[settings.size], **given(design_changes)})
    if design.shown > design.candidates:
        raise command_line.UsageError(
            f"--shown={design.shown} is more than --candidates={design.candidates}"
        )
    out_dir = pathlib.Path(chosen.out_dir or FOLDERS[settings.size])
    offline = make.make(tables.TABLE_3_OFFLINE, settings, out_dir / OFFLINE)
    import tqdm

    from experiments.dcrnn.online import files, policies
    from experiments.dcrnn.online.content import OnlineResult
    from experiments.runs.pages.report import REPORT_FILE

    command_line.use_threads(0)
    arms = policies.load_arms(
        {
            row.row.label: {run.seed: run.folder for run in row.runs}
            for row in offline.rows
            if row.runs
        }
    )
    with tqdm.tqdm(total=design.users, unit=" users", desc="online experiment") as bar:
        outcomes, references = policies.compare(arms, design, bar.update)
    result = OnlineResult(design, offline, outcomes, references)
    print(files.write(result, out_dir, offline=f"{OFFLINE}/{REPORT_FILE}").markdown())
    print(f"Report: {out_dir / REPORT_FILE}")


if __name__ == "__main__":
    command_line.run(main, Settings, Changes, DesignChanges)
