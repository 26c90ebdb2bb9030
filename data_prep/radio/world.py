"""A simulated world of album recommendation: who is shown what, who clicks and who listens.

Users, albums and contexts meet in exposures. An exposure has two *utilities*, that of a click and
that of a valid play once clicked; their logistic functions, after a shift that fixes the rates, are
the probabilities. Each is a weighted sum of the effects of `EFFECTS`, standardised under the
logging policy. Every effect exists twice, drawn independently: once for the click, once for the
play's own part. The play's utility is

    V = r U + sqrt(1 - r^2) W,

with U the click's utility, W the play's own part made uncorrelated with U, and r the correlation of
the two tasks. Effects, by what they depend on (`t` stands for one of the two draws):

    popularity  how often the album is shown
    album       quality: of the author and the album's own
    user        the user's readiness
    affinity    taste_t(user) . topic_t(album): a taste is the sum of vectors of the user's age
                group, city and own, a topic of vectors of category, author and the album's own
    hour        cos(hour - peak_t(category)), a day being a full turn
    freshness   of the album
    place       page and position
    length      of the album, wanted on some networks and not on others

Device and weekday are noise. Models see ids, and statistics that estimate some of these quantities:
`STATISTICS`. All properties of a user are functions of the id and the seed, so that any id is a
user and none needs memory.
"""

import dataclasses
import functools

import numpy as np
import polars as pl
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from data_prep.radio.world_settings import Settings

# Shares of the variance of the click's utility, and of the play's own part.
EFFECTS = {
    "popularity": (0.05, 0.00),
    "album": (0.15, 0.20),
    "user": (0.10, 0.15),
    "affinity": (0.40, 0.40),
    "hour": (0.15, 0.15),
    "freshness": (0.07, 0.00),
    "place": (0.08, 0.00),
    "length": (0.00, 0.10),
}
TASKS = ("click", "play")
CLICK, PLAY = range(2)  # the two draws of an effect, places in TASKS

# Numeric columns, and the quantities that they estimate.
STATISTICS = {
    "album_log_plays": "popularity",
    "album_click_rate": "album click",
    "album_play_rate": "album play",
    "album_freshness": "freshness",
    "album_length": "length",
    "user_click_rate": "user click",
    "user_play_rate": "user play",
    "user_category_affinity": "category affinity",
}

CATEGORIES, AGE_GROUPS, CITIES, DEVICES = 12, 6, 12, 8
PAGES, POSITIONS, NETWORKS = 4, 10, 3
ALBUMS_PER_AUTHOR = 5
DIMENSIONS = 2  # of tastes and topics
SKEW = 2.0  # ids are drawn as floor(number * uniform ** SKEW)
PILOT_ROWS = 1 << 17
_NO_SPREAD = 1e-9  # what has less is a constant, such as the readiness of the only user

# Shares of the variance of a taste, and of a topic.
_OF_AGE, _OF_CITY, _OF_USER = 0.4, 0.3, 0.3
_OF_CATEGORY, _OF_AUTHOR, _OF_ALBUM = 0.6, 0.2, 0.2


@dataclasses.dataclass(frozen=True)
class Contexts:
    """When and where exposures happen, an integer each: `(rows,)` per attribute."""

    hour: np.ndarray
    weekday: np.ndarray
    page: np.ndarray
    position: np.ndarray
    network: np.ndarray

    def take(self, rows: np.ndarray) -> "Contexts":
        """The contexts at some places, as for several exposures of one session."""
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Contexts(**{name: column[rows] for name, column in columns.items()})


@dataclasses.dataclass(frozen=True)
class Exposures:
    """What is known of exposures, and what is true of them.

    Attributes:
      frame: the columns that models may see, ids as integers.
      click_probability: `(rows,)`.
      play_probability: Probability of a valid play given a click, `(rows,)`.
    """

    frame: pl.DataFrame
    click_probability: np.ndarray
    play_probability: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Users:
    """Properties of some users; vectors are `(draws, rows, DIMENSIONS)`."""

    age_group: np.ndarray
    city: np.ndarray
    device: np.ndarray
    readiness: np.ndarray
    taste: np.ndarray


