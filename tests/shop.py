"""A small shop's log, of every kind of column that a declaration can make a field of."""

import pathlib

import numpy as np
import polars as pl
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare

ROWS = 600
FIELDS = {
    "row": {"kind": "numeric", "scaling": "none"},
    "city": {"kind": "categorical", "min_count": 40},
    "tags": {"kind": "multi_categorical", "min_count": 60, "max_values": 2},
    "price": {"kind": "numeric", "scaling": "standard"},
    "price_log": {"kind": "numeric", "scaling": "log", "column": "price"},
    "price_rank": {"kind": "numeric", "scaling": "quantile", "column": "price"},
    "price_bins": {"kind": "categorical", "bins": "log", "min_count": 30, "column": "price"},
    "level_bins": {"kind": "categorical", "bins": "quantile", "min_count": 20, "column": "level"},
    "level": {"kind": "categorical", "min_count": 1},
}

MORE_FIELDS = {
    "city_hash": {"kind": "categorical", "hashed": 1000, "column": "city", "width": 2},
    "tags_hash": {"kind": "multi_categorical", "hashed": 9, "column": "tags", "max_values": 3},
    "tags_weighted": {
        **{"kind": "multi_categorical", "min_count": 1, "column": "tags"},
        **{"max_values": 2, "keep": "last", "weights": ":", "width": 3},
    },
}


def raw_rows():
    random = np.random.default_rng(4)
    shares = 1 / np.arange(1, 21)
    level = random.choice(20, ROWS, p=shares / shares.sum())
    tags = [" ; ".join(random.choice(list("abcdefgh"), n)) for n in random.integers(0, 4, ROWS)]
    price = [f"{value:.4f}" for value in random.lognormal(2, 1, ROWS)]
    return pl.DataFrame(
        {
            "row": [str(row) for row in range(ROWS)],
            "city": [("rome ", "oslo", "-", "", *"abcd")[n] for n in random.integers(0, 8, ROWS)],
            "tags": tags,
            "price": ["" if row % 9 == 0 else text for row, text in enumerate(price)],
            # Twice used: as numbers for its bins, as values for its ids.
            "level": [str(n) for n in level],
            "click": [str(int(n)) for n in random.random(ROWS) < 0.3],
        }
    )


def prepare_shop(folder: pathlib.Path, **more_fields) -> pathlib.Path:
    """Prepares the log in a folder; returns the dataset's."""
    raw_rows().write_csv(folder / "rows.csv")
    declaration = {
        "name": "shop",
        "missing_values": ["-"],
        "split": {"by": "fraction", "files": "rows.csv", "test_fraction": 0.5},
        "fields": FIELDS | more_fields,
        "tasks": {"click": {}},
    }
    (folder / "shop.yaml").write_text(yaml.safe_dump(declaration, sort_keys=False))
    prepare(load_declaration(folder / "shop.yaml"), folder, folder / "prepared")
    return folder / "prepared"
