"""The settings of a walk through the days of a log."""

import dataclasses
from collections.abc import Mapping

from dcrnn_tf.system.settings import required, setting
from experiments.runs import forms

FULL, WARM, WINDOW = POLICIES = ("full", "warm", "window")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The log, the days, and the ways in which a model is kept up to date."""

    declaration: str = required("Declaration of the log, with a column of times.")
    out_dir: str = required("Folder of the runs and of the page.")
    first_day: str = required(
        "First day that is evaluated, such as 2026-01-08; the days before it are learned first."
    )
    last_day: str = required("Last day that is evaluated.")
    raw_dir: str = setting(".", "Folder that the declaration's file names are relative to.")
    policies: tuple[str, ...] = setting(
        POLICIES, "Ways to keep the model up to date.", choices=POLICIES
    )
    window_days: int = setting(3, "Number of days that `window` learns again.", lower=1)
    forget_after: int | None = setting(
        None, "As in data_prep.own_log: number of days without an id that its row is kept.", lower=1
    )
    min_count: int | None = setting(
        None, "Least number of training rows of an id; that of the declaration by default.", lower=1
    )
    max_bad_rows: int = setting(
        0, "Largest number of bad rows that are left out and counted.", lower=0
    )
    model: str = setting("dcrnn", "Name of the model, as in experiments.train.")
    set: Mapping[str, object] = setting({}, "A setting of the model as NAME=VALUE.")
    mixed_precision: str = setting(
        "none", "Type of the computation, as in experiments.train.", choices=forms.PRECISIONS
    )
    keep_data: bool = setting(
        False, "Whether the prepared datasets stay; by default only what is needed to go on does."
    )
