"""Puts the result of an online experiment beside the paper's Table 3, and into sentences."""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.dcrnn import tables
from experiments.dcrnn.online.experiment import Design, Outcomes, summed
from experiments.dcrnn.online.statistics import METRICS, Estimate, Metric, improvement
from experiments.reports.words import interval, number, plain
from experiments.tables.result import RowResult, TableResult
from experiments.tables.statistics import Summary, summarise

TITLE = "Table 3: an online experiment with DCRNN and MMoE, and their parameters"
SOURCE = "Zhou and Yu, DCRNN, Table 3 (real users of Xiaomi Radio)"
PARTS = ("total", "embedding", "other")
PAPER = tables.TABLE_3_PUBLISHED
RATE, CHANGE = ".2%", "+.2%"  # formats


@dataclasses.dataclass(frozen=True)
class OnlineResult:
    """The outcomes of a finished experiment.

    Attributes:
      design: Size of the experiment.
      offline: Results of the models' runs, with their AUC.
      arms: Outcomes of the models, `{row label: {seed: outcomes}}`, the baseline first, with the
        same seeds in each.
      references: Outcomes of policies that need no training, by name.
    """

    design: Design
    offline: TableResult
    arms: Mapping[str, Mapping[int, Outcomes]]
    references: Mapping[str, Outcomes]

    @property
    def baseline(self) -> str:
        """The arm that others are compared with."""
        return next(iter(self.arms))

    @property
    def treatments(self) -> tuple[str, ...]:
        """The other arms."""
        return tuple(self.arms)[1:]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the trainings."""
        return tuple(self.arms[self.baseline])

    @property
    def pooled(self) -> dict[str, Outcomes]:
        """Every policy's outcomes, those of a model summed over its trainings."""
        arms = {arm: summed(list(runs.values())) for arm, runs in self.arms.items()}
        return arms | dict(self.references)

    def row(self, arm: str) -> RowResult:
        """Returns the runs of an arm."""
        return next(row for row in self.offline.rows if row.row.label == arm)


def improvements(result: OnlineResult, arm: str, metric: Metric) -> dict[int, Estimate | None]:
    """Returns an arm's improvement over the baseline by seed, of trainings with the same seed."""
    baseline = result.arms[result.baseline]
    return {
        seed: improvement(metric, outcomes, baseline[seed])
        for seed, outcomes in result.arms[arm].items()
    }


def over_seeds(estimates: Mapping[int, Estimate | None]) -> Summary | None:
    """Returns the spread of an estimate over trainings; None if no training has one."""
    values = [estimate.value for estimate in estimates.values() if estimate]
    return summarise(values) if values else None


def published_improvement(arm: str, baseline: str, metric: str) -> float | None:
    """Returns the relative improvement of a metric in the paper."""
    above, below = (PAPER.get(name, {}).get(metric) for name in (arm, baseline))
    return above / below - 1 if above and below else None


def published_ratio_of_parameters(arm: str, baseline: str) -> float | None:
    """Returns the baseline's number of parameters over the arm's, in the paper."""
    ours, theirs = (PAPER.get(name, {}).get("parameters") for name in (arm, baseline))
    return theirs / ours if ours and theirs else None


def ratio_of_parameters(result: OnlineResult, arm: str, part: str) -> float | None:
    """Returns the baseline's number of parameters over an arm's."""
    ours, theirs = (result.row(name).parameters(part) for name in (arm, result.baseline))
    return theirs / ours if ours and theirs else None


def verdicts(result: OnlineResult) -> list[str]:
    """Returns sentences on each arm against the baseline, never without an interval."""
    sentences = []
    for arm in result.treatments:
        for metric in METRICS:
            pooled = result.pooled
            change = improvement(metric, pooled[arm], pooled[result.baseline])
            sentences.append(_verdict(result, arm, metric, change))
        ratios = (ratio_of_parameters(result, arm, part) for part in ("total", "other"))
        every, other = (number(ratio, ".2f") for ratio in ratios)
        words = f"{arm}, parameters: {result.baseline} has {every} times as many, {other} times "
        words += "without embeddings"
        if (paper := published_ratio_of_parameters(arm, result.baseline)) is not None:
            words += f"; the paper: {paper:.2f} times"
        sentences.append(words)
    return sentences


