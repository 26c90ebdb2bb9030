"""An online experiment in the simulated radio: policies choose albums for users they do not know.

A visit is a context and some albums, all different, that the logging policy draws for it. A policy
scores these candidates, and the ones with the highest scores are shown; of equal scores the one
drawn first. Users are fresh: none of them is in the log that models were trained on.

Every policy meets the same users, visits, candidates and features. The same uniform numbers decide
over click and play, so that an album which two policies show in one visit has one outcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcrnn_tf.dataset.schema import DatasetError
from experiments.dcrnn.online.design import Design

if TYPE_CHECKING:
    from data_prep.own_log.row_encoder import RowEncoder
    from data_prep.radio.world import RadioWorld

BLOCK_ROWS = 1 << 16  # candidates scored at a time
_TRIES = 1000  # to draw albums that are not among a visit's candidates yet
_STREAM = 4  # of random numbers, apart from those that the world and the log are made of


@dataclasses.dataclass(frozen=True)
class Candidates:
    """What may be shown to some users, visit by visit.

    Attributes:
      features: `{field: (rows, ...)}`, with rows = visits * candidates.
      click_probability: true one, `(rows,)`.
      play_probability: true one of a valid play given a click, `(rows,)`.
      chances: uniform numbers that decide over click and play, `(2, rows)`.
    """

    features: Mapping[str, np.ndarray]
    click_probability: np.ndarray
    play_probability: np.ndarray
    chances: np.ndarray


Policy = Callable[[Candidates], np.ndarray]
"""Scores of candidates, `(rows,)`."""


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """What came of a policy, in sums by user, `(users,)` each.

    Attributes:
      exposures: albums shown.
      clicks, plays: of these; a play is a valid one, and needs a click.
      expected_clicks, expected_plays: their true probabilities, which have no noise of outcomes.
    """

    exposures: np.ndarray
    clicks: np.ndarray
    plays: np.ndarray
    expected_clicks: np.ndarray
    expected_plays: np.ndarray


def run_experiment(
    world: RadioWorld,
    encoder: RowEncoder,
    policies: Mapping[str, Policy],
    design: Design,
    progress: Callable[[int], object] = lambda users: None,
) -> dict[str, Outcomes]:
    """Shows albums by each policy, in memory of a block of users and of the outcomes.

    Args:
      world: World that users, albums and contexts come from.
      encoder: Encoder of the features of the dataset that the policies were trained on.
      policies: `{name: policy}`.
      design: Size of the experiment.
      progress: called with a number of users each time that some are done.

    Returns:
      `{name: outcomes}`.

    Raises:
      DatasetError: the world has too few albums, or a policy gives scores that are no numbers.
    """
    users = max(1, BLOCK_ROWS // (design.visits * design.candidates))
    parts: dict[str, list[Outcomes]] = {name: [] for name in policies}
    for block, first in enumerate(range(0, design.users, users)):
        ids = np.arange(first, min(first + users, design.users)) + world.settings.users
        random = np.random.default_rng([design.seed, _STREAM, block])
        candidates = _draw(world, encoder, ids, design, random)
        for name, policy in policies.items():
            scores = policy(candidates)
            if np.isnan(scores).any():
                raise DatasetError(f"{name} gives scores that are no numbers; train it again")
            parts[name].append(_outcomes(candidates, _chosen(scores, design), len(ids)))
        progress(len(ids))
    return {name: _joined(np.concatenate, outcomes) for name, outcomes in parts.items()}


def summed(outcomes: Sequence[Outcomes]) -> Outcomes:
    """The sum over several policies, such as one model trained with several seeds."""
    return _joined(lambda columns: np.sum(columns, axis=0), outcomes)


def _draw(
    world: RadioWorld,
    encoder: RowEncoder,
    users: np.ndarray,
    design: Design,
    random: np.random.Generator,
) -> Candidates:
    visits = len(users) * design.visits
    albums = _different_albums(world, visits, design.candidates, random).ravel()
    contexts = world.contexts(visits, random).take(np.repeat(np.arange(visits), design.candidates))
    users = np.repeat(users, design.visits * design.candidates)
    exposures = world.exposures(users, albums, contexts, random)
    return Candidates(
        encoder(exposures.frame),
        exposures.click_probability,
        exposures.play_probability,
        random.random((2, len(albums))),
    )


def _different_albums(
    world: RadioWorld, visits: int, candidates: int, random: np.random.Generator
) -> np.ndarray:
    """Albums of the logging policy, `(visits, candidates)`, none twice in a visit."""
    albums = world.draw_albums(visits * candidates, random).reshape(visits, candidates)
    for _ in range(_TRIES):
        # Stable, so that of equal albums the first drawn is the first in order.
        order = np.argsort(albums, axis=1, kind="stable")
        ordered = np.take_along_axis(albums, order, axis=1)
        repeated = np.zeros(albums.shape, bool)
        np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
        if not repeated.any():
            return albums
        albums[repeated] = world.draw_albums(int(repeated.sum()), random)
    raise DatasetError(
        f"the world has {world.settings.albums} albums, too few to find {candidates} different "
        "ones for a visit; choose fewer --candidates"
    )


def _chosen(scores: np.ndarray, design: Design) -> np.ndarray:
    """Rows of the candidates with the highest scores, `(visits * shown,)`, visit by visit."""
    scores = scores.reshape(-1, design.candidates)
    best = np.argsort(-scores, axis=1, kind="stable")[:, : design.shown]
    best = np.sort(best, axis=1)  # policies that show the same albums have sums of the same bits
    return (best + np.arange(len(scores))[:, None] * design.candidates).ravel()


def _outcomes(candidates: Candidates, rows: np.ndarray, users: int) -> Outcomes:
    click, play = candidates.click_probability[rows], candidates.play_probability[rows]
    chances = candidates.chances[:, rows]
    clicked = chances[0] < click
    columns = (np.ones(len(rows)), clicked, clicked & (chances[1] < play), click, click * play)
    sums = (column.reshape(users, -1).sum(axis=1, dtype=np.float64) for column in columns)
    return Outcomes(*sums)


def _joined(
    join: Callable[[Sequence[np.ndarray]], np.ndarray], outcomes: Sequence[Outcomes]
) -> Outcomes:
    columns = [
        [getattr(one, field.name) for one in outcomes] for field in dataclasses.fields(Outcomes)
    ]
    return Outcomes(*map(join, columns))
