"""The files of a simulated log of album recommendation."""

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np
import polars as pl
import tqdm
import yaml
from scipy.special import logit

from data_prep.own_log.declaration import SPLIT_NAMES
from data_prep.radio.world import EFFECTS, STATISTICS, TASKS, RadioWorld
from data_prep.radio.world_settings import ROWS_PER_FILE, Output, Settings
from data_prep.simulation.auc_histogram import AucHistogram
from data_prep.simulation.folder import simulation_folder, write_simulation
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC
from dcrnn_tf.system.settings import check

DATA_FILE = "exposures-{number:05}.csv"
GROUND_TRUTH_FILE = "ground_truth-{number:05}.csv"
DECLARATION_FILE = "radio.yaml"
BLOCK_ROWS = 50_000
DECIMALS = 4  # of statistics
TEST_FRACTION, VALIDATION_FRACTION = 0.3, 0.1


@dataclasses.dataclass(frozen=True)
class Block:
    """Some exposures: `frame` has labels and features, `probabilities` those of each label."""

    frame: pl.DataFrame
    probabilities: pl.DataFrame
    logits: np.ndarray  # of a click and of a play after it, (2, rows)

    def rows(self, start: int, count: int) -> "Block":
        """A part of it."""
        return Block(
            self.frame.slice(start, count),
            self.probabilities.slice(start, count),
            self.logits[:, start : start + count],
        )


def draw_block(world: RadioWorld, number: int) -> Block:
    """Draws `BLOCK_ROWS` exposures, a function of the world's settings and the number alone.

    Settings that only concern statistics or labels leave the exposures as they are.
    """

    def random(purpose: int) -> np.random.Generator:
        return np.random.default_rng([world.settings.seed, 3, number, purpose])

    drawn = random(0)
    users, albums = world.draw_users(BLOCK_ROWS, drawn), world.draw_albums(BLOCK_ROWS, drawn)
    exposures = world.exposures(users, albums, world.contexts(BLOCK_ROWS, drawn), random(1))
    click_probability, play_probability = exposures.click_probability, exposures.play_probability
    chances = random(2).random((2, BLOCK_ROWS))
    click, play = chances[0] < click_probability, chances[1] < play_probability
    if world.settings.chained:
        play, play_label_probability = click & play, click_probability * play_probability
    else:
        play_label_probability = play_probability
    labels = pl.DataFrame({"click": click.astype(np.uint8), "play": play.astype(np.uint8)})
    return Block(
        # Rounded numbers are written five times as fast as exact ones cut to as many decimals.
        labels.hstack(exposures.frame.with_columns(pl.selectors.float().round(DECIMALS))),
        pl.DataFrame({"click": click_probability, "play": play_label_probability}),
        logit(np.stack([click_probability, play_probability])),
    )


def simulate(
    folder: str | pathlib.Path, settings: Settings, rows_per_file: int = ROWS_PER_FILE
) -> dict:
    """Writes a simulated log.

    Args:
      folder: Folder of the simulated files; must not exist.
      settings: Settings of the simulation.
      rows_per_file: Number of rows of a file, except the last; it changes no row.

    Returns:
      The content of `simulation.json`.

    Raises:
      DatasetError: the folder exists, or the settings make no sense.
    """
    folder = pathlib.Path(folder)
    check(settings)
    check(Output(str(folder), rows_per_file))
    with simulation_folder(folder) as partial:
        world = RadioWorld(settings)
        histograms = {task: AucHistogram() for task in TASKS}
        positives = dict.fromkeys(TASKS, 0)
        moments = np.zeros((3, 3))  # of 1 and the two logits
        progress = tqdm.tqdm(total=settings.rows, desc="simulating", unit=" rows", unit_scale=True)
        with progress:
            for number, begins, block in _pieces(world, rows_per_file):
                with open(partial / DATA_FILE.format(number=number), "ab") as file:
                    block.frame.write_csv(file, include_header=begins)
                with open(partial / GROUND_TRUTH_FILE.format(number=number), "ab") as file:
                    block.probabilities.write_csv(
                        file, include_header=begins, float_precision=9, float_scientific=False
                    )
                for task in TASKS:
                    label = block.frame[task].to_numpy()
                    histograms[task].add(block.probabilities[task].to_numpy(), label)
                    positives[task] += int(label.sum())
                values = np.vstack([np.ones(block.frame.height), block.logits])
                moments += values @ values.T
                progress.update(block.frame.height)
        _write_declaration(partial / DECLARATION_FILE, block.frame.columns)
        auc = {task: histograms[task].auc() for task in TASKS}
        summary = {
            "seed": settings.seed,
            "settings": dataclasses.asdict(settings),
            "planted": {
                name: dict(zip(TASKS, shares, strict=True)) for name, shares in EFFECTS.items()
            },
            "rows": settings.rows,
            "clicks": positives["click"],
            "plays": positives["play"],
            "click_rate": positives["click"] / settings.rows,
            "play_rate": positives["play"]
            / max(positives["click"] if settings.chained else settings.rows, 1),
            "task_correlation": _correlation(moments),
            "bayes_auc": dict.fromkeys(SPLIT_NAMES, auc),
            "bayes_auc_over": "all rows, since they are split later",
        }
        write_simulation(partial, summary)
    return summary


def _pieces(world: RadioWorld, rows_per_file: int) -> Iterator[tuple[int, bool, Block]]:
    """All rows, in pieces that are of one block and of one file.

    Yields the file's number, whether the piece is the file's first, and the piece.
    """
    for number, begin in enumerate(range(0, world.settings.rows, BLOCK_ROWS)):
        block = draw_block(world, number)
        row, end = begin, min(begin + BLOCK_ROWS, world.settings.rows)
        while row < end:
            file, past = divmod(row, rows_per_file)
            count = min(rows_per_file - past, end - row)
            yield file, past == 0, block.rows(row - begin, count)
            row += count


def _write_declaration(path: pathlib.Path, columns: list[str]) -> None:
    numeric, categorical = {"kind": NUMERIC, "scaling": "standard"}, {"kind": CATEGORICAL}
    features = [name for name in columns if name not in TASKS]
    content = {
        "name": "radio",
        "simulated": True,
        "split": {
            "by": "fraction",
            "files": "exposures-*.csv",
            "test_fraction": TEST_FRACTION,
            "validation_fraction": VALIDATION_FRACTION,
        },
        "tasks": {task: {"positive": ["1"], "negative": ["0"]} for task in TASKS},
        "fields": {name: dict(numeric if name in STATISTICS else categorical) for name in features},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _correlation(moments: np.ndarray) -> float | None:
    """Of two quantities, from the summed products of (1, x, y) with themselves."""
    means = moments[0, 1:] / moments[0, 0]
    covariance = moments[1:, 1:] / moments[0, 0] - np.outer(means, means)
    product = covariance[0, 0] * covariance[1, 1]
    return float(covariance[0, 1] / np.sqrt(product)) if product > 0 else None