def notes(result: OnlineResult) -> list[str]:
    """Returns how the values are to be read."""
    design = result.design
    return [
        f"Simulated users who are in no log: {design.users:,} of them, {design.visits} visits "
        f"each, {design.candidates} albums to choose from in a visit, {design.shown} shown. Every "
        "policy meets the same users, visits and albums, and the same random numbers decide over "
        "click and play.",
        "A policy shows the albums with the highest predicted click times play: the product of "
        "both heads' probabilities, the positive weights of the loss taken off. Both are per "
        "exposure, so that the play's probability holds the click's already.",
        "The valid play rate is per exposure, as the label is; plays per click stand beside it. "
        "The paper does not say which one it prints.",
        "The level of the rates is that of the simulated world, where the best of several albums "
        "is shown; it says nothing about the paper's.",
        "Intervals are over users, who are the unit (delta method): what other users of the same "
        "world would give these trained models. A model's figures are means over its trainings, "
        "each of which every user meets. How they vary with the training stands apart: standard "
        "deviation, range and t interval over seeds, a training of one arm paired with that of the "
        "other of the same seed.",
        "Expected rates are means of the true probabilities of what was shown: no luck in clicks "
        "and plays is left in them.",
        "The paper gives too little (fields, recurrent units, towers, whether embeddings count) to "
        "rebuild its numbers of parameters; their ratio is what can be compared. For each input "
        "MMoE's experts have 8 x 128 = 1,024 weights, two bidirectional LSTMs of 64 units "
        "2 x 2 x 4 x 64 = 1,024 as well, of 16 units a quarter of that: the paper's ratio is that "
        "of about 16 units.",
    ]


def _verdict(result: OnlineResult, arm: str, metric: Metric, change: Estimate | None) -> str:
    words = f"{arm}, {metric.label}: "
    if change is None:
        return words + "not compared, there are no clicks or no plays"
    words += f"{change.value:{CHANGE}} over {result.baseline}"
    if change.interval is None:
        words += " (one user: no interval)"
    else:
        low, high = change.interval
        words += f" (95 % interval over users {interval(change.interval, CHANGE)}"
        words += "; it holds 0, no difference is shown)" if low <= 0 <= high else ")"
    spread = over_seeds(improvements(result, arm, metric))
    if spread and spread.std is not None:
        values = [e.value for e in improvements(result, arm, metric).values() if e]
        words += (
            f"; over {spread.count} trainings standard deviation {spread.std:.2%}, from "
            f"{min(values):{CHANGE}} to {max(values):{CHANGE}}, 95 % interval of their mean "
            f"{interval(spread.interval, CHANGE)}"
        )
    paper = published_improvement(arm, result.baseline, metric.name)
    return words + (f"; the paper: {paper:{CHANGE}}" if paper is not None else "")


def warning() -> str:
    """Returns the words that must stand above everything."""
    return "Simulated users and simulated logs, not Xiaomi Radio"


def settings(result: OnlineResult) -> Sequence[tuple[str, str]]:
    """Returns pairs of a name and a value on the experiment."""
    design = dataclasses.asdict(result.design)
    facts = [(name, f"{value:,}") for name, value in design.items()]
    simulation = (result.offline.data.get("simulation") or {}).get("settings") or {}
    rows = result.offline.data["rows"]
    return [
        *facts,
        ("training seeds", ", ".join(map(str, result.seeds))),
        ("training rows", f"{rows['train']:,}"),
        ("simulated world", plain(simulation)),
        ("dataset", f"{result.offline.data['name']}, {result.offline.data['fingerprint']}"),
    ]
