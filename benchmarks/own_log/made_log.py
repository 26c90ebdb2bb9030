"""Makes a synthetic log with users and items to join, and the declaration that prepares it."""

import json
import pathlib

import numpy as np
import polars as pl

USERS, ITEMS = 500_000, 200_000
CHUNK_ROWS = 1_000_000

DECLARATION = {
    "name": "films",
    "time": {"column": "at", "unit": "s"},
    "split": {"by": "time", "files": "log_*.csv", "train_until": "2026-01-25"},
    "joins": {
        "users": {
            "files": "users.csv",
            "key": "user_id",
            "columns": ["age", "country", "device"],
            "unmatched": "missing",
        },
        "items": {
            "files": "items.parquet",
            "key": "item_id",
            "columns": ["genre", "duration_ms", "author", "tags"],
            "unmatched": "missing",
        },
    },
    "derived": {
        "watched": "played_ms / duration_ms >= 0.8",
        "hour": "HOUR(TO_TIMESTAMP(at))",
        "country_genre": "country || '/' || genre",
    },
    "tasks": {"watched": {}, "liked": {}},
    "fields": {
        "user_id": {"kind": "categorical"},
        "item_id": {"kind": "categorical", "min_count": 1},
        "age": {"kind": "numeric"},
        "country": {"kind": "categorical"},
        "device": {"kind": "categorical"},
        "genre": {"kind": "categorical"},
        "author": {"kind": "categorical"},
        "tags": {"kind": "multi_categorical", "max_values": 5},
        "length": {"kind": "numeric", "column": "duration_ms", "scaling": "log"},
        "hour": {"kind": "categorical"},
        "country_genre": {"kind": "categorical"},
    },
}
HISTORY = {
    "seen": {
        **{"kind": "multi_categorical", "history_of": "item_id", "by": "user_id", "last": 10},
        **{"where": "watched", "shares": "item_id", "attended_by": "item_id"},
    }
}


def declaration(entities: bool, histories: bool) -> dict:
    """Returns the declaration, with entity tables and histories or without."""
    content = json.loads(json.dumps(DECLARATION))
    for join in content["joins"].values():
        join["entity"] = entities
    content["fields"] |= HISTORY if histories else {}
    return content


def write(folder: pathlib.Path, rows: int) -> None:
    """Writes a synthetic log in order of time, and its files of users and items.

    Args:
      folder: Folder of the files; must not exist.
      rows: Number of rows of the log.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(rows)
    users = pl.DataFrame(
        {
            "user_id": np.arange(USERS),
            "age": random.integers(14, 80, USERS),
            "country": random.choice(["de", "fr", "it", "us", "cn"], USERS),
            "device": random.choice(["phone", "tablet", "desktop", ""], USERS),
        }
    )
    users.sample(fraction=1, shuffle=True, seed=1).write_csv(folder / "users.csv")
    tags = random.integers(0, 500, (ITEMS, 3)).astype(str).tolist()
    items = pl.DataFrame(
        {
            "item_id": np.arange(ITEMS),
            "genre": random.choice([f"genre {n}" for n in range(40)], ITEMS),
            "duration_ms": random.integers(5_000, 300_000, ITEMS),
            "author": [f"author {n}" for n in random.integers(0, 20_000, ITEMS)],
            "tags": tags,
        }
    )
    items.write_parquet(folder / "items.parquet")
    month = 30 * 86_400
    for number, first in enumerate(range(0, rows, CHUNK_ROWS)):
        count = min(CHUNK_ROWS, rows - first)
        moments = 1_767_225_600 + (np.arange(first, first + count) / rows * month).astype(int)
        log = pl.DataFrame(
            {
                "user_id": (random.random(count) ** 2 * USERS * 1.01).astype(int),
                "item_id": (random.random(count) ** 3 * ITEMS).astype(int),
                "at": moments,
                "played_ms": random.integers(0, 300_000, count),
                "liked": random.integers(0, 10, count) == 0,
            }
        )
        log.write_csv(folder / f"log_{number:03d}.csv")
