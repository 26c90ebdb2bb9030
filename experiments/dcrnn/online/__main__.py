"""Table 3 of the DCRNN paper: parameters, and an online experiment, on simulated users.

Simulates the log of an album recommender, trains both models on it, lets each choose albums for
users of the same world who are not in the log, and compares clicks and valid plays. Finished runs
are not repeated; the experiment is, and gives the same figures.

Example:
  python -m experiments.dcrnn.online --preset=small --out_dir=runs/table3
"""

import pathlib

from absl import flags

from dcrnn_tf.system import command_line
from experiments.dcrnn import tables
from experiments.dcrnn.online.experiment import Design
from experiments.tables import make

FLAGS = flags.FLAGS
OFFLINE = "offline"  # folder of the runs and of their AUC
USERS = {"small": Design.users, "smoke": 2_000}
FOLDERS = {"small": "runs/table3", "smoke": "runs/table3-smoke"}


def main() -> None:
    """Runs the program."""
    if FLAGS.shown > FLAGS.candidates:
        raise command_line.UsageError(
            f"--shown={FLAGS.shown} is more than --candidates={FLAGS.candidates}"
        )
    settings = make.settings_of(FLAGS)
    out_dir = pathlib.Path(FLAGS.out_dir or FOLDERS[settings.size])
    offline = make.make(tables.TABLE_3_OFFLINE, settings, out_dir / OFFLINE)
    import tqdm

    from experiments.dcrnn.online import files, policies
    from experiments.dcrnn.online.content import OnlineResult
    from experiments.runs.report import REPORT_FILE

    command_line.use_threads(0)
    users = FLAGS.users or USERS[settings.size]
    design = Design(users, FLAGS.visits, FLAGS.candidates, FLAGS.shown, FLAGS.seed)
    arms = policies.load_arms(
        {
            row.row.label: {run.seed: run.folder for run in row.runs}
            for row in offline.rows
            if row.runs
        }
    )
    with tqdm.tqdm(total=users, unit=" users", desc="online experiment") as bar:
        outcomes, references = policies.compare(arms, design, bar.update)
    result = OnlineResult(design, offline, outcomes, references)
    print(files.write(result, out_dir, offline=f"{OFFLINE}/{REPORT_FILE}").markdown())
    print(f"Report: {out_dir / REPORT_FILE}")


def _define_flags() -> None:
    flags.DEFINE_enum("preset", "small", list(USERS), "Size of the logs and of the trainings.")
    flags.DEFINE_integer(
        "seeds", None, "Trainings of each model; the preset's if not given.", lower_bound=1
    )
    flags.DEFINE_integer("epochs", None, "Epochs; the preset's if not given.", lower_bound=1)
    flags.DEFINE_integer(
        "rows", None, "Exposures of the log; the preset's if not given.", lower_bound=1000
    )
    flags.DEFINE_integer(
        "parallel_runs", 0, "Trainings at a time; 0 is one per core.", lower_bound=0
    )
    flags.DEFINE_string("out_dir", None, "Folder of the table; runs/table3 if not given.")
    flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")
    flags.DEFINE_integer(
        "users", None, "Fresh users of the experiment; the preset's if not given.", lower_bound=1
    )
    flags.DEFINE_integer("visits", Design.visits, "Visits of each user.", lower_bound=1)
    flags.DEFINE_integer(
        "candidates", Design.candidates, "Albums to choose from in a visit.", lower_bound=1
    )
    flags.DEFINE_integer("shown", Design.shown, "Albums shown of these.", lower_bound=1)
    flags.DEFINE_integer("seed", Design.seed, "Seed of the experiment.", lower_bound=0)


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
