"""Fits gradient-boosted trees on a prepared dataset, the reference for networks on small data.

scikit-learn's HistGradientBoostingClassifier fits each task on the first `--max_rows` training
rows, a random sample since the rows of a prepared dataset lie in random order; a task of numbers
has the Regressor of the same name, which lowers the squared error of scaled numbers. How many of
the `--iterations` trees are used is chosen by the loss on the validation split; without one all
are. The run folder is like that of experiments.train.

Example:
  python -m experiments.baselines.boosted_trees --data_dir=data/ali_ccp --run_dir=runs/trees
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from experiments.runs.settings import RunSettings

if TYPE_CHECKING:
    from dcrnn_tf.dataset.reader import PreparedDataset
    from experiments.runs.fitted_run import Fitted


@dataclasses.dataclass(frozen=True)
class Settings(RunSettings):
    """The dataset, the folder of the run, and how the trees are fitted."""

    max_rows: int = setting(
        2_000_000, "Largest number of training examples that are used.", lower=1
    )
    iterations: int = setting(200, "Largest number of trees of a task.", lower=1)
    learning_rate: float = setting(
        0.1, "Learning rate: the factor on the values of each tree.", lower=1e-6
    )
    max_leaf_nodes: int = setting(31, "Largest number of leaves of a tree.", lower=2)
    min_samples_leaf: int = setting(20, "Smallest number of examples in a leaf.", lower=1)
    l2_regularization: float = setting(
        0.0, "Factor of the squared values of leaves in the loss.", lower=0
    )
    seed: int = setting(0, "Seed of the sample that bins are made of.", lower=0)


def main(settings: Settings, paged: bool = True) -> None:
    """Runs the program.

    Args:
      settings: What is fitted on what.
      paged: Whether the run has a report.
    """
    from dcrnn_tf.dataset.reader import PreparedDataset
    from experiments.runs import finish, fitted_run

    splits = finish.splits_of(settings.evaluate_test)
    dataset = PreparedDataset(settings.data_dir, splits=splits)
    names = ("max_rows", "iterations", "learning_rate", "max_leaf_nodes")
    chosen = {name: getattr(settings, name) for name in names}
    # Runs that were made before these settings had them at their defaults.
    later = {name: getattr(settings, name) for name in ("min_samples_leaf", "l2_regularization")}
    chosen |= {name: value for name, value in later.items() if value != getattr(Settings, name)}
    fitted_run.make(
        settings.run_dir,
        settings.data_dir,
        dataset.schema,
        "boosted_trees",
        chosen,
        lambda: fit(dataset, seed=settings.seed, **chosen),
        settings.seed,
        settings.evaluate_test,
        paged,
        settings.keep_scores,
    )


def fit(
    dataset: "PreparedDataset",
    max_rows: int,
    iterations: int,
    learning_rate: float,
    max_leaf_nodes: int,
    seed: int,
    min_samples_leaf: int = 20,
    l2_regularization: float = 0.0,
) -> "Fitted":
    """Fits all tasks and scores all splits but the training split."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from dcrnn_tf.metrics.class_logloss import class_logloss
    from dcrnn_tf.metrics.logloss import logloss
    from dcrnn_tf.metrics.rmse import rmse
    from experiments.baselines import inputs as tabular
    from experiments.runs.fitted_run import Fitted, learnable, offset, score

    schema = dataset.schema
    plan = tabular.columns(schema.fields)
    # float32, and as scikit-learn copies it: float64
    tabular.check_memory(dataset, max_rows, row_bytes=12 * len(plan))
    inputs, labels = tabular.read(dataset, "train", max_rows)
    known: dict[str, np.ndarray] = {}
    if "validation" in schema.splits:
        known_inputs, known = tabular.read(dataset, "validation", max_rows)
    weights = dataset.example_weights("train")
    models: dict[str, Any] = {}
    trees: dict[str, int] = {}
    by_name = {task.name: task for task in schema.tasks}
    targets = {task.name: tabular.target_of(task) for task in schema.tasks}

    def stages_of(task: str, batch: np.ndarray) -> Iterator[np.ndarray]:
        staged = "staged_predict" if targets[task] else "staged_decision_function"
        for scores in getattr(models[task], staged)(batch):
            if by_name[task].classes:
                yield tabular.class_logits(by_name[task], models[task].classes_, scores)
            else:
                yield scores

    for task in schema.tasks:
        name, target = task.name, targets[task.name]
        defined = learnable(task, labels[name])
        kind = HistGradientBoostingRegressor if target else HistGradientBoostingClassifier
        model = kind(
            learning_rate=learning_rate,
            max_iter=iterations,
            max_leaf_nodes=max_leaf_nodes,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            categorical_features=[column.categorical for column in plan],
            early_stopping=False,
            random_state=seed,
        )
        learned = tabular.learned(target, labels[name][defined])
        of_rows = weights[name][: len(defined)][defined] if name in weights else None
        models[name] = model.fit(inputs[defined], learned, of_rows)
        trees[name] = iterations
        if name in known and (rows := task.defined(known[name])).any():
            expected = tabular.learned(target, known[name][rows])
            loss = rmse if target else class_logloss if task.classes else logloss
            stages = stages_of(name, known_inputs[rows])
            losses = [loss(expected, scores + offset(task)) for scores in stages]
            trees[name] = 1 + int(np.argmin(losses))

    def score_batch(task: str, batch: np.ndarray) -> np.ndarray:
        chosen = next(itertools.islice(stages_of(task, batch), trees[task] - 1, None))
        return tabular.predicted(targets[task], chosen).astype(np.float32)

    held_out = score(dataset, lambda split: tabular.batches(dataset, split), score_batch)
    parameters = dict.fromkeys(("total", "embedding", "other"))
    return Fitted(*held_out, parameters, {"trees": trees})


if __name__ == "__main__":
    command_line.run(main, Settings)
