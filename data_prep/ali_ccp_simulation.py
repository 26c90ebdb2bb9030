"""A simulated Ali-CCP: users, exposures and the planted structure behind clicks and conversions.

Every item belongs to one of `GROUPS` groups, and so do its category, shop, brand and intention
nodes: the group of an id is its number modulo `GROUPS`. A user has a favourite group, from which
much of each of the four histories is drawn. An exposure's item is drawn without regard to its
user. The logit of a click is a sum of the effects of `CLICK_EFFECTS`, each of them a function of
the exposure's features alone:

- one field: a random number per id;
- two fields with few values (of an item's field, its group counts): a random table whose rows and
  columns have mean zero, so that neither field alone says anything;
- a history and a field of the item: the share of the history that is of the item's group.

All other fields are noise or repeat what these say. The logit of a conversion after a click is
`task_correlation` times that of the click and the rest `CONVERSION_EFFECTS`, both standardised.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from data_prep.ali_ccp_fields import FIELDS, PUBLISHED_COUNTS, SPLITS

GROUPS = 6
USERS_PER_BLOCK = 256
EXPOSURES_PER_USER = 58
TEST_USERS_IN_TRAIN = 0.5  # share of the test users who are in train too; the real one is unknown
HEAD_IDS = 0.02
HEAD_SKEW = 2.0
TAIL = 0.3

# Published field statistics of the Ali-CCP training file: share of exposures without the field.
# A user's demographic fields are missing together.
MISSING = {
    **{"101": 0.0022, "109_14": 0.0095, "110_14": 0.0095, "127_14": 0.0101, "150_14": 0.0024},
    **{"demographics": 0.1298, "126": 0.5842, "129": 0.3630},
    **{"216": 0.2886, "508": 0.3035, "509": 0.7788, "702": 0.7764, "853": 0.5896},
}
DEMOGRAPHICS = ("121", "122", "124", "125", "127", "128")
SMALL_FIELDS = {"121": 97, "122": 13, "124": 2, "125": 7, "126": 3, "127": 3, "128": 2, "129": 4}
POSITIONS = 3
# Mean number of tokens when present (the same statistics), longest list seen, and by how much
# more events are drawn because several events of one id make one token.
HISTORIES = {
    "109_14": (69.7, 1001, 1.2),
    "110_14": (252.5, 1001, 1.0),
    "127_14": (155.3, 1001, 1.0),
    "150_14": (136.3, 335, 1.05),
}
MEAN_NODES, LONGEST_NODES = 6.1, 38

# Number of ids of the full data, of which a smaller simulation has its share, and the least of it.
FULL_IDS = {"205": 4_000_000, "206": 12_000, "207": 1_500_000, "216": 400_000, "210": 110_000}
LEAST_IDS = {"205": 600, "206": 48, "207": 120, "216": 120, "210": 240}
# The fields whose ids number the same things as another's (each has ids of its own in the files).
SAME_THING = {"109_14": "206", "110_14": "207", "127_14": "216", "150_14": "210"} | {
    **{"508": "206", "509": "207", "702": "216", "853": "210"}
}

# By how much the logit changes when each factor is one standard deviation from its mean.
CLICK_EFFECTS = {
    ("301",): 0.20,
    ("206",): 0.20,
    ("122",): 0.15,
    ("125",): 0.15,
    ("109_14",): 0.15,
    ("122", "206"): 0.45,
    ("125", "206"): 0.30,
    ("109_14", "206"): 0.45,
}
CONVERSION_EFFECTS = {
    ("301",): 0.30,
    ("128",): 0.30,
    ("122",): 0.30,
    ("206",): 0.30,
    ("128", "206"): 0.20,
}
CONVERSION_SCALE = 0.70


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is simulated.

    Attributes:
      train_rows: exposures of the training split.
      test_rows: exposures of the test split.
      click_rate: expected share of exposures with a click.
      conversion_rate: expected share of exposures with a conversion.
      task_correlation: correlation, over exposures, of the logit of a click with that of a
        conversion after a click, in [-1, 1].
      noise: share of clicks and conversions that happen whatever the features say, in [0, 1].
      list_scale: length of the users' histories, as a share of the real one, in (0, 1].
      seed: of everything random.
    """

    train_rows: int
    test_rows: int
    click_rate: float = 1 / 24
    conversion_rate: float = 1 / 300
    task_correlation: float = 0.6
    noise: float = 0.1
    list_scale: float = 1.0
    seed: int = 0

    def rows(self, split: str) -> int:
        """Exposures of a split."""
        return self.train_rows if split == "train" else self.test_rows


