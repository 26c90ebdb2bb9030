"""The page of a tuning: the best settings, the history in pictures, and all trials."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState

from experiments.reports.blocks import Bullets, Picture, Pictures
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Number, Text
from experiments.reports.plots import COLOURS, INK, label_axes, literal, panel
from experiments.reports.words import plain
from experiments.runs.pages import report as run_report
from experiments.runs.pages.report import REPORT_FILE
from experiments.tune import study as studies
from experiments.tune.objective import Objective
from experiments.tune.space import Choice
from experiments.tune.study import Study
from experiments.tune.trials import BEST_FILE, REASON, SECONDS, STEP

_LEAST_FOR_IMPORTANCE = 8  # finished trials, below which importances are noise


def write(study: Study, model: str, objective: Objective) -> pathlib.Path:
    """Writes the page of a study, finished or not, and that of its best trial; returns its path."""
    if (best := study.best()) is not None:
        run_report.write(study.run_dir(best.number))
    path = study.folder / REPORT_FILE
    document(study, model, objective).write(path)
    return path


def document(study: Study, model: str, objective: Objective) -> Document:
    """Returns the page."""
    pictures = [_history(study, objective), _curves(study, objective)]
    slices = [_slice(study, objective, one.name) for one in study.dimensions]
    unfinished = len(study.trials(TrialState.RUNNING))
    return Document(
        f"Tuning of {model}",
        Section("In short", [Bullets(sentences(study, objective))]),
        [
            Section("History", [Pictures([one for one in pictures if one])]),
            Section("What decides the metric", _importances(study)),
            Section(
                "The metric against each setting",
                [Pictures([one for one in slices if one], "A dot per trial; the best is filled.")],
            ),
            Section.of(trials_grid(study)),
        ],
        incomplete=[f"{unfinished} trials are not finished"] if unfinished else [],
    )


def sentences(study: Study, objective: Objective) -> list[str]:
    """Returns what came of a study, a sentence each."""
    complete, pruned = (len(study.trials(state)) for state in studies.FINISHED)
    trials = study.trials()
    visits = sum(trial.user_attrs.get(studies.ROW_VISITS, 0) for trial in trials)
    seconds = sum(trial.user_attrs.get(SECONDS, 0.0) for trial in trials)
    found = [
        f"{complete} trials are complete, {pruned} ended early; they read {visits:,} training "
        f"rows, each time counted, and took {seconds / 60:.1f} minutes of one process."
    ]
    if (best := study.best()) is not None:
        words = ", ".join(f"{name} {plain(v)}" for name, v in _values(best).items())
        found.append(
            f"The best {objective.label} is {best.values[0]:.5g}, of trial {best.number}: {words}. "
            f"{BEST_FILE} has its settings."
        )
        found.append(
            "It is the best of several on the same validation rows, and so better than the same "
            "settings will be on others; the test split was never opened."
        )
    return found


def trials_grid(study: Study) -> Grid:
    """Returns a line for each trial."""
    names = [one.name for one in study.dimensions]

    def setting(name: str) -> Callable[[FrozenTrial], str | None]:
        return lambda trial: _printed(_values(trial).get(name))

    columns = [
        Number("trial", lambda trial: trial.number),
        Text("state", lambda trial: trial.state.name.lower()),
        Number("value", lambda trial: trial.values[0] if trial.values else None, ".5f"),
        Number("best at step", lambda trial: trial.user_attrs.get(STEP), ","),
        Number("rows read", lambda trial: trial.user_attrs.get(studies.ROW_VISITS), ","),
        Number("seconds", lambda trial: trial.user_attrs.get(SECONDS), ".0f"),
        *(Text(name, setting(name)) for name in names),
        Text("ended early", lambda trial: trial.user_attrs.get(REASON), missing=""),
    ]
    return Grid.of("All trials", columns, study.trials())


def _values(trial: FrozenTrial) -> Mapping[str, object]:
    return trial.user_attrs.get(studies.SETTINGS, {})


def _printed(value: object) -> str | None:
    return None if value is None else plain(value)


def _complete(study: Study) -> list[FrozenTrial]:
    return study.trials(TrialState.COMPLETE)


def _history(study: Study, objective: Objective) -> Picture | None:
    """Returns the value of each complete trial, and the best so far."""
    trials = _complete(study)
    if not trials:
        return None
    numbers = [trial.number for trial in trials]
    values = np.array([trial.values[0] for trial in trials])
    best = (np.maximum if objective.maximized else np.minimum).accumulate(values)

    def draw(axes: Axes) -> None:
        axes.plot(numbers, values, "o", color=COLOURS[0], ms=4, label="trial")
        axes.step(numbers, best, where="post", color=COLOURS[1], lw=1.4, label="best so far")
        _mark_pruned(axes, study)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        label_axes(axes, "trial", literal(objective.label))
        axes.legend()

    return panel(draw, "value of each trial", "Value of each trial, and the best so far", 4.6)


def _mark_pruned(axes: Axes, study: Study) -> None:
    """Marks the trials that ended early at the panel's lower edge."""
    if pruned := [trial.number for trial in study.trials(TrialState.PRUNED)]:
        axes.plot(
            pruned,
            [0.02] * len(pruned),
            "x",
            color=INK,
            ms=4,
            transform=axes.get_xaxis_transform(),
            label="ended early",
        )


