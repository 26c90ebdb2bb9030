"""The leaderboard's table: every registered model, about equally large, on one dataset.

A model that is registered is on it. What is said here of single models is which of their settings
are not the defaults. The width that a model is registered with is chosen so that the model has as
many parameters outside of the embeddings as MMoE.
"""

from collections.abc import Mapping

from experiments.tables.spec import PROGRAMS, Preset, Row, Setting, Table

_COMMON = {"embedding_dim": 16}
_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "dcrnn": {"cell": "lstm", "bidirectional": True, "adaptation": True},
    # Matrices on all embeddings side by side, and no width makes them narrower: as few as can be.
    "dephn": {"num_interaction_layers": 1, "num_dnn_experts": 1},
    "mtphn": {"num_interaction_layers": 1, "num_dnn_experts": 1},
    "phn": {"num_interaction_layers": 1, "num_cross_layers": 1},
}
_LABELS = {"dcrnn": "DCRNN+BiLSTM+Ada"}  # after the settings above
_LEFT_OUT = ("constant",)  # ranks nothing

SMOKE_MODELS = ("mmoe", "shared_bottom", "sklearn_logistic_regression")


def _rows() -> tuple[Row, ...]:
    """All rows but MMoE's: the registered models, then those that other programs make."""
    from dcrnn_tf import models

    known = [models.registration(name) for name in models.names() if name != _MMOE.model]
    trained = [
        Row(
            _LABELS.get(model.name, model.label),
            model.name,
            {**_COMMON, **_SETTINGS.get(model.name, {})},
            matched_width=model.width,
        )
        for model in known
    ]
    others = [
        Row(program.label, name, deterministic=True)
        for name, program in PROGRAMS.items()
        if name not in _LEFT_OUT
    ]
    return (*trained, *others)


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
