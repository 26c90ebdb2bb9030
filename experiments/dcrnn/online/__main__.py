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
from experiments.tables import datasets

FLAGS = flags.FLAGS
OFFLINE = "offline"  # folder of the runs and of their AUC
USERS = {"small": Design.users, "smoke": 2_000}
PASSED_ON = ("seeds", "epochs", "rows", "parallel_runs")  # flags of experiments.reproduce
FOLDERS = {"small": "runs/table3", "smoke": "runs/table3-smoke"}


def main() -> None:
    """Runs the program."""
    if FLAGS.shown > FLAGS.candidates:
        raise command_line.UsageError(
            f"--shown={FLAGS.shown} is more than --candidates={FLAGS.candidates}"
        )
    table = tables.TABLE_3_OFFLINE
    preset = table.presets[FLAGS.preset]
    seeds = range(1, (FLAGS.seeds or preset.seeds) + 1)
    out_dir = pathlib.Path(FLAGS.out_dir or FOLDERS[FLAGS.preset])
    offline_dir = out_dir / OFFLINE
    datasets.call(
        "experiments.reproduce",
        f"--table={table.name}",
        f"--preset={FLAGS.preset}",
        f"--out_dir={offline_dir}",
        f"--work_dir={FLAGS.work_dir}",
        *(f"--{name}={FLAGS[name].value}" for name in PASSED_ON if FLAGS[name].present),
    )
    import tqdm

    from experiments.dcrnn.online import files, policies
    from experiments.dcrnn.online.content import OnlineResult
    from experiments.tables.result import aggregate

    command_line.use_threads(0)
    users = FLAGS.users or USERS[FLAGS.preset]
    design = Design(users, FLAGS.visits, FLAGS.candidates, FLAGS.shown, FLAGS.seed)
    arms = policies.load_arms(
        {
            row.label: {seed: table.run_dir(offline_dir, row, seed) for seed in seeds}
            for row in table.rows
            if row.label in preset.labels or not preset.labels
        }
    )
    with tqdm.tqdm(total=users, unit=" users", desc="online experiment") as bar:
        outcomes, references = policies.compare(arms, design, bar.update)
    result = OnlineResult(design, aggregate(table, offline_dir, seeds), outcomes, references)
    path = files.write(result, out_dir, offline=f"{OFFLINE}/report.html")
    print((out_dir / "table3.md").read_text(encoding="utf-8"))
    print(f"Report: {path}")


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