def _curves(study: Study, objective: Objective) -> Picture | None:
    """Returns the value of each trial by training step."""
    trials = [trial for trial in study.trials(*studies.FINISHED) if trial.intermediate_values]
    best = study.best()
    if not trials or best is None:
        return None

    def draw(axes: Axes) -> None:
        for trial in sorted(trials, key=lambda trial: trial.number == best.number):
            steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
            pruned = trial.state == TrialState.PRUNED
            if trial.number == best.number:
                style: dict[str, Any] = {
                    "color": COLOURS[1],
                    "lw": 1.8,
                    "label": f"trial {trial.number}, the best",
                }
            else:
                style = {
                    "color": COLOURS[0],
                    "lw": 0.8,
                    "alpha": 0.5,
                    "ls": "--" if pruned else "-",
                }
            axes.plot(steps, values, marker="o", ms=2.5, **style)
        label_axes(axes, "training step (dashed: ended early)", literal(objective.label))
        axes.legend()

    return panel(draw, "value by step", "Value of each trial by training step", 4.6)


def _slice(study: Study, objective: Objective, name: str) -> Picture | None:
    """Returns the values of complete trials against one setting."""
    trials = _complete(study)
    if not trials:
        return None
    (dimension,) = (one for one in study.dimensions if one.name == name)
    best = study.best()
    values = [trial.values[0] for trial in trials]
    chosen = [_values(trial)[name] for trial in trials]
    discrete = isinstance(dimension, Choice)
    names = [plain(value) for value in dimension.values] if isinstance(dimension, Choice) else []

    def draw(axes: Axes) -> None:
        x: Sequence = [names.index(plain(value)) for value in chosen] if discrete else chosen
        for place, value, trial in zip(x, values, trials, strict=True):
            filled = best is not None and trial.number == best.number
            face = COLOURS[1] if filled else "none"
            edge = COLOURS[1] if filled else COLOURS[0]
            axes.plot([place], [value], "o", mfc=face, mec=edge, ms=5)
        if discrete:
            axes.set_xticks(range(len(names)), names)
            axes.set_xlim(-0.5, len(names) - 0.5)
        else:
            axes.set_xscale("log")
        label_axes(axes, literal(name), literal(objective.label))

    return panel(draw, name, f"{objective.label} against {name}", 2.9, 2.5)


def _importances(study: Study) -> list:
    """Returns the share of each setting in the variance of the metric, by Optuna's fANOVA."""
    varied = {
        name
        for name in (one.name for one in study.dimensions)
        if len({plain(_values(trial)[name]) for trial in _complete(study)}) > 1
    }
    if len(_complete(study)) < _LEAST_FOR_IMPORTANCE or len(varied) < 2:
        return []
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = study.importances(evaluator)
    names = list(found)[::-1]

    def draw(axes: Axes) -> None:
        axes.barh(range(len(names)), [found[name] for name in names], color=COLOURS[0], height=0.6)
        axes.set_yticks(range(len(names)), [literal(name) for name in names])
        axes.tick_params(axis="y", length=0)
        label_axes(axes, "share of the metric's variance over trials (fANOVA)", "")

    height = 0.9 + 0.25 * len(names)
    caption = f"An estimate from {len(_complete(study))} complete trials."
    return [
        Pictures([panel(draw, "importance", "Importance of each setting", 4.6, height)], caption)
    ]