class RadioWorld:
    """Draws exposures and tells their probabilities.

    Args:
      settings: Settings of the simulation; `rows` changes nothing here.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self._draw_fixed_properties(np.random.default_rng([settings.seed, 1]))
        random = np.random.default_rng([settings.seed, 2])
        quantities = self._quantities(
            self._users(self.draw_users(PILOT_ROWS, random)),
            self.draw_albums(PILOT_ROWS, random),
            self.contexts(PILOT_ROWS, random),
        )
        self._standard = {name: (x.mean(), x.std()) for name, x in quantities.items()}
        self._calibrate({name: self._standardised(name, x) for name, x in quantities.items()})

    def draw_users(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Ids of users as the log has them, `(count,)`, low ones more often."""
        return _skewed(self.settings.users, count, random)

    def draw_albums(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Ids of albums by the logging policy, `(count,)`, low ones more often."""
        return _skewed(self.settings.albums, count, random)

    def contexts(self, count: int, random: np.random.Generator) -> Contexts:
        """Draws contexts."""
        return Contexts(
            hour=np.searchsorted(self._hour_shares, random.random(count)),
            weekday=random.integers(0, 7, count),
            page=random.integers(0, PAGES, count),
            position=_skewed(POSITIONS, count, random),
            network=random.integers(0, NETWORKS, count),
        )

    def exposures(
        self,
        users: np.ndarray,
        albums: np.ndarray,
        contexts: Contexts,
        random: np.random.Generator,
    ) -> Exposures:
        """Shows albums to users.

        Args:
          users: ids, `(rows,)`; those from `settings.users` on never occur in the log.
          albums: ids, `(rows,)`.
          contexts: Contexts of the exposures.
          random: Generator of the noise in the statistics.
        """
        known = self._users(users)
        quantities = {
            name: self._standardised(name, quantity)
            for name, quantity in self._quantities(known, albums, contexts).items()
        }
        click, play = self._utilities(quantities)
        ids = {
            "user_id": users,
            "album_id": albums,
            "category": self._category[albums],
            "author": self._author[albums],
            "age_group": known.age_group,
            "city": known.city,
            "device": known.device,
            **{field.name: getattr(contexts, field.name) for field in dataclasses.fields(contexts)},
        }
        noise = random.standard_normal((len(STATISTICS), len(users)))
        statistics = {
            column: quantities[quantity] + self.settings.feature_noise * error
            for (column, quantity), error in zip(STATISTICS.items(), noise, strict=True)
        }
        return Exposures(
            pl.DataFrame(ids | statistics),
            expit(self.settings.signal * click + self._click_intercept),
            expit(self.settings.signal * play + self._play_intercept),
        )

    def _draw_fixed_properties(self, random: np.random.Generator) -> None:
        """Everything that is there in small numbers: albums, cities, hours and the like."""
        albums = self.settings.albums
        authors = -(-albums // ALBUMS_PER_AUTHOR)
        normal = random.standard_normal
        self._category = _skewed(CATEGORIES, albums, random)
        self._author = random.integers(0, authors, albums)
        self._quality = (normal((2, authors))[:, self._author] + normal((2, albums))) / np.sqrt(2)
        self._category_topic = np.sqrt(_OF_CATEGORY) * normal((2, CATEGORIES, DIMENSIONS))
        self._topic = (
            self._category_topic[:, self._category]
            + np.sqrt(_OF_AUTHOR) * normal((2, authors, DIMENSIONS))[:, self._author]
            + np.sqrt(_OF_ALBUM) * normal((2, albums, DIMENSIONS))
        )
        self._freshness, self._length = normal((2, albums))
        self._popularity = -np.log(np.arange(albums) + 0.5)
        self._age_taste = np.sqrt(_OF_AGE) * normal((2, AGE_GROUPS, DIMENSIONS))
        self._city_taste = np.sqrt(_OF_CITY) * normal((2, CITIES, DIMENSIONS))
        self._peak = random.uniform(0, 24, (2, CATEGORIES))
        self._page_appeal = random.permutation(np.linspace(-0.5, 0.5, PAGES))
        self._network_sign = random.permutation(np.linspace(-1, 1, NETWORKS))
        hours = 1.2 - np.cos(2 * np.pi * (np.arange(24) - 4) / 24)  # fewest at four at night
        self._hour_shares = np.cumsum(hours[:-1]) / hours.sum()

    def _users(self, ids: np.ndarray) -> _Users:
        uniform = functools.partial(_uniform, ids, self.settings.seed)
        age_group, city, device = (
            np.minimum((uniform(stream) ** power * number).astype(np.int64), number - 1)
            for stream, (number, power) in enumerate(
                ((AGE_GROUPS, 1.0), (CITIES, SKEW), (DEVICES, SKEW))
            )
        )
        own = np.stack([ndtri(uniform(10 + stream)) for stream in range(2 * (1 + DIMENSIONS))])
        own = own.reshape(2, 1 + DIMENSIONS, len(ids))
        taste = np.sqrt(_OF_USER) * own[:, 1:].swapaxes(1, 2)
        taste += self._age_taste[:, age_group] + self._city_taste[:, city]
        return _Users(age_group, city, device, own[:, 0], taste)

    def _quantities(
        self, users: _Users, albums: np.ndarray, contexts: Contexts
    ) -> dict[str, np.ndarray]:
        """All that effects and statistics are made of, `(rows,)` each.

        What exists in two draws has its draw's task in its name.
        """
        category = self._category[albums]
        place = self._page_appeal[contexts.page] - np.log(contexts.position + 1) / 2
        quantities = {
            "popularity": self._popularity[albums],
            "freshness": self._freshness[albums],
            "length": self._length[albums],
            "place": place,
            "length play": self._length[albums] * self._network_sign[contexts.network],
            "category affinity": _dot(users.taste[CLICK], self._category_topic[CLICK], category),
        }
        for draw, task in enumerate(TASKS):
            turn = 2 * np.pi / 24 * (contexts.hour - self._peak[draw, category])
            quantities[f"album {task}"] = self._quality[draw, albums]
            quantities[f"user {task}"] = users.readiness[draw]
            quantities[f"affinity {task}"] = _dot(users.taste[draw], self._topic[draw], albums)
            quantities[f"hour {task}"] = np.cos(turn)
        return quantities

    def _standardised(self, name: str, quantity: np.ndarray) -> np.ndarray:
        mean, deviation = self._standard[name]
        return (quantity - mean) / (deviation if deviation > _NO_SPREAD else 1.0)

    def _calibrate(self, quantities: dict[str, np.ndarray]) -> None:
        """Fixes scales and intercepts on standardised quantities of the logging policy."""
        click, own = (_sum_of_effects(quantities, draw) for draw in (CLICK, PLAY))
        self._click_scale = 1 / click.std()
        click = click * self._click_scale
        # What the own part happens to share with the click would add to the correlation.
        self._overlap = np.cov(click, own)[0, 1] / click.var()
        self._own_scale = 1 / (own - self._overlap * click).std()
        click, play = self._utilities(quantities)
        signal, settings = self.settings.signal, self.settings

        def intercept(utility: np.ndarray, weights: np.ndarray | None, rate: float) -> float:
            def excess(shift: float) -> float:
                return np.average(expit(signal * utility + shift), weights=weights) - rate

            return brentq(excess, -100, 100)

        self._click_intercept = intercept(click, None, settings.click_rate)
        clicked = expit(signal * click + self._click_intercept)
        weights = clicked if settings.chained else None
        self._play_intercept = intercept(play, weights, settings.play_rate)

    def _utilities(self, quantities: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """U and V of standardised quantities."""
        correlation = self.settings.task_correlation
        click = self._click_scale * _sum_of_effects(quantities, CLICK)
        own = self._own_scale * (_sum_of_effects(quantities, PLAY) - self._overlap * click)
        return click, correlation * click + np.sqrt(1 - correlation**2) * own


def _sum_of_effects(quantities: dict[str, np.ndarray], draw: int) -> np.ndarray:
    """The sum of a draw's effects, each with its share of the variance."""
    return sum(
        np.sqrt(shares[draw]) * quantities.get(f"{name} {TASKS[draw]}", quantities.get(name))
        for name, shares in EFFECTS.items()
        if shares[draw]
    )


def _dot(vectors: np.ndarray, table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Products of vectors with those of a table at some places, `(rows,)`."""
    return np.einsum("ij,ij->i", vectors, table[rows])


def _skewed(number: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Ids below `number`, `(count,)`; the share of the first x percent is x ** (1 / SKEW)."""
    return np.minimum((random.random(count) ** SKEW * number).astype(np.int64), number - 1)


def _uniform(ids: np.ndarray, seed: int, stream: int) -> np.ndarray:
    """A number inside (0, 1) for each id, the same whenever it is asked for."""
    key = _mixed(_mixed(np.array([seed], np.uint64)) + np.uint64(stream))
    bits = _mixed(np.asarray(ids, np.uint64) + key)
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mixed(bits: np.ndarray) -> np.ndarray:
    """SplitMix64: maps 64-bit numbers one to one on others that look random."""
    bits = bits * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
