"""A simulated Ali-CCP: users, exposures and the planted structure behind clicks and conversions.

Every item belongs to one of `GROUPS` groups, and so do its category, shop, brand and intention
nodes: the group of an id is its number modulo `GROUPS`. Every user has a favourite group. Much of
each of the user's four histories is drawn from it, and so are the ids of the fields `SEGMENTS`.
An exposure's item is drawn without regard to its user.

A field's *factor* is a number per group (per id for the few fields of `UNGROUPED`), for a list the
mean over its ids, standardised over exposures; where the field is missing it is 0. The logit of a
click is a sum of products of factors, `EFFECTS["click"]`: of one field (what a linear model sees)
and of a field or history of the user with a field of the item (what it cannot see). The logit of
a conversion after a click is `task_correlation` times that of the click, and for the rest
`EFFECTS["conversion"]`, uncorrelated with it. The correlation holds before `noise`, which makes a
share of the labels random: with it, that of the final logits is 0.29 to 0.34 for 0.3. All these are
functions of what the files say, so that the true probabilities are what a perfect model would
predict. The other fields repeat the group (shop, brand, nodes, combinations) or are pure noise
(101, 124, 126, 127, 128).

Two things make the structure learnable from a few hundred thousand rows with one click in 24,
where networks otherwise memorise users and items: many fields say the same of the group, and ids
are either frequent or so rare that preparation drops them.
"""

import math
from collections.abc import Iterator

import numpy as np

from data_prep.ali_ccp.draws import GROUPS, geometric, grouped_numbers, hashed_bits
from data_prep.ali_ccp.exposures import Block, Exposures, Tokens
from data_prep.ali_ccp.fields import FIELDS, PUBLISHED_COUNTS, SPLITS
from data_prep.ali_ccp.statistics import (
    DEMOGRAPHICS,
    HISTORIES,
    ID_COUNTS,
    LONGEST_NODES,
    MEAN_NODES,
    MISSING,
    POSITIONS,
    SAME_THING,
    SMALL_FIELDS,
)
from data_prep.ali_ccp.world_settings import Settings

LINES_PER_BLOCK = 256  # lines of the common file that are made at a time
EXPOSURES_PER_LINE = 58  # mean, geometrically distributed
PILOT_BLOCKS = 32
PILOT_EXPOSURES_PER_LINE = 16
ITEM_TAIL = 0.5  # share of exposures whose item is any item, not a frequent one
THING_TAIL = 0.05  # the same, of items, for category, shop, brand and nodes

SEGMENTS = ("121", "122", "125", "129")
UNGROUPED = {"301": POSITIONS, **{f: SMALL_FIELDS[f] for f in ("124", "126", "127", "128", "129")}}

# Relative sizes of the products of factors; their sum is scaled to the standard deviation of
# `SCALES`, in logits.
EFFECTS: dict[str, dict[tuple[str, ...], float]] = {
    "click": {
        ("301",): 0.20,
        ("206",): 0.26,
        ("121",): 0.13,
        ("122",): 0.13,
        ("125",): 0.13,
        ("109_14",): 0.13,
        ("121", "206"): 0.20,
        ("122", "206"): 0.20,
        ("125", "206"): 0.20,
        ("109_14", "206"): 0.25,
        ("150_14", "210"): 0.25,
    },
    "conversion": {
        ("301",): 0.40,
        ("206",): 0.50,
        ("122",): 0.20,
        ("121",): 0.20,
        ("125",): 0.20,
        ("109_14",): 0.20,
    },
}
SCALES = {"click": 0.87, "conversion": 0.45}


