"""The grids of DCRNN's Table 3, and its records."""

import dataclasses
from collections.abc import Callable
from operator import attrgetter

from experiments.dcrnn.online.content import (
    CHANGE,
    PAPER,
    PARTS,
    RATE,
    TITLE,
    OnlineResult,
    published_improvement,
    published_ratio_of_parameters,
    ratio_of_parameters,
)
from experiments.dcrnn.online.experiment import Outcomes
from experiments.dcrnn.online.statistics import (
    EXPECTED,
    METRICS,
    Estimate,
    Metric,
    improvement,
    rate,
)
from experiments.reports.grid import Column, Grid, Interval, Number, Text
from experiments.reports.words import NOT_AVAILABLE, number
from experiments.tables import grids as table_grids

_PAPER_METRICS = ("ctr", "play_rate")  # metrics that the paper prints


def grids(result: OnlineResult) -> list[Grid]:
    """Returns all tables of the page; the first has the paper's form."""
    makers = (_main_grid, _parameters, _improvements, _rates, _seeds_grid)
    return [make(result) for make in makers]


def _main_grid(result: OnlineResult) -> Grid:
    metrics = [metric for metric in METRICS if metric.name in _PAPER_METRICS]
    pooled = result.pooled
    baseline = pooled[result.baseline]
    lines = []
    for arm in result.arms:
        paper = PAPER.get(arm, {})
        lines.append(
            (
                arm,
                *(_value(rate(metric, pooled[arm])) for metric in metrics),
                result.row(arm).parameters("total"),
                *(paper.get(metric.name) for metric in metrics),
                paper.get("parameters"),
            )
        )
    for arm in result.treatments:
        changes = [_value(improvement(metric, pooled[arm], baseline)) for metric in metrics]
        published = [published_improvement(arm, result.baseline, m.name) for m in metrics]
        lines.append(
            (
                f"{arm} against {result.baseline}",
                *(number(change, CHANGE) for change in changes),
                _fewer(ratio_of_parameters(result, arm, "total")),
                *(number(change, CHANGE) for change in published),
                _fewer(published_ratio_of_parameters(arm, result.baseline)),
            )
        )
    forms = {"click-through rate": RATE, "valid play rate": RATE, "parameters": ","}
    ours = [Number(name, form=form) for name, form in forms.items()]
    papers = [Number(f"paper: {name}", form=form) for name, form in forms.items()]
    return Grid("Online, simulated users", (Text("model"), *ours, *papers), lines)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A metric of a policy beside that of the baseline, which met the same users.

    Attributes:
      policy: Name of the policy.
      seed: Seed of the training, or `all` for the sum over all trainings.
      metric: The metric.
      outcomes: The policy's outcomes.
      baseline: Those of the baseline; None if the policy is the baseline.
    """

    policy: str
    seed: int | str
    metric: Metric
    outcomes: Outcomes
    baseline: Outcomes | None

    def rate(self, expected: bool = False) -> Estimate | None:
        """Returns the rate of outcomes, or of their true probabilities."""
        return rate(EXPECTED[self.metric.name] if expected else self.metric, self.outcomes)

    def improvement(self, expected: bool = False) -> Estimate | None:
        """Returns the relative improvement of that rate; None for the baseline."""
        metric = EXPECTED[self.metric.name] if expected else self.metric
        return improvement(metric, self.outcomes, self.baseline) if self.baseline else None


def comparisons(result: OnlineResult) -> list[Comparison]:
    """Returns every metric of every policy over all trainings, then of every training."""
    outcomes: dict[tuple[str, int | str], Outcomes]
    outcomes = {(name, "all"): pooled for name, pooled in result.pooled.items()}
    outcomes |= {
        (arm, seed): one for arm, runs in result.arms.items() for seed, one in runs.items()
    }
    return [
        Comparison(
            name,
            seed,
            metric,
            one,
            None if name == result.baseline else outcomes[result.baseline, seed],
        )
        for (name, seed), one in outcomes.items()
        for metric in METRICS
    ]


def _estimate(
    label: str, get: Callable[[Comparison], Estimate | None], form: str, key: str
) -> tuple[Column, Column]:
    """Returns the columns of an estimate and its interval."""
    return (
        Number(label, lambda c: (found := get(c)) and found.value, form, key=key),
        Interval("95 % interval", lambda c: (found := get(c)) and found.interval, form, key=key),
    )


_RATES = _estimate("rate", Comparison.rate, RATE, "rate")
_EXPECTED_RATES = _estimate("expected rate", lambda c: c.rate(expected=True), RATE, "expected")
_CHANGES = _estimate("improvement", Comparison.improvement, CHANGE, "improvement")
_EXPECTED_CHANGES = _estimate(
    "of expected", lambda c: c.improvement(expected=True), CHANGE, "expected_improvement"
)
_METRIC = Text("metric", lambda comparison: comparison.metric.label)


def _rates(result: OnlineResult) -> Grid:
    columns = (Text("policy", attrgetter("policy")), _METRIC, *_RATES, _EXPECTED_RATES[0])
    pooled = [c for c in comparisons(result) if c.seed == "all"]
    return Grid.of("Rates of all policies", columns, pooled)


def _improvements(result: OnlineResult) -> Grid:
    columns = (Text("policy", attrgetter("policy")), _METRIC, *_CHANGES, *_EXPECTED_CHANGES)
    pooled = [c for c in comparisons(result) if c.seed == "all" and c.baseline]
    return Grid.of(f"Relative improvement over {result.baseline}", columns, pooled)


def _seeds_grid(result: OnlineResult) -> Grid:
    change, ends = _CHANGES
    columns = (
        *(Text("model", attrgetter("policy")), _METRIC, Text("seed", attrgetter("seed"))),
        dataclasses.replace(change, label=f"over {result.baseline}"),
        *(ends, _EXPECTED_CHANGES[0]),
    )
    trained = [c for c in comparisons(result) if c.seed != "all" and c.baseline]
    trained.sort(key=lambda c: (list(result.arms).index(c.policy), METRICS.index(c.metric)))
    return Grid.of("Training by training", columns, trained)


def _parameters(result: OnlineResult) -> Grid:
    labels = ("all", "embeddings", "other", "paper: all")
    lines = []
    for arm in result.arms:
        counts = (result.row(arm).parameters(part) for part in PARTS)
        lines.append((arm, *counts, PAPER.get(arm, {}).get("parameters")))
    for arm in result.treatments:
        ratios = [ratio_of_parameters(result, arm, part) for part in PARTS]
        ratios.append(published_ratio_of_parameters(arm, result.baseline))
        lines.append((f"{arm} against {result.baseline}", *map(_fewer, ratios)))
    columns = (Text("model"), *(Number(label, form=",") for label in labels))
    return Grid("Parameters", columns, lines)


def records(result: OnlineResult) -> Grid:
    """Returns all values: a line per policy, metric and training, and over all (seed `all`)."""

    def paper_improvement(comparison: Comparison) -> float | None:
        names = (comparison.policy, result.baseline, comparison.metric.name)
        return published_improvement(*names) if comparison.baseline else None

    def parameters(part: str) -> Callable[[Comparison], int | None]:
        return lambda c: result.row(c.policy).parameters(part) if c.policy in result.arms else None

    def always(value: object) -> Callable[[Comparison], object]:
        return lambda _: value

    columns = (
        *(Column(name, attrgetter(name)) for name in ("policy", "seed")),
        Column("metric", lambda comparison: comparison.metric.name),
        Column("simulated", lambda _: True),
        *(
            Column(f"design_{name}", always(value))
            for name, value in dataclasses.asdict(result.design).items()
        ),
        *(*_RATES, *_EXPECTED_RATES),
        Column("paper_rate", lambda c: PAPER.get(c.policy, {}).get(c.metric.name)),
        Column("baseline", lambda c: result.baseline if c.baseline else None),
        *(*_CHANGES, *_EXPECTED_CHANGES),
        Column("paper_improvement", paper_improvement),
        *(Column(f"parameters_{part}", parameters(part)) for part in PARTS),
        Column("paper_parameters", lambda c: PAPER.get(c.policy, {}).get("parameters")),
        Column("fingerprint", lambda _: result.offline.data["fingerprint"]),
    )
    return Grid.of(TITLE, columns, comparisons(result))


def offline_grid(result: OnlineResult) -> Grid:
    """Returns the models' AUC, the first table of their own report."""
    return table_grids.grids(result.offline)[0]


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _fewer(ratio: float | None) -> str:
    if ratio is None:
        return NOT_AVAILABLE
    if abs(ratio - 1) < 0.005:
        return "as many"
    return f"{ratio:.2f} times fewer" if ratio > 1 else f"{1 / ratio:.2f} times more"
