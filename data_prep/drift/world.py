"""The world of a simulated log that drifts: what is planted, and how it moves.

A user u and an item i have vectors of 4 numbers, standard normal on every day t. From one day to
the next each vector keeps its direction in part, and items are replaced in part:

    v_i(t) = sqrt(1 - drift) v_i(t - 1) + sqrt(drift) e,  e standard normal

so that the log looks alike on all days and only what is to be learned of an id grows old. The
logits of a click, and of a like where there is a click, are

    click = -1.5 + 0.6 q_i(t) + 0.5 u_u(t) . v_i(t),  like = -1 + q_i(t) + 0.5 a_u(t)

with q_i the first number of an item's vector and a_u the last one of a user's.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from data_prep.drift.world_settings import Settings

WIDTH = 4


@dataclasses.dataclass(frozen=True)
class Day:
    """The exposures of a day, `(rows,)` each.

    Attributes:
      user: Numbers of the users.
      item: Numbers of the items; no item that was replaced comes again.
      hour: Hours of the day.
      click: Probability of a click.
      like: Probability of a like where there is a click.
    """

    user: np.ndarray
    item: np.ndarray
    hour: np.ndarray
    click: np.ndarray
    like: np.ndarray


def days(settings: Settings) -> Iterator[Day]:
    """Yields the days one after the other."""
    random = np.random.default_rng(settings.seed)
    users = random.standard_normal((settings.users, WIDTH))
    items = random.standard_normal((settings.items, WIDTH))
    names, next_name = np.arange(settings.items), settings.items
    shares = 1 / np.arange(1, settings.items + 1)
    for _ in range(settings.days):
        user = random.integers(0, settings.users, settings.rows_per_day)
        item = random.choice(settings.items, settings.rows_per_day, p=shares / shares.sum())
        hour = random.integers(0, 24, settings.rows_per_day)
        quality, taste = items[item, 0], np.sum(users[user] * items[item], axis=1)
        click = -1.5 + 0.6 * quality + 0.5 * taste
        like = -1.0 + quality + 0.5 * users[user, -1]
        yield Day(user, names[item], hour, _sigmoid(click), _sigmoid(like))
        users = _moved(users, settings.drift, random)
        items = _moved(items, settings.drift, random)
        replaced = np.flatnonzero(random.random(settings.items) < settings.churn)
        names = names.copy()
        names[replaced] = next_name + np.arange(len(replaced))
        next_name += len(replaced)
        items[replaced] = random.standard_normal((len(replaced), WIDTH))


def _moved(vectors: np.ndarray, drift: float, random: np.random.Generator) -> np.ndarray:
    new = random.standard_normal(vectors.shape)
    return np.sqrt(1 - drift) * vectors + np.sqrt(drift) * new


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))
