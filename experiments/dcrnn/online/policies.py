"""Policies of an online experiment: trained models, and references to compare them with."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from data_prep.own_log.row_encoder import RowEncoder
from data_prep.radio.world import RadioWorld, Settings
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import DatasetError, Schema
from experiments.dcrnn.online.experiment import Candidates, Design, Outcomes, Policy, run_experiment
from experiments.runs import run_folder, trained_runs
from experiments.runs.trained_runs import TrainedRun


def world_of(schema: Schema) -> RadioWorld:
    """The simulated radio that a dataset was logged in.

    Raises:
      DatasetError: the dataset is of something else, or of a radio where plays need no click.
    """
    simulation = schema.source.get("simulation") or {}
    settings = simulation.get("settings") if isinstance(simulation, Mapping) else None
    names = {field.name for field in dataclasses.fields(Settings)}
    if not isinstance(settings, Mapping) or set(settings) != names:
        raise DatasetError(
            f"dataset {schema.name} is not of the simulated radio (its schema keeps no settings of "
            "that), so nobody knows what its users would do; simulate one with "
            "data_prep.radio.simulate"
        )
    if not settings["chained"]:
        raise DatasetError(
            f"dataset {schema.name} was simulated with --nochained, so that valid plays need no "
            "click; simulate one without it"
        )
    return RadioWorld(Settings(**settings))


def load_arms(
    folders: Mapping[str, Mapping[int, pathlib.Path]],
) -> dict[str, dict[int, TrainedRun]]:
    """Loads the models of an experiment.

    Args:
      folders: run folders, `{arm: {seed: folder}}`.

    Returns:
      `{arm: {seed: run}}`.

    Raises:
      DatasetError: arms have different seeds, a run is missing or not finished, or two of them
        were trained on different data.
    """
    arms: dict[str, dict[int, TrainedRun]] = {}
    first = next(iter(folders))
    for arm, runs in folders.items():
        if list(runs) != list(folders[first]):
            raise DatasetError(
                f"{arm} has runs of seeds {', '.join(map(str, runs))}, {first} of "
                f"{', '.join(map(str, folders[first]))}; arms are compared seed by seed"
            )
        for folder in runs.values():
            if not run_folder.finished(folder):
                raise DatasetError(f"{folder} holds no finished run; train it first")
        arms[arm] = {seed: trained_runs.load(folder) for seed, folder in runs.items()}
    loaded = [(folders[arm][seed], run) for arm in arms for seed, run in arms[arm].items()]
    for folder, run in loaded:
        if run.dataset.schema.fingerprint != loaded[0][1].dataset.schema.fingerprint:
            raise DatasetError(
                f"{folder} and {loaded[0][0]} were trained on different data (fingerprints "
                "differ), so they cannot meet in one experiment; train them on the same"
            )
    return arms


def model_policy(run: TrainedRun) -> Policy:
    """Scores by the predicted probability of a click times that of a valid play.

    Both are per exposure, as the labels are, and with the positive weights of the loss taken off.
    """
    fields = [field.name for field in run.dataset.schema.fields]

    def score(candidates: Candidates) -> np.ndarray:
        logits = run.predictor.score({name: candidates.features[name] for name in fields})
        # ln(p(click) p(play)); ln(sigmoid(x)) = -ln(1 + exp(-x))
        losses = (np.logaddexp(0.0, -values.astype(np.float64)) for values in logits.values())
        return -functools.reduce(np.add, losses)

    return score


def logging_policy(candidates: Candidates) -> np.ndarray:
    """Scores that are all the same: the albums that the logging policy drew first are shown."""
    return np.zeros(len(candidates.click_probability))


def popularity(candidates: Candidates) -> np.ndarray:
    """Scores by how often the training rows have the album, which is the order of its ids."""
    rows = candidates.features["album_id"]
    return np.where(rows < FIRST_ID_ROW, -np.inf, -rows.astype(np.float64))


def oracle(candidates: Candidates) -> np.ndarray:
    """Scores as a model would that knew the true probabilities."""
    click = candidates.click_probability
    return click * (click * candidates.play_probability)


REFERENCES = {"as logged": logging_policy, "popularity": popularity, "oracle": oracle}


def compare(
    arms: Mapping[str, Mapping[int, TrainedRun]],
    design: Design,
    progress: Callable[[int], object] = lambda users: None,
) -> tuple[dict[str, dict[int, Outcomes]], dict[str, Outcomes]]:
    """Runs the experiment with trained models, and with `REFERENCES`.

    Args:
      arms: `{arm: {seed: run}}`, from `load_arms`.
      design: Size of the experiment.
      progress: called with a number of users each time that some are done.

    Returns:
      `{arm: {seed: outcomes}}` and `{reference: outcomes}`.

    Raises:
      DatasetError: the models' data are not of the simulated radio, or `run_experiment` raises it.
    """
    dataset = next(run.dataset for runs in arms.values() for run in runs.values())
    models = {(arm, seed): run for arm, runs in arms.items() for seed, run in runs.items()}
    policies = {f"{arm}, seed {seed}": model_policy(run) for (arm, seed), run in models.items()}
    world = world_of(dataset.schema)
    found = run_experiment(
        world, RowEncoder(dataset.folder), policies | REFERENCES, design, progress
    )
    outcomes = {
        arm: {seed: found[f"{arm}, seed {seed}"] for seed in runs} for arm, runs in arms.items()
    }
    return outcomes, {name: found[name] for name in REFERENCES}
