"""A simulated WeChat Big Data Challenge: users, feeds and what is planted behind the behaviours.

Every feed has one of `TOPICS` topics; its author, song, singer, keywords and tags are mostly of
that topic (the topic of an id's number is the number modulo `TOPICS`), and so feeds with few
exposures can be known by their neighbours. Every user is of one of `CIRCLES` circles, of which
`device` tells a part. A feed is shown without regard to its user.

The logit of a behaviour is a sum of *effects*, each a table of numbers with zero mean: of the user
(some read every comment, others none), of the user's circle with the feed's topic (tastes, a
product that a linear model does not see), of the device with the topic, of the author, of the feed
itself (its quality), of the topic and of the video's length. A table is drawn for each behaviour,
and one that all behaviours share; `SHARED` is the correlation of a behaviour's table with the
latter, so that behaviours are correlated. Given the logits, behaviours are independent: the true
probabilities are what a perfect model would predict from userid, device and feedid.

Two things make the structure learnable from some hundred thousand rows, where networks otherwise
memorise users and feeds: few users and feeds have most of the exposures, and what is behind a
behaviour is for the most part a matter of groups.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from data_prep.wechat.fields import BEHAVIOURS
from data_prep.wechat.world_settings import CIRCLES, DAYS, TOPICS, Settings

DEVICES = 2
BLOCK_ROWS = 1 << 16
PILOT_ROWS = 1 << 17
USER_SKEW = 4.0  # the user of an exposure has number `users * uniform ** USER_SKEW`
FEED_SKEW = 3.0
DEVICE_SURE = 0.9  # share of the users whose device is that of most of their circle
SHARED = 0.8

# Share of the exposures with each behaviour, about the published ones.
RATES = {
    "read_comment": 0.035,
    "comment": 0.0004,
    "like": 0.026,
    "click_avatar": 0.0075,
    "forward": 0.0038,
    "follow": 0.0008,
    "favorite": 0.0014,
}
# Relative sizes of the effects, and the standard deviation of each behaviour's logit.
EFFECTS = {
    "user": 0.5,
    "circle x topic": 0.4,
    "device x topic": 0.5,
    "author": 0.25,
    "feed": 0.1,
    "topic": 0.5,
    "length": 0.35,
}
SCALES = {
    "read_comment": 2.2,
    "comment": 1.7,
    "like": 2.0,
    "click_avatar": 2.0,
    "forward": 1.7,
    "follow": 1.7,
    "favorite": 1.7,
}
LENGTH_STEPS = 8  # the effect of the length is a step function of its logarithm


@dataclasses.dataclass(frozen=True)
class Feeds:
    """The feeds, by number: the topic of each and what the feed file says, `(feeds,)` each."""

    ids: np.ndarray
    topic: np.ndarray
    author: np.ndarray
    seconds: np.ndarray


@dataclasses.dataclass(frozen=True)
class Block:
    """Exposures in the order of the file, `(rows,)` each.

    Attributes:
      user: number of the user.
      feed: number of the feed.
      day: Number of the day, from 1.
      probabilities: Probability of each behaviour.
      labels: 0 or 1, of each behaviour.
      play: milliseconds that the video was played.
      stay: milliseconds that the user stayed with it, at least `play`.
    """

    user: np.ndarray
    feed: np.ndarray
    day: np.ndarray
    probabilities: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    play: np.ndarray
    stay: np.ndarray


class Simulation:
    """Makes users, feeds and exposures of one seed."""

    def __init__(self, settings: Settings):
        self.settings = settings
        random = self._random(0)
        self.user_ids = _distinct_ids(random, settings.users, 250_000)
        self._circle = random.permutation(np.arange(settings.users) % CIRCLES)
        usual = self._circle * DEVICES // CIRCLES
        sure = random.random(settings.users) < DEVICE_SURE
        self.device = np.where(sure, usual, random.integers(DEVICES, size=settings.users))
        self.feeds = self._draw_feeds(self._random(1))
        self._tables = self._draw_tables(self._random(2))
        self._intercepts: dict[str, float] = {}
        self._calibrate(self._random(3))

    def blocks(self) -> Iterator[Block]:
        """Yields the exposures, day by day."""
        rows = self.settings.rows
        random = self._random(4)
        for start in range(0, rows, BLOCK_ROWS):
            number = np.arange(start, min(start + BLOCK_ROWS, rows))
            user, feed = self._draw_exposures(random, len(number))
            logits = self._logits(user, feed)
            probabilities = {name: _sigmoid(logit) for name, logit in logits.items()}
            labels = {
                name: (random.random(len(number)) < probability).astype(np.int64)
                for name, probability in probabilities.items()
            }
            play, stay = self._watched(random, feed, logits, labels)
            day = 1 + number * DAYS // rows
            yield Block(user, feed, day, probabilities, labels, play, stay)

    def _random(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, stream])

    def _draw_feeds(self, random: np.random.Generator) -> Feeds:
        count = self.settings.feeds
        topic = random.permutation(np.arange(count) % TOPICS)
        return Feeds(
            ids=_distinct_ids(random, count, 113_000),
            topic=topic,
            author=draw_numbers(random, topic, max(TOPICS, count // 20)),
            seconds=np.clip(np.round(random.lognormal(3.0, 0.7, count)), 3, 60).astype(np.int64),
        )

    def _draw_exposures(
        self, random: np.random.Generator, rows: int
    ) -> tuple[np.ndarray, np.ndarray]:
        user = self.settings.users * random.random(rows) ** USER_SKEW
        feed = self.settings.feeds * random.random(rows) ** FEED_SKEW
        return user.astype(np.int64), feed.astype(np.int64)

    def _indices(self, user: np.ndarray, feed: np.ndarray) -> dict[str, np.ndarray]:
        """Returns each exposure's index in the table of each effect, `{effect: (rows,)}`."""
        feeds = self.feeds
        topic = feeds.topic[feed]
        steps = np.log(feeds.seconds / 3) / np.log(60 / 3) * LENGTH_STEPS
        return {
            "user": user,
            "circle x topic": self._circle[user] * TOPICS + topic,
            "device x topic": self.device[user] * TOPICS + topic,
            "author": feeds.author[feed],
            "feed": feed,
            "topic": topic,
            "length": np.minimum(steps, LENGTH_STEPS - 1).astype(np.int64)[feed],
        }

    def _draw_tables(self, random: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
        """Draws the table of each behaviour's effects, `{behaviour: {effect: values}}`."""
        sizes = {
            "user": (self.settings.users,),
            "circle x topic": (CIRCLES, TOPICS),
            "device x topic": (DEVICES, TOPICS),
            "author": (self.feeds.author.max() + 1,),
            "feed": (self.settings.feeds,),
            "topic": (TOPICS,),
            "length": (LENGTH_STEPS,),
        }

        def draw(size: tuple[int, ...], apart_from: np.ndarray | None = None) -> np.ndarray:
            values = random.normal(size=size)
            for axis in range(len(size)):  # a product holds nothing that its sides hold alone
                values -= values.mean(axis=axis, keepdims=True)
            values = values.ravel()
            if apart_from is not None:  # else small tables would be correlated by chance
                values -= (values @ apart_from) / (apart_from @ apart_from) * apart_from
            return values / values.std()

        shared = {effect: draw(size) for effect, size in sizes.items()}
        own_part = np.sqrt(1 - SHARED**2)
        return {
            name: {
                effect: SHARED * shared[effect] + own_part * draw(size, shared[effect])
                for effect, size in sizes.items()
            }
            for name in BEHAVIOURS
        }

    def _logits(self, user: np.ndarray, feed: np.ndarray) -> dict[str, np.ndarray]:
        indices = self._indices(user, feed)
        return {
            name: sum(table[indices[effect]] for effect, table in tables.items())
            + self._intercepts.get(name, 0.0)
            for name, tables in self._tables.items()
        }

    def _calibrate(self, random: np.random.Generator) -> None:
        """Standardises the effects, scales the logits, and finds the intercepts."""
        user, feed = self._draw_exposures(random, PILOT_ROWS)
        indices = self._indices(user, feed)
        for tables in self._tables.values():
            for effect, table in tables.items():
                values = table[indices[effect]]
                # A topic alone, or one author, has no spread.
                table[:] = EFFECTS[effect] * (table - values.mean()) / max(values.std(), 1e-9)
        for name, logit in self._logits(user, feed).items():
            factor = SCALES[name] / max(logit.std(), 1e-9)
            for table in self._tables[name].values():
                table *= factor
            logit = factor * logit
            low, high = -40.0, 40.0
            for _ in range(50):
                middle = (low + high) / 2
                too_many = _sigmoid(logit + middle).mean() > RATES[name]
                low, high = (low, middle) if too_many else (middle, high)
            self._intercepts[name] = middle

    def _watched(
        self,
        random: np.random.Generator,
        feed: np.ndarray,
        logits: dict[str, np.ndarray],
        labels: dict[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Milliseconds of play and stay; who acts has watched for a while."""
        acted = sum(labels.values()) > 0
        liking = sum((logit - self._intercepts[name]) for name, logit in logits.items())
        share = 1.6 * _sigmoid(liking / (2 * len(logits)) + random.normal(size=len(feed)))
        share[(random.random(len(feed)) < 0.03) & ~acted] = 0.0  # swiped away at once
        share = np.where(acted, np.maximum(share, 0.3), share)
        play = (1000 * self.feeds.seconds[feed] * share).astype(np.int64)
        more = random.exponential(1500.0 + 4000.0 * acted)
        return play, play + more.astype(np.int64)


def draw_numbers(random: np.random.Generator, topic: np.ndarray, count: int) -> np.ndarray:
    """Numbers from 0 of things of the given topics, small ones more often.

    Args:
      random: Generator of random numbers.
      topic: Topic of each draw, `(draws,)`.
      count: Number of things, rounded up to a multiple of `TOPICS`.
    """
    of_topic = -(-count // TOPICS)
    rank = of_topic * random.random(len(topic)) ** 1.5
    return TOPICS * rank.astype(np.int64) + topic


def _distinct_ids(random: np.random.Generator, count: int, most: int) -> np.ndarray:
    return random.choice(max(most, 2 * count), count, replace=False) + 1


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))
