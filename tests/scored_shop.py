"""A shop's log with joined files, derived columns and a history, and a run of a model on it."""

import pathlib

import numpy as np
import polars as pl
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare
from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.training.checkpoints import Checkpoints, numbered
from tests.experiments.run_folders import write_run

ROWS = 900
DECLARATION = {
    "name": "shop",
    "missing_values": ["-"],
    "time": {"column": "at", "unit": "s"},
    "split": {"by": "column", "files": "rows.csv", "column": "day", "test": [3]},
    "joins": {
        "users": {
            "files": "users.csv",
            "key": "user",
            "columns": ["city"],
            "unmatched": "missing",
            "entity": True,
        }
    },
    "derived": {"hour": "HOUR(TO_TIMESTAMP(at))"},
    "tasks": {
        "click": {},
        "buy": {"only_where": "click"},
        "colour": {"kind": "multiclass"},
        "spent": {"kind": "regression", "loss": "squared"},
    },
    "fields": {
        "user": {"kind": "categorical", "min_count": 1},
        "item": {"kind": "categorical", "min_count": 20},
        "city": {"kind": "categorical", "min_count": 1},
        "hour": {"kind": "categorical", "min_count": 1},
        "tags": {"kind": "multi_categorical", "min_count": 1, "max_values": 3, "weights": ":"},
        "price": {"kind": "numeric"},
        "seen": {
            **{"kind": "multi_categorical", "history_of": "item", "by": "user", "last": 4},
            **{"shares": "item", "where": "click", "delay": "60s"},
        },
    },
}


def raw_rows() -> pl.DataFrame:
    random = np.random.default_rng(5)
    click = random.random(ROWS) < 0.4
    tags = [
        ";".join(random.choice(["a", "b:0.5", "c:2", "d"], n)) for n in random.integers(0, 5, ROWS)
    ]
    return pl.DataFrame(
        {
            "at": 1_700_000_000 + np.sort(random.integers(0, 3 * 86400, ROWS)),
            "day": np.arange(ROWS) // 300 + 1,
            "user": random.integers(0, 40, ROWS),
            "item": [f"i{n}" for n in (40 * random.random(ROWS) ** 2).astype(int)],
            "tags": tags,
            "price": random.lognormal(2, 1, ROWS).round(4),
            "click": click.astype(int),
            "buy": (click & (random.random(ROWS) < 0.3)).astype(int),
            "colour": [("red", "green", "blue")[n] for n in random.integers(0, 3, ROWS)],
            "spent": random.random(ROWS).round(4),
            "order": [f"o{n}" for n in range(ROWS)],
        }
    )


def prepare_shop(folder: pathlib.Path) -> pathlib.Path:
    """Writes the log and prepares it; returns the folder of the dataset."""
    raw_rows().write_csv(folder / "rows.csv")
    cities = [("rome", "oslo", "-")[n % 3] for n in range(36)]  # four users have no partner
    pl.DataFrame({"user": range(36), "city": cities}).write_csv(folder / "users.csv")
    (folder / "shop.yaml").write_text(yaml.safe_dump(DECLARATION, sort_keys=False))
    prepare(load_declaration(folder / "shop.yaml"), folder, folder / "prepared")
    return folder / "prepared"


def write_shop_run(
    folder: pathlib.Path, dataset: pathlib.Path, model: str = "shared_bottom"
) -> pathlib.Path:
    """Writes a run of a model with random weights; returns its folder."""
    schema = load_schema(dataset)
    settings = {"embedding_dim": 4}
    built = models.build(model, schema, **settings)
    random = np.random.default_rng(6)
    for variable in built.variables:
        variable.assign(random.normal(0, 0.2, variable.shape))
    write_run(
        folder,
        dict.fromkeys(schema.task_names, 0.7),
        model=model,
        settings=settings,
        fingerprint=schema.fingerprint,
        data_dir=str(dataset),
    )
    Checkpoints(folder / "checkpoints", numbered("model", built.variables)).save(300)
    return folder
