"""The runs of a tuning: what a trial trains, by which values, and what comes of it."""

import contextlib
import gc
import importlib
import json
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from dcrnn_tf.dataset.schema import Schema, load_schema
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.system.settings import rules
from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.settings import TrainingSettings
from experiments import train
from experiments.runs import run_folder
from experiments.tables.spec import PROGRAMS
from experiments.tune import space
from experiments.tune.objective import Objective
from experiments.tune.space import Dimension

Values = Mapping[str, Any]
"""Values of flags, or of dimensions, by name."""


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
      value: Best value of the metric; None where it is not defined.
      step: Step of the best value; None for a model that is fitted at once.
      row_visits: Number of training rows that were read, each time counted.
    """

    value: float | None
    step: int | None
    row_visits: int


class Tuned(Protocol):
    """A model that is tuned on a dataset."""

    dimensions: tuple[Dimension, ...]

    def config(self) -> Values:
        """Returns what all trials have in common."""

    def run(self, values: Values, folder: pathlib.Path, after_validation: Callable) -> None:
        """Makes the run of a trial, or goes on with it."""

    def outcome(self, folder: pathlib.Path) -> Outcome:
        """Returns what came of a run, finished or not."""

    def best(self, folder: pathlib.Path) -> Values:
        """Returns values of flags by which the model's program repeats a run."""


class Network:
    """A model that `experiments.train` trains.

    Args:
      model: Name of the model.
      data_dir: Folder of the prepared dataset.
      objective: What is tuned.
      fixed: Values of flags that are not tuned.
    """

    def __init__(self, model: str, data_dir: str, objective: Objective, fixed: Values):
        from dcrnn_tf import models

        self._fixed = dict(fixed)
        self._model, self._data_dir, self._objective = model, data_dir, objective
        self._schema = load_schema(data_dir)
        self._width = models.registration(model).width
        self._check()
        self.dimensions = space.dimensions(model, fixed, self._width)
        self._counts: dict[str, int] = {}

    def config(self) -> Values:
        """Returns what all trials have in common."""
        return {"model": self._model, "data_dir": self._data_dir, **self._fixed}

    def run(self, values: Values, folder: pathlib.Path, after_validation: Callable) -> None:
        """Trains a model of its own by `experiments.train`, without the test split."""
        import keras

        keras.backend.clear_session()
        gc.collect()
        settings, training = self._settings(values, folder)
        with _logged(folder):
            train.main(settings, training, after_validation, paged=False)

    def outcome(self, folder: pathlib.Path) -> Outcome:
        """Returns the best value of the metric among all evaluations."""
        if not (folder / run_folder.CONFIG_FILE).exists():  # the model was refused
            return Outcome(None, None, 0)
        entries = metrics_log.read(folder / metrics_log.METRICS_FILE)
        step = metrics_log.best_step(entries, address=self._objective.address)
        last = max((entry["step"] for entry in entries), default=0)
        if result := run_folder.read_if_there(folder, run_folder.RESULT_FILE):
            last = result["steps"]
        batch_size = run_folder.read(folder, run_folder.CONFIG_FILE)["batch_size"]
        value = None
        if step is not None:
            value = self._objective.value(metrics_log.evaluations(entries, "validation")[step])
        return Outcome(value, step, row_visits(self._schema, batch_size, last))

    def best(self, folder: pathlib.Path) -> Values:
        """Returns the configuration of the run, which evaluates the test split."""
        config = run_folder.read(folder, run_folder.CONFIG_FILE)
        return {name: value for name, value in config.items() if name != "evaluate_test"}

    def _check(self) -> None:
        """Refuses a model or a metric that the dataset does not have, before there is a trial."""
        from dcrnn_tf import models
        from dcrnn_tf.models.derived_outputs import kinds
        from experiments.tables import equal_size

        splits = [name for name in self._schema.splits if name == "validation"]
        if not splits:
            raise UsageError(
                f"{self._data_dir} has no validation split, by which settings are chosen; prepare "
                "the dataset with one"
            )
        schema = self._schema.select_fields(self._fixed.get("fields") or self._names())
        of_model = self._fixed.get("set") or {}
        model = models.build(self._model, equal_size.with_small_tables(schema), **of_model)
        tasks = schema.tasks
        outputs = kinds(tasks, model.derived_outputs(tasks))
        self._objective.address.check(splits, outputs, schema.task_names)

    def _names(self) -> list[str]:
        return [field.name for field in self._schema.fields]

    def _settings(
        self, values: Values, folder: pathlib.Path
    ) -> tuple[train.Settings, TrainingSettings]:
        chosen = {"monitor": str(self._objective.address), **self._fixed}
        of_model = dict(self._fixed.get("set") or {})
        for name, value in values.items():
            if name.startswith(space.OF_MODEL):
                of_model[name.removeprefix(space.OF_MODEL)] = value
            elif name != space.SIZE:
                chosen[name] = value
        if space.SIZE in values:
            of_model = dict(self._of_size(of_model, values[space.SIZE]))
        chosen |= {
            "data_dir": self._data_dir,
            "run_dir": str(folder),
            "model": self._model,
            "set": of_model,
            "evaluate_test": False,
        }
        of_run, of_loop = (
            {name: chosen[name] for name in rules(kind) if name in chosen}
            for kind in (train.Settings, TrainingSettings)
        )
        return train.Settings(**of_run), TrainingSettings(**of_loop)

    def _of_size(self, of_model: Mapping[str, object], size: object) -> Mapping[str, object]:
        """Returns the model's settings with the width at which it is nearest to a size."""
        from dcrnn_tf import models
        from experiments.tables import equal_size

        default = models.settings(self._model).get(str(self._width))
        default = default[0] if isinstance(default, list | tuple) else default
        model, settings = space.REFERENCE
        target = round(self._count(model, settings) * float(str(size)))
        # A dropout rate has no parameters; trials that differ in it are of one width.
        counted = {name: value for name, value in of_model.items() if name != "dropout"}
        matched = equal_size.match(
            self._schema,
            self._model,
            counted,
            str(self._width),
            target,
            math.inf,
            lambda chosen: self._count(self._model, chosen),
            default // space.NARROWEST if isinstance(default, int) else 1,
        )
        return {**of_model, **matched.settings}

    def _count(self, model: str, settings: Mapping[str, object]) -> int:
        """Returns the number of parameters of a model, which is built once for each settings."""
        from experiments.tables import equal_size

        key = json.dumps([model, settings], sort_keys=True)
        if key not in self._counts:
            self._counts[key] = equal_size.parameters(self._schema, model, settings)
        return self._counts[key]


