"""Predicts the speed of training on several workers, from measured constants.

python -m benchmarks.scaling
"""

import dataclasses
import itertools
import math

from experiments.reports.grid import Grid, Number

FIELDS = 23
VOCABULARY = 2_500_000
EMBEDDING_DIM = 32
ROW_VISITS = 120e6  # of one model and seed in Table 4: three passes over 40 M rows


@dataclasses.dataclass(frozen=True)
class Model:
    """Constants of a model on workload W, one worker of two cores, batch 1,024.

    Attributes:
      rows_per_second: trained, from disk.
      parameters: without the embedding table.
      fixed_share: Share of a step's time that does not depend on its number of rows.
      table_share: Share of a step's time that merges and writes the rows of all workers.
    """

    rows_per_second: float
    parameters: int
    fixed_share: float = 0.12
    table_share: float = 0.05


MODELS = {
    "MMoE": Model(26_399, 845_058),
    "DCRNN+BiLSTM": Model(21_561, 840_962),
    "DCRNN+BiLSTM+Ada": Model(20_838, 843_906),
}
MESSAGES = 6  # one after the other in a step: lengths, rows, slices, gradients, figures, norms
HOP_SECONDS = 1e-4  # an assumption, of a local network
BATCHES = (1024, 8192, 65536)
READ_PER_SECOND = 1.4e6  # rows that two cores read and shuffle, blocks in the page cache


def distinct_rows(rows: float) -> float:
    """Expected rows of the table that so many rows of a batch read, ids log-uniform in rank.

    A field's id has the rank k (from 1) of n with probability `log(1 + 1/k) / log n`; ranks are
    taken in 400 groups of even width in `log k`, within which probabilities hardly differ.
    """
    size = VOCABULARY // FIELDS
    edges = sorted({round(size ** (i / 400)) for i in range(401)})
    expected = 0.0
    for first, end in itertools.pairwise(edges):
        each = math.log(end / first) / math.log(size) / (end - first)
        expected += (end - first) * -math.expm1(rows * math.log1p(-each))
    return FIELDS * expected


def bytes_sent(model: Model, batch: int, workers: int) -> float:
    """What each worker sends in a step, and receives.

    A ring all-reduce of the dense gradient sends `2 (N - 1) / N` times its size; a ring all-gather
    of the merged slices and their row numbers sends those of N - 1 workers.
    """
    dense = 2 * (workers - 1) / workers * 4 * model.parameters
    slices = distinct_rows(batch / workers) * 4 * (EMBEDDING_DIM + 1)
    return dense + (workers - 1) * slices


def step_seconds(model: Model, batch: int, workers: int, bits_per_second: float) -> float:
    """Time of a step: computation, reading and update of all workers' rows, and the network."""
    step = 1024 / model.rows_per_second
    fixed, table = model.fixed_share * step, model.table_share * step
    per_row = (step - fixed - table) / 1024
    # A worker that gets N times the slices merges them, whatever repeats among them.
    gathered = workers * distinct_rows(batch / workers) / distinct_rows(1024)
    seconds = fixed + per_row * batch / workers + table * gathered
    if workers > 1:
        seconds += (batch - batch / workers) / READ_PER_SECOND  # others' rows, read in vain
        seconds += 8 * bytes_sent(model, batch, workers) / bits_per_second
        seconds += MESSAGES * 2 * (workers - 1) * HOP_SECONDS
    return seconds


def hours(batch: int, workers: int, bits_per_second: float) -> float:
    """Of all three models of Table 4, one seed, evaluation left out."""
    steps = ROW_VISITS / batch
    return sum(
        steps * step_seconds(model, batch, workers, bits_per_second) / 3600
        for model in MODELS.values()
    )


def main() -> None:
    """Prints the tables of docs/scaling.md."""
    mmoe, lines = MODELS["MMoE"], []
    for batch, workers in itertools.product(BATCHES, (2, 8, 64)):
        dense = 8 * (workers - 1) / workers * mmoe.parameters
        slices = bytes_sent(mmoe, batch, workers) - dense
        alone = step_seconds(mmoe, batch, 1, 1)
        speedups = [alone / step_seconds(mmoe, batch, workers, rate * 1e9) for rate in (1, 10, 25)]
        lines.append((batch, workers, dense / 1e6, slices / 1e6, alone * 1e3, *speedups))
    columns = (
        Number("batch", form=","),
        Number("workers"),
        Number("dense, MB", form=".1f"),
        Number("slices, MB", form=".1f"),
        Number("step on one worker, ms", form=",.0f"),
        *(Number(rate, form=".1f") for rate in ("1", "10", "25")),
    )
    print(Grid("Speed-up by bandwidth", columns, lines).markdown())
    clusters = {"1 worker": (1, 10), "8, 10 Gbit/s": (8, 10), "8, 25": (8, 25)}
    clusters |= {"64, 10": (64, 10), "64, 25": (64, 25)}
    columns = (Number("batch", form=","), *(Number(label, form=".2f") for label in clusters))
    lines = [
        (batch, *(hours(batch, workers, rate * 1e9) for workers, rate in clusters.values()))
        for batch in BATCHES
    ]
    print("\n" + Grid("Hours of Table 4", columns, lines).markdown())


if __name__ == "__main__":
    main()
