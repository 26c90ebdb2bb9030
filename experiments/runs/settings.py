"""The settings that every program has which makes a run."""

import dataclasses

from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The dataset and the folder of a run, and what is done at its end."""

    data_dir: str = required("Prepared dataset to train on.")
    run_dir: str = required("Folder of the run, made if it is missing.")
    evaluate_test: bool = setting(
        True, "Whether the test split is evaluated at the end; without, its files are not opened."
    )
    keep_scores: bool = setting(
        False,
        "Whether labels and logits of the last split are written to scores.npz, by which runs are "
        "compared row by row.",
    )