class Fitted:
    """A model that a program of `experiments.baselines` fits at once.

    Its settings are flags of that program.

    Args:
      model: Name of the model in `PROGRAMS`.
      data_dir: Folder of the prepared dataset.
      objective: What is tuned.
      fixed: Values of `set` and `seed` that are not tuned.

    Raises:
      UsageError: There is no such setting.
    """

    def __init__(self, model: str, data_dir: str, objective: Objective, fixed: Values):
        fixed = {name: value for name, value in fixed.items() if name != "threads"}  # it has none
        self._program = importlib.import_module(PROGRAMS[model].module)
        self._fixed = dict(fixed.get("set") or {})
        if "seed" in rules(self._program.Settings):
            self._fixed["seed"] = fixed["seed"]
        known = set(rules(self._program.Settings)) - {
            *("data_dir", "run_dir", "evaluate_test", "keep_scores")
        }
        if unknown := sorted(set(self._fixed) - known):
            raise UsageError(
                f"model {model} has no setting {', '.join(unknown)}; it has {', '.join(known)}"
            )
        if others := sorted(set(fixed) - {"set", "seed"}):
            raise UsageError(f"--{others[0]} is not for --model={model}; leave it out")
        self._model, self._data_dir, self._objective = model, data_dir, objective
        self._rows = load_schema(data_dir).split("train").rows
        self.dimensions = space.dimensions(model, self._fixed)

    def config(self) -> Values:
        """Returns what all trials have in common."""
        return {"model": self._model, "data_dir": self._data_dir, "set": self._fixed}

    def run(self, values: Values, folder: pathlib.Path, after_validation: Callable) -> None:
        """Fits the model, without the test split."""
        chosen = {**self._fixed, **values, "data_dir": self._data_dir, "run_dir": str(folder)}
        chosen = {
            name: rule.convert([chosen[name]] if rule.form is tuple else chosen[name])
            for name, rule in rules(self._program.Settings).items()
            if name in chosen
        }
        with _logged(folder):
            self._program.main(self._program.Settings(evaluate_test=False, **chosen), paged=False)

    def outcome(self, folder: pathlib.Path) -> Outcome:
        """Returns the metric of the fitted model."""
        result = run_folder.read_if_there(folder, run_folder.RESULT_FILE)
        value = self._objective.value(result["metrics"]["validation"]) if result else None
        return Outcome(value, None, self._rows)

    def best(self, folder: pathlib.Path) -> Values:
        """Returns the settings of the run as flags."""
        config = run_folder.read(folder, run_folder.CONFIG_FILE)
        flags = {"data_dir": config["data_dir"], **config["settings"]}
        has_seed = "seed" in rules(self._program.Settings)
        return flags | ({"seed": config["seed"]} if has_seed else {})


def row_visits(schema: Schema, batch_size: int, steps: int) -> int:
    """Returns the number of training rows of steps, of which an epoch's last may be smaller."""
    rows = schema.split("train").rows
    epochs, rest = divmod(steps, -(-rows // batch_size))
    return epochs * rows + min(rest * batch_size, rows)


@contextlib.contextmanager
def _logged(folder: pathlib.Path) -> Iterator[None]:
    """Lets a run print to a file beside its folder."""
    path = folder.with_suffix(".log")
    with open(path, "a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        try:
            yield
        finally:
            run_folder.close_run(folder)