PRESETS = {
    "small": Settings(200_000, 100_000, list_scale=0.1),
    "full": Settings(
        PUBLISHED_COUNTS["train"].rows, PUBLISHED_COUNTS["test"].rows, conversion_rate=1 / 4584
    ),
}


@dataclasses.dataclass(frozen=True)
class Tokens:
    """A field's ids in the rows of a block, as numbers from 0; a field that is missing has none."""

    lengths: np.ndarray  # (rows,)
    numbers: np.ndarray  # (total,)
    counts: np.ndarray | None = None  # (total,) events behind each token; None where it is 1.0

    @classmethod
    def single(cls, numbers: np.ndarray, present: np.ndarray) -> "Tokens":
        """A field with at most one id a row."""
        return cls(present.astype(np.int64), numbers[present])

    def row_numbers(self) -> np.ndarray:
        """The row of each token, `(total,)`."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def dense(self) -> np.ndarray:
        """Numbers of a field with at most one id a row, -1 where it is missing, `(rows,)`."""
        values = np.full(len(self.lengths), -1, np.int64)
        values[self.lengths > 0] = self.numbers
        return values

    def first_rows(self, rows: int) -> "Tokens":
        """The same without what comes after the first `rows` rows."""
        total = int(self.lengths[:rows].sum())
        counts = None if self.counts is None else self.counts[:total]
        return Tokens(self.lengths[:rows], self.numbers[:total], counts)


@dataclasses.dataclass(frozen=True)
class Exposures:
    """Some users and all their exposures.

    Attributes:
      users: the users' numbers, `(users,)`.
      user_fields: the fields of the common file.
      user_of: for each exposure its user's row in `users`, `(exposures,)`.
      fields: the fields of the skeleton.
    """

    users: np.ndarray
    user_fields: dict[str, Tokens]
    user_of: np.ndarray
    fields: dict[str, Tokens]


@dataclasses.dataclass(frozen=True)
class Block(Exposures):
    """Exposures with their labels.

    Attributes:
      click_probability: of each exposure, `(exposures,)`.
      conversion_probability: that of a conversion, whether it will be clicked being unknown.
      click: 0 or 1.
      conversion: 0 or 1.
    """

    click_probability: np.ndarray
    conversion_probability: np.ndarray
    click: np.ndarray
    conversion: np.ndarray


class Simulation:
    """Makes the exposures of one seed, block by block; any block can be made without the others."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.things = _thing_counts(settings.train_rows)
        self._values = self._draw_values()
        self._spread: dict[str, tuple[float, float]] = {}
        self._intercepts = [0.0, 0.0]
        self._calibrate()

    def blocks(self, split: str) -> Iterator[Block]:
        """Yields the split's exposures, grouped by user."""
        wanted = self.settings.rows(split)
        number = self._first_test_block() if split == "test" else 0
        while wanted:
            block = self._block(split, number, wanted)
            wanted -= len(block.click)
            number += 1
            yield block

    @property
    def ids(self) -> dict[str, int]:
        """An upper bound of the numbers of each field's ids."""
        most_rows = max(self.settings.train_rows, self.settings.test_rows)
        users = self._first_test_block() * USERS_PER_BLOCK
        users += 10 * USERS_PER_BLOCK + 2 * most_rows // EXPOSURES_PER_USER
        counts = {"101": users, "301": POSITIONS} | SMALL_FIELDS | self.things
        return {f.source: counts[SAME_THING.get(f.source, f.source)] for f in FIELDS}

    def _first_test_block(self) -> int:
        settings = self.settings
        first = (
            settings.train_rows - TEST_USERS_IN_TRAIN * settings.test_rows
        ) / EXPOSURES_PER_USER
        return max(0, round(first / USERS_PER_BLOCK))

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, *stream])

    def _block(self, split: str, number: int, most: int) -> Block:
        users = np.arange(number * USERS_PER_BLOCK, (number + 1) * USERS_PER_BLOCK)
        user_fields = self._users(users, self._random(0, number))
        random = self._random(1 + SPLITS.index(split), number)
        per_user = 1 + _geometric(random.random(len(users)), EXPOSURES_PER_USER - 1)
        user_of = np.repeat(np.arange(len(users)), per_user)[:most]
        users = users[: user_of[-1] + 1]
        user_fields = {f: tokens.first_rows(len(users)) for f, tokens in user_fields.items()}
        fields = self._exposures(len(user_of), random)
        exposures = Exposures(users, user_fields, user_of, fields)
        click, after_click = self._probabilities(*self._scores(exposures))
        clicked = random.random(len(user_of)) < click
        converted = clicked & (random.random(len(user_of)) < after_click)
        return Block(
            users, user_fields, user_of, fields, click, click * after_click, clicked, converted
        )

    def _users(self, users: np.ndarray, random: np.random.Generator) -> dict[str, Tokens]:
        count = len(users)
        fields = {"101": Tokens.single(users, random.random(count) >= MISSING["101"])}
        favourite = random.integers(GROUPS, size=count)
        loyalty = random.uniform(0.3, 0.9, count)
        for field, (mean, longest, events) in HISTORIES.items():
            scale = self.settings.list_scale
            lengths = 1 + random.gamma(2.0, max(mean * scale * events - 1, 0.5) / 2, count)
            lengths = np.minimum(lengths.astype(np.int64), max(1, round(longest * scale)))
            lengths[random.random(count) < MISSING[field]] = 0
            row = np.repeat(np.arange(count), lengths)
            loyal = random.random(len(row)) < loyalty[row]
            group = np.where(loyal, favourite[row], random.integers(GROUPS, size=len(row)))
            things = self.things[SAME_THING[field]]
            numbers = _numbers(random.random(len(row)), things, group, 0.0)
            keys, counts = np.unique(row * things + numbers, return_counts=True)
            lengths = np.bincount(keys // things, minlength=count)
            fields[field] = Tokens(lengths, keys % things, counts)
        known = random.random(count) >= MISSING["demographics"]
        for field, values in SMALL_FIELDS.items():
            present = known if field in DEMOGRAPHICS else random.random(count) >= MISSING[field]
            numbers = (values * random.random(count) ** 1.3).astype(np.int64)
            fields[field] = Tokens.single(numbers, present)
        return fields

    def _exposures(self, count: int, random: np.random.Generator) -> dict[str, Tokens]:
        group = random.integers(GROUPS, size=count)
        item = _numbers(random.random(count), self.things["205"], group, TAIL)
        # What belongs to an item is a hash of its number: no table of millions of items.
        thing = {
            field: _numbers(_hashed(item, salt), self.things[field], group, TAIL)
            for salt, field in enumerate(("206", "207", "216"))
        }
        nodes = 1 + _geometric(_hashed(item, 3), MEAN_NODES - 1)
        nodes = np.minimum(nodes, LONGEST_NODES)
        first_node = _numbers(_hashed(item, 4), self.things["210"], group, TAIL)
        always = np.ones(count, bool)
        common_nodes = 1 + (nodes * random.random(count)).astype(np.int64)
        common_nodes[random.random(count) < MISSING["853"]] = 0
        branded = random.random(count) >= MISSING["216"]

        def node_tokens(lengths, counts=None):
            step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            numbers = (np.repeat(first_node, lengths) + GROUPS * step) % self.things["210"]
            return Tokens(lengths, numbers, counts)

        def combination(field, present):
            present = present & (random.random(count) >= MISSING[field])
            counts = 1 + _geometric(random.random(int(present.sum())), 2.0)
            return dataclasses.replace(
                Tokens.single(thing[SAME_THING[field]], present), counts=counts
            )

        counts = 1 + _geometric(random.random(int(common_nodes.sum())), 2.0)
        return {
            "205": Tokens.single(item, always),
            "206": Tokens.single(thing["206"], always),
            "207": Tokens.single(thing["207"], always),
            "210": node_tokens(nodes),
            "216": Tokens.single(thing["216"], branded),
            "508": combination("508", always),
            "509": combination("509", always),
            "702": combination("702", always),
            "853": node_tokens(common_nodes, counts),
            "301": Tokens.single(random.integers(POSITIONS, size=count), always),
        }

    def _draw_values(self) -> dict[str, np.ndarray]:
        """A number for every id of the small fields, and for every group; evenly spaced."""
        random = self._random(3)
        sizes = SMALL_FIELDS | {"301": POSITIONS, "group": GROUPS}
        return {name: random.permutation(np.linspace(-1, 1, size)) for name, size in sizes.items()}

    def _factor(self, field: str, exposures: Exposures) -> np.ndarray:
        """The field's factor for each exposure, standardised, 0 where the field is missing."""
        of_user = field not in exposures.fields
        tokens = (exposures.user_fields if of_user else exposures.fields)[field]
        if field in self._values:
            values = self._values[field][tokens.numbers]
        else:
            values = self._values["group"][tokens.numbers % GROUPS]
        mean, spread = self._spread.get(field, (0.0, 1.0))
        sums = np.bincount(tokens.row_numbers(), values - mean, minlength=len(tokens.lengths))
        factor = sums / np.maximum(tokens.lengths, 1) / spread
        return factor[exposures.user_of] if of_user else factor

    def _scores(self, exposures: Exposures) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the effects behind click, and of those behind conversion alone."""
        effects = (CLICK_EFFECTS, CONVERSION_EFFECTS)
        factors = {
            field: self._factor(field, exposures)
            for field in dict.fromkeys(field for group in effects for e in group for field in e)
        }
        return tuple(
            sum(size * math.prod(factors[field] for field in e) for e, size in group.items())
            for group in effects
        )

    def _calibrate(self) -> None:
        """Standardises the factors and finds the intercepts, on other exposures of train users."""
        pilot = [self._pilot(number) for number in range(4)]
        for field in dict.fromkeys(f for e in [*CLICK_EFFECTS, *CONVERSION_EFFECTS] for f in e):
            values = np.concatenate([self._factor(field, exposures) for exposures in pilot])
            values = values[values != 0]
            self._spread[field] = (float(values.mean()), float(values.std()))
        scores = [self._scores(exposures) for exposures in pilot]
        click, own = (np.concatenate(parts) for parts in zip(*scores, strict=True))
        self._center = (click.mean(), click.std(), own.mean(), own.std())
        for task, rate in enumerate((self.settings.click_rate, self.settings.conversion_rate)):
            low, high = -40.0, 40.0
            for _ in range(50):
                middle = self._intercepts[task] = (low + high) / 2
                first, second = self._probabilities(click, own)
                mean = (first if task == 0 else first * second).mean()
                low, high = (low, middle) if mean > rate else (middle, high)

    def _pilot(self, number: int) -> Exposures:
        users = np.arange(number * USERS_PER_BLOCK, (number + 1) * USERS_PER_BLOCK)
        user_of = np.repeat(np.arange(len(users)), EXPOSURES_PER_USER)
        fields = self._exposures(len(user_of), self._random(4, number))
        return Exposures(users, self._users(users, self._random(0, number)), user_of, fields)

    def _probabilities(self, click, own) -> tuple[np.ndarray, np.ndarray]:
        """Probability of a click, and of a conversion after a click, from the effects' sums."""
        settings = self.settings
        mean, spread, own_mean, own_spread = self._center
        correlation, noise = settings.task_correlation, settings.noise
        standard = (click - mean) / spread
        own = math.sqrt(1 - correlation**2) * (own - own_mean) / own_spread
        after = CONVERSION_SCALE * (correlation * standard + own)
        rates = settings.click_rate, settings.conversion_rate / settings.click_rate
        return tuple(
            (1 - noise) / (1 + np.exp(-intercept - score)) + noise * rate
            for intercept, score, rate in zip(
                self._intercepts, (click - mean, after), rates, strict=True
            )
        )


def planted() -> dict[str, dict[str, float]]:
    """The effects behind each task and their standard deviations in logits."""
    return {
        task: {" x ".join(effect): strength for effect, strength in effects.items()}
        for task, effects in (("click", CLICK_EFFECTS), ("conversion", CONVERSION_EFFECTS))
    }


def _thing_counts(rows: int) -> dict[str, int]:
    """Ids of each numbered thing, a multiple of `GROUPS`."""
    share = rows / PUBLISHED_COUNTS["train"].rows
    return {
        field: GROUPS * (max(round(count * share), LEAST_IDS[field]) // GROUPS)
        for field, count in FULL_IDS.items()
    }


def _numbers(uniform: np.ndarray, ids: int, group: np.ndarray, tail: float) -> np.ndarray:
    """Numbers below `ids` of the given groups: the share `tail` from all, the rest from the head.

    In the head the smaller numbers are the more frequent ones.
    """
    head = min(ids // GROUPS, max(8, round(ids // GROUPS * HEAD_IDS)))
    in_head = (uniform - tail) / (1 - tail)
    rank = np.where(
        uniform < tail,
        uniform / max(tail, 1e-9) * (ids // GROUPS),
        head * np.maximum(in_head, 0.0) ** HEAD_SKEW,
    )
    return GROUPS * rank.astype(np.int64) + group


def _geometric(uniform, mean: float) -> np.ndarray:
    """Geometrically distributed integers from 0 with the given mean."""
    return np.floor(np.log1p(-uniform) / math.log(mean / (1 + mean))).astype(np.int64)


def hashed_bits(numbers: np.ndarray, salt: int) -> np.ndarray:
    """A bijection of 64-bit integers that looks random (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        bits = numbers.astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _hashed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Uniform numbers in [0, 1) that depend on the given ones alone."""
    return (hashed_bits(numbers, salt) >> np.uint64(11)) * 2.0**-53
