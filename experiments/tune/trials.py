"""Works on the trials of a study, one after the other, until the budget is spent."""

import time
from collections.abc import Mapping

import optuna

from dcrnn_tf.models import ModelError
from dcrnn_tf.system.whole_folder import remove_folder
from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.checkpoints import CHECKPOINTS
from dcrnn_tf.training.trainer import TrainingError
from experiments.runs import run_folder
from experiments.tune import study as studies
from experiments.tune.objective import Objective
from experiments.tune.runs import Tuned
from experiments.tune.study import Budget, Claimed, Study

BEST_FILE = "best.json"
REASON, SECONDS, STEP = "reason", "seconds", "step"
"""Attributes of trials: why one ended early, its time, the step of its best value."""


def work(study: Study, tuned: Tuned, objective: Objective, budget: Budget, prune: bool) -> None:
    """Makes the runs of trials until no other is to begin; other processes may do the same.

    Args:
      study: The study.
      tuned: The model that is tuned.
      objective: What is tuned.
      budget: What that may cost.
      prune: Whether trials end early that are worse than others at the same step.
    """
    began, done = time.monotonic(), 0
    while True:
        started = time.monotonic()
        with study.claim(budget) as claimed:
            if claimed is None:
                break
            reason = _run(tuned, claimed, objective, prune)
            outcome = tuned.outcome(claimed.folder)
            more: dict[str, object] = {REASON: reason} if reason else {}
            more |= {STEP: outcome.step} if outcome.step is not None else {}
            seconds = round(time.monotonic() - started, 1)
            value = None if reason else outcome.value
            study.tell(claimed, value, outcome.row_visits, **more, **{SECONDS: seconds})
            _keep_best(study, tuned)
        done += 1
        pace = (time.monotonic() - began) / done
        print(_progress(study, claimed, objective, budget, pace), flush=True)
    _keep_best(study, tuned)  # which a process that was killed behind its last trial did not do


def _run(tuned: Tuned, claimed: Claimed, objective: Objective, prune: bool) -> str | None:
    """Makes a trial's run, or goes on with it; returns why it ended early, if it did."""
    reported = set(claimed.reported)

    def after_validation(step: int, outputs: Mapping[str, Mapping]) -> None:
        value = objective.value(outputs)
        if value is not None and step not in reported:
            reported.add(step)
            claimed.trial.report(value, step)
        if prune and claimed.trial.should_prune():
            raise optuna.TrialPruned

    log = claimed.folder / metrics_log.METRICS_FILE
    try:
        # What the trial knew before its process was killed, and would have ended it.
        for step, outputs in metrics_log.evaluations(metrics_log.read(log), "validation").items():
            after_validation(step, outputs)
        tuned.run(claimed.values, claimed.folder, after_validation)
    except optuna.TrialPruned:
        return "worse than the median of complete trials at the same step"
    except (TrainingError, ModelError) as error:
        if isinstance(error, ModelError) and claimed.trial.number == 0:
            raise  # most likely through no fault of the values
        return str(error)
    return None


def _keep_best(study: Study, tuned: Tuned) -> None:
    """Writes the best settings, and removes the checkpoints of all finished trials but the best.

    One process at a time: another could see a better trial, and write its settings before.
    """
    with study.alone():
        best = study.best()
        if best is not None:
            content = tuned.best(study.run_dir(best.number))
            run_folder.write_json(study.folder / BEST_FILE, content)
        for trial in study.trials(*studies.FINISHED):
            if best is None or trial.number != best.number:
                remove_folder(study.run_dir(trial.number) / CHECKPOINTS)


def _progress(
    study: Study, claimed: Claimed, objective: Objective, budget: Budget, pace: float
) -> str:
    """Returns how the trial ended, the best so far, and how long the others may take."""
    trials = study.trials()
    frozen = trials[claimed.trial.number]
    value = "no value" if frozen.values is None else f"{frozen.values[0]:.5g}"
    if reason := frozen.user_attrs.get(REASON):
        value = f"ended early ({reason})"
    finished = len(study.trials(*studies.FINISHED))
    words = f"Trial {frozen.number}: {value}, {frozen.user_attrs[SECONDS]:.0f} s"
    if (best := study.best()) is not None:
        words += f"; best {objective.label} {best.values[0]:.5g} of trial {best.number}"
    left = max(budget.trials - finished, 0)
    return f"{words}; {finished} of {budget.trials} done, about {left * pace / 60:.1f} minutes left"
