"""The leaderboard's table: every model of the registry, about equally large, on one dataset.

A model that is registered is on it. What is said here of single models is how they are named, and
which of their settings are not the defaults; one width of each is free, so that it has as many
parameters outside of the embeddings as MMoE.
"""

from collections.abc import Mapping

from experiments.tables.spec import PROGRAMS, Preset, Row, Setting, Table

_COMMON = {"embedding_dim": 16}
_LABELS = {
    "aitm": "AITM",
    "cross_stitch": "Cross-stitch",
    "crossing": "DCN in DCRNN's network",
    "dcn": "DCN",
    "dcn_v2": "DCN-V2",
    "dcrnn": "DCRNN+BiLSTM+Ada",
    "deepfm": "DeepFM",
    "dephn": "DEPHN",
    "din": "DIN",
    "dnn": "DNN",
    "escm2": "ESCM2",
    "esmm": "ESMM",
    "fint": "FINT",
    "fm": "FM",
    "mtphn": "MTPHN",
    "nfm": "NFM",
    "phn": "PHN",
    "ple": "PLE",
    "sklearn_logistic_regression": "Logistic regression, scikit-learn",
    "snr": "SNR",
    "wide_and_deep": "Wide & Deep",
    "xdeepfm": "xDeepFM",
}
_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "dcrnn": {"cell": "lstm", "bidirectional": True, "adaptation": True},
    # Matrices on all embeddings side by side, and no width makes them narrower: as few as can be.
    "dephn": {"num_interaction_layers": 1, "num_dnn_experts": 1},
    "mtphn": {"num_interaction_layers": 1, "num_dnn_experts": 1},
    "phn": {"num_interaction_layers": 1, "num_cross_layers": 1},
}
_FREE = {"dcn_v2": "projection_dim"}
# Where `_FREE` names none, the first of these that a model has is its free width.
_WIDTHS = (
    *("units", "bottom_units", "expert_units", "level_units", "network_units", "hidden_units"),
    *("subspace_units", "tower_units"),
)
# Not models of their own: the constant predictor ranks nothing.
_LEFT_OUT = ("constant",)

SMOKE_MODELS = ("mmoe", "shared_bottom", "sklearn_logistic_regression")


def label(model: str) -> str:
    """The name that readers know."""
    return _LABELS.get(model, model.replace("_", " ").capitalize())


def _rows() -> tuple[Row, ...]:
    """All rows but MMoE's: the registry's models, then those that programs of their own make."""
    from dcrnn_tf import models

    rows = []
    for name in models.names():
        if name == _MMOE.model or name in PROGRAMS:
            continue
        known = models.settings(name)
        free = _FREE.get(name) or next((width for width in _WIDTHS if width in known), None)
        settings = {**_COMMON, **_SETTINGS.get(name, {})}
        rows.append(Row(label(name), name, settings, free=free))
    programs = [name for name in PROGRAMS if name not in _LEFT_OUT]
    return (*rows, *(Row(label(name), name, deterministic=True) for name in programs))


_MMOE = Row("MMoE", "mmoe", {**_COMMON, "num_experts": 8, "expert_units": [64, 32]})

LEADERBOARD = Table(
    name="leaderboard",
    title="Leaderboard: models of about the same size on one dataset",
    source="the registry of models of this project",
    dataset="Ali-CCP",
    tasks=(),
    columns=("auc_4", "logloss"),
    baseline=_MMOE.label,
    rows=(_MMOE,),
    more_rows=_rows,
    settings=(
        Setting("training rows", "record.dataset.rows.train"),
        Setting("test rows", "record.dataset.rows.test"),
        Setting("epochs", "config.epochs"),
        Setting("batch size", "config.batch_size"),
        Setting("learning rate", "config.learning_rate"),
        Setting("embedding size", "config.settings.embedding_dim"),
        Setting("optimizer", "config.optimizer"),
        Setting("optimizer of embeddings", "config.embedding_optimizer"),
        Setting("positive weights of the loss", "config.positive_weights"),
        Setting("settings of the models", "config.settings"),
    ),
    data="any",
    run_flags={"positive_weights": "none"},
    presets={
        "small": Preset(rows=200_000, epochs=1, seeds=5, batch_size=512, learning_rate=1e-3),
        "smoke": Preset(rows=20_000, epochs=1, seeds=2, batch_size=512, learning_rate=1e-3),
        "paper": Preset(rows=None, epochs=1, seeds=5, batch_size=512, learning_rate=1e-3),
    },
)
