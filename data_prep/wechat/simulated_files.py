"""The files of a simulated WeChat Big Data Challenge."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import polars as pl
import tqdm

from data_prep.simulation.auc_histogram import AucHistogram
from data_prep.simulation.folder import simulation_folder, write_simulation
from data_prep.wechat import world as simulation
from data_prep.wechat.fields import (
    ACTION_COLUMNS,
    ACTION_FILE,
    BEHAVIOURS,
    FEED_COLUMNS,
    FEED_FILE,
    SCORED_LIST,
)
from dcrnn_tf.system.settings import check

GROUND_TRUTH_FILE = "ground_truth.csv"
LISTS = {  # things, mean length, longest list, share of the things that are of the feed's topic
    "manual_keyword_list": (600, 3.0, 8, 0.9),
    "machine_keyword_list": (600, 5.0, 16, 0.7),
    "manual_tag_list": (120, 3.0, 10, 0.9),
    "machine_tag_list": (120, 5.0, 12, 0.6),
}
MISSING = {  # share of the feeds that have nothing there
    "bgm_song_id": 0.4,
    "manual_keyword_list": 0.1,
    "machine_keyword_list": 0.2,
    "manual_tag_list": 0.1,
    "machine_tag_list": 0.2,
    "ocr": 0.2,
    "asr": 0.3,
}


def simulate(folder: pathlib.Path, settings: simulation.Settings) -> dict:
    """Writes a simulated WeChat Big Data Challenge.

    Args:
      folder: Folder of the simulated files; must not exist.
      settings: Settings of the simulation.

    Returns:
      The content of `simulation.json`.

    Raises:
      DatasetError: the folder exists, or the settings make no sense.
    """
    check(settings)
    with simulation_folder(folder) as partial:
        simulated = simulation.Simulation(settings)
        feed_table(simulated).write_csv(partial / FEED_FILE)
        progress = tqdm.tqdm(total=settings.rows, desc="simulating", unit=" rows", unit_scale=True)
        with progress as bar:
            counts = _write_exposures(partial, simulated, bar.update)
        summary = {
            "seed": settings.seed,
            "settings": dataclasses.asdict(settings),
            "planted": {
                "effects": simulation.EFFECTS,
                "shared": simulation.SHARED,
                "scales": simulation.SCALES,
            },
            **counts,
        }
        write_simulation(partial, summary)
    return summary


def _write_exposures(
    folder: pathlib.Path, simulated: simulation.Simulation, progress: Callable[[int], object]
) -> dict:
    rows = {"train": 0, "test": 0}
    positives = {split: dict.fromkeys(BEHAVIOURS, 0) for split in rows}
    auc = {split: {name: AucHistogram() for name in BEHAVIOURS} for split in rows}
    header = True
    with (
        open(folder / ACTION_FILE, "wb") as actions,
        open(folder / GROUND_TRUTH_FILE, "wb") as truth,
    ):
        for block in simulated.blocks():
            columns = block.labels | {
                "userid": simulated.user_ids[block.user],
                "feedid": simulated.feeds.ids[block.feed],
                "date_": block.day,
                "device": 1 + simulated.device[block.user],
                "play": block.play,
                "stay": block.stay,
            }
            frame = pl.DataFrame({name: columns[name] for name in ACTION_COLUMNS})
            frame.write_csv(actions, include_header=header)
            frame = pl.DataFrame(block.probabilities)
            frame.write_csv(truth, include_header=header, float_precision=9)
            header = False
            last = block.day == simulation.DAYS
            for split, chosen in (("train", ~last), ("test", last)):
                rows[split] += int(chosen.sum())
                for name in BEHAVIOURS:
                    label = block.labels[name][chosen]
                    positives[split][name] += int(label.sum())
                    auc[split][name].add(block.probabilities[name][chosen], label)
            progress(len(block.day))
    bayes = {s: {name: one.auc() for name, one in of.items()} for s, of in auc.items()}
    # Validation rows are drawn from the training days.
    bayes["validation"] = bayes["train"]
    return {"rows": rows, "positives": positives, "bayes_auc": bayes}


def feed_table(simulated: simulation.Simulation) -> pl.DataFrame:
    """Returns what `feed_info.csv` says, in its columns."""
    random = np.random.default_rng([simulated.settings.seed, 5])
    feeds = simulated.feeds
    count = len(feeds.ids)
    song = simulation.draw_numbers(random, feeds.topic, count // 10)
    columns = {
        "feedid": pl.Series(feeds.ids),
        "authorid": pl.Series(feeds.author),
        "videoplayseconds": pl.Series(feeds.seconds),
        "bgm_song_id": pl.Series(song),
        # Each singer has three songs of a topic.
        "bgm_singer_id": pl.Series(song // (3 * simulation.TOPICS) * simulation.TOPICS)
        + pl.Series(feeds.topic),
    }
    for name, (things, mean, longest, of_topic) in LISTS.items():
        columns[name] = _lists(random, name, feeds.topic, things, mean, longest, of_topic)
    for name in ("description", "ocr", "asr"):
        columns[name] = _texts(random, count, 50_000)
        columns[name + "_char"] = _texts(random, count, 6_000)
    missing = {name: pl.Series(random.random(count) < share) for name, share in MISSING.items()}
    copies = {"bgm_song_id": "bgm_singer_id", "ocr": "ocr_char", "asr": "asr_char"}
    missing |= {copy: missing[name] for name, copy in copies.items()}
    columns |= {name: columns[name].set(rows, None) for name, rows in missing.items()}
    return pl.DataFrame({name: columns[name] for name in FEED_COLUMNS})


def _lists(
    random: np.random.Generator,
    name: str,
    topic: np.ndarray,
    things: int,
    mean: float,
    longest: int,
    of_topic: float,
) -> pl.Series:
    """Cells with lists of distinct things; the scored list tells which are of the topic."""
    lengths = np.minimum(1 + random.poisson(mean - 1, len(topic)), longest)
    row = np.repeat(np.arange(len(topic)), lengths)
    fits = random.random(len(row)) < of_topic
    of_any = random.integers(simulation.TOPICS, size=len(row))
    entries = pl.DataFrame(
        {
            "row": row,
            "text": simulation.draw_numbers(random, np.where(fits, topic[row], of_any), things),
            "score": np.where(fits, 0.5, 0.05) + 0.45 * random.random(len(row)),
        }
    ).unique(["row", "text"], keep="first", maintain_order=True)
    text = pl.col("text").cast(pl.String)
    if name == SCORED_LIST:
        text = pl.concat_str(text, pl.lit(" "), pl.col("score").round(6).cast(pl.String))
    cells = entries.group_by("row", maintain_order=True).agg(text.str.join(";"))
    return cells["text"]


def _texts(random: np.random.Generator, count: int, words: int) -> pl.Series:
    """Cells with a few numbers that stand for words."""
    lengths = random.integers(2, 9, size=count)
    row = np.repeat(np.arange(count), lengths)
    entries = pl.DataFrame({"row": row, "word": random.integers(words, size=len(row))})
    text = pl.col("word").cast(pl.String).str.join(" ")
    return entries.group_by("row", maintain_order=True).agg(text)["word"]