class Simulation:
    """Makes the exposures of one seed, block by block; any block can be made without the others."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.things = _thing_counts(settings.train_rows)
        self._values = self._draw_values()
        self._spread: dict[tuple[int, str], tuple[float, float]] = {}
        self._intercepts = [0.0, 0.0]
        self._calibrate()

    def blocks(self, split: str) -> Iterator[Block]:
        """Yields the split's exposures, grouped by user."""
        wanted = self.settings.rows(split)
        number = 0
        while wanted:
            block = self._block(split, number, wanted)
            wanted -= len(block.click)
            number += 1
            yield block

    @property
    def ids(self) -> dict[str, int]:
        """The number of ids of each field, by the field's name in the files."""
        counts = SMALL_FIELDS | {"301": POSITIONS} | self.things
        return {f.raw_name: counts[SAME_THING.get(f.raw_name, f.raw_name)] for f in FIELDS}

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, *stream])

    def _block(self, split: str, number: int, most: int) -> Block:
        stream = SPLITS.index(split)
        lines = np.arange(number * LINES_PER_BLOCK, (number + 1) * LINES_PER_BLOCK)
        random = self._random(stream, number)
        per_line = 1 + geometric(random.random(len(lines)), EXPOSURES_PER_LINE - 1)
        line_of = np.repeat(np.arange(len(lines)), per_line)[:most]
        lines = lines[: line_of[-1] + 1]
        users = self._hashed_bits(lines, 10 + stream) % np.uint64(self.things["101"])
        user_fields = self._users(users.astype(np.int64), random)
        exposures = Exposures(lines, user_fields, line_of, self._exposures(len(line_of), random))
        click, after_click = self._probabilities(*self._scores(exposures))
        clicked = random.random(len(line_of)) < click
        converted = clicked & (random.random(len(line_of)) < after_click)
        return Block(
            **vars(exposures),
            click_probability=click,
            conversion_probability=click * after_click,
            click=clicked,
            conversion=converted,
        )

    def _users(self, users: np.ndarray, random: np.random.Generator) -> dict[str, Tokens]:
        """What lines of the common file say; a user's lines differ in the histories alone."""
        count = len(users)
        fields = {"101": Tokens.single(users, random.random(count) >= MISSING["101"])}
        favourite = (GROUPS * self._hashed(users, 20)).astype(np.int64)
        loyalty = 0.5 + 0.5 * self._hashed(users, 21)
        for field, (mean, longest, events) in HISTORIES.items():
            scale = self.settings.list_scale
            drawn = 1 + random.gamma(2.0, max(mean * scale * events - 1, 0.5) / 2, count)
            lengths = np.minimum(drawn.astype(np.int64), max(1, round(longest * scale)))
            lengths[random.random(count) < MISSING[field]] = 0
            row = np.repeat(np.arange(count), lengths)
            loyal = random.random(len(row)) < loyalty[row]
            group = np.where(loyal, favourite[row], random.integers(GROUPS, size=len(row)))
            things = self.things[SAME_THING[field]]
            numbers = grouped_numbers(random.random(len(row)), things, group, 0.0)
            keys, counts = np.unique(row * things + numbers, return_counts=True)
            lengths = np.bincount(keys // things, minlength=count)
            fields[field] = Tokens(lengths, keys % things, counts)
        known = self._hashed(users, 22) >= MISSING["demographics"]
        for salt, (field, values) in enumerate(SMALL_FIELDS.items(), start=24):
            present = known
            if field not in DEMOGRAPHICS:
                present = self._hashed(users, salt + 20) >= MISSING[field]
            numbers = (values * self._hashed(users, salt)).astype(np.int64)
            if field in SEGMENTS:
                favoured = numbers - numbers % GROUPS + favourite
                numbers = np.where(favoured < values, favoured, numbers)
            fields[field] = Tokens.single(numbers, present)
        return fields

    def _exposures(self, count: int, random: np.random.Generator) -> dict[str, Tokens]:
        """What skeleton lines say; all but presence, counts and position belongs to the item."""
        group = random.integers(GROUPS, size=count)
        item = grouped_numbers(random.random(count), self.things["205"], group, ITEM_TAIL)
        # A hash of the item's number instead of a table of millions of items.
        things = {
            field: grouped_numbers(self._hashed(item, salt), self.things[field], group, THING_TAIL)
            for salt, field in enumerate(("206", "207", "216"))
        }
        nodes = 1 + geometric(self._hashed(item, 3), MEAN_NODES - 1)
        nodes = np.minimum(nodes, LONGEST_NODES)
        first_node = grouped_numbers(self._hashed(item, 4), self.things["210"], group, THING_TAIL)
        always = np.ones(count, bool)
        common_nodes = 1 + (nodes * random.random(count)).astype(np.int64)
        common_nodes[random.random(count) < MISSING["853"]] = 0
        branded = random.random(count) >= MISSING["216"]

        def node_tokens(lengths, counts=None):
            step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            numbers = (np.repeat(first_node, lengths) + GROUPS * step) % self.things["210"]
            return Tokens(lengths, numbers, counts)

        def combination(field):
            present = random.random(count) >= MISSING[field]
            counts = 1 + geometric(random.random(int(present.sum())), 2.0)
            numbers = things[SAME_THING[field]][present]
            return Tokens(present.astype(np.int64), numbers, counts)

        counts = 1 + geometric(random.random(int(common_nodes.sum())), 2.0)
        return {
            "205": Tokens.single(item, always),
            "206": Tokens.single(things["206"], always),
            "207": Tokens.single(things["207"], always),
            "210": node_tokens(nodes),
            "216": Tokens.single(things["216"], branded),
            "508": combination("508"),
            "509": combination("509"),
            "702": combination("702"),
            "853": node_tokens(common_nodes, counts),
            "301": Tokens.single(random.integers(POSITIONS, size=count), always),
        }

    def _draw_values(self) -> list[dict[str, np.ndarray]]:
        """For each task a number for every group and every id of an ungrouped field."""
        random = self._random(3, 0)
        sizes = UNGROUPED | {"group": GROUPS}
        return [
            {name: random.permutation(np.linspace(-1, 1, size)) for name, size in sizes.items()}
            for _ in EFFECTS
        ]

    def _factor(self, task: int, field: str, exposures: Exposures) -> np.ndarray:
        """The field's factor for each exposure, standardised, 0 where the field is missing."""
        of_user = field not in exposures.fields
        tokens = (exposures.user_fields if of_user else exposures.fields)[field]
        values = self._values[task][field if field in UNGROUPED else "group"]
        values = values[tokens.numbers % len(values)]
        mean, spread = self._spread.get((task, field), (0.0, 1.0))
        sums = np.bincount(tokens.row_numbers(), values - mean, minlength=len(tokens.lengths))
        factor = sums / np.maximum(tokens.lengths, 1) / spread
        return factor[exposures.line_of] if of_user else factor

    def _scores(self, exposures: Exposures) -> list[np.ndarray]:
        """Sums of the effects, `(exposures,)` for each task."""
        scores = []
        for task, effects in enumerate(EFFECTS.values()):
            fields = dict.fromkeys(field for effect in effects for field in effect)
            factors = {field: self._factor(task, field, exposures) for field in fields}
            total = np.zeros(len(exposures.line_of))
            for effect, size in effects.items():
                total += size * math.prod(factors[field] for field in effect)
            scores.append(total)
        return scores

    def _calibrate(self) -> None:
        """Standardises factors and sums and finds the intercepts, on exposures of no split."""
        pilot = [self._pilot(number) for number in range(PILOT_BLOCKS)]
        for task, effects in enumerate(EFFECTS.values()):
            for field in dict.fromkeys(field for effect in effects for field in effect):
                values = np.concatenate([self._factor(task, field, block) for block in pilot])
                values = values[np.concatenate([_present(field, block) for block in pilot])]
                self._spread[task, field] = (float(values.mean()), float(values.std()))
        scores = [self._scores(exposures) for exposures in pilot]
        click, own = (np.concatenate(parts) for parts in zip(*scores, strict=True))
        self._shared = float(np.cov(click, own)[0, 1] / click.var())
        rest = own - self._shared * click
        self._center = (click.mean(), click.std(), rest.mean(), rest.std())
        for task, rate in enumerate((self.settings.click_rate, self.settings.conversion_rate)):
            low, high = -40.0, 40.0
            for _ in range(50):
                middle = self._intercepts[task] = (low + high) / 2
                first, second = self._probabilities(click, own)
                mean = (first if task == 0 else first * second).mean()
                low, high = (low, middle) if mean > rate else (middle, high)

    def _pilot(self, number: int) -> Exposures:
        random = self._random(2, number)
        users = random.integers(self.things["101"], size=LINES_PER_BLOCK)
        line_of = np.repeat(np.arange(len(users)), PILOT_EXPOSURES_PER_LINE)
        fields = self._exposures(len(line_of), random)
        return Exposures(users, self._users(users, random), line_of, fields)

    def _hashed_bits(self, numbers: np.ndarray, salt: int) -> np.ndarray:
        return hashed_bits(numbers, 1000 * self.settings.seed + salt)

    def _hashed(self, numbers: np.ndarray, salt: int) -> np.ndarray:
        """Uniform numbers in [0, 1) that depend on the given ones and the seed alone."""
        return (self._hashed_bits(numbers, salt) >> np.uint64(11)) * 2.0**-53

    def _probabilities(self, click: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probability of a click, and of a conversion after a click, from the effects' sums."""
        settings = self.settings
        mean, spread, own_mean, own_spread = self._center
        correlation, noise = settings.task_correlation, settings.noise
        own = (own - self._shared * click - own_mean) / own_spread
        click = (click - mean) / spread
        after = correlation * click + math.sqrt(1 - correlation**2) * own
        logits = SCALES["click"] * click, SCALES["conversion"] * after
        rates = settings.click_rate, settings.conversion_rate / settings.click_rate
        first, second = (
            (1 - noise) / (1 + np.exp(-intercept - score)) + noise * rate
            for intercept, score, rate in zip(self._intercepts, logits, rates, strict=True)
        )
        return first, second


def _present(field: str, exposures: Exposures) -> np.ndarray:
    """Which exposures have a field, `(exposures,)` bool."""
    if field in exposures.fields:
        return exposures.fields[field].lengths > 0
    return exposures.user_fields[field].lengths[exposures.line_of] > 0


def planted() -> dict[str, dict[str, float]]:
    """Relative sizes of the effects behind each task."""
    return {
        task: {" x ".join(effect): size for effect, size in effects.items()}
        for task, effects in EFFECTS.items()
    }


def _thing_counts(rows: int) -> dict[str, int]:
    """Ids of users, items and what belongs to them, each a multiple of `GROUPS`."""
    share = rows / PUBLISHED_COUNTS["train"].rows
    return {
        field: GROUPS * (max(round(count * share), least) // GROUPS)
        for field, (count, least) in ID_COUNTS.items()
    }
