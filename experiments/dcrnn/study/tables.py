"""The runs behind the study of DCRNN's claims, on simulated album recommendation.

Every comparison is a row minus its table's baseline, seed by seed. The models' layers, the
optimizer and the learning rate are the same everywhere but for what a comparison is of.
"""

import dataclasses

from experiments.tables.spec import Preset, Row, Setting, Table

CORRELATIONS = ("0", "0.5", "0.9")
NOISES = ("0", "1", "3")
LENGTH, INTERVAL = 5, 2  # L and I of the paper's Xiaomi Radio

_TASKS = ("click", "play")
_EMBEDDING = {"embedding_dim": 16}
_DCRNN = {
    "cell": "lstm",
    "bidirectional": True,
    "units": 64,
    "subsequence_length": LENGTH,
    "interval": INTERVAL,
    "adaptation": True,
    **_EMBEDDING,
}
_SETTINGS = (
    Setting("training rows", "record.dataset.rows.train"),
    Setting("test rows", "record.dataset.rows.test"),
    Setting("epochs", "config.epochs"),
    Setting("batch size", "config.batch_size"),
    Setting("learning rate", "config.learning_rate"),
    Setting("embedding size", "config.settings.embedding_dim"),
    Setting("optimizer", "config.optimizer"),
    Setting("optimizer of embeddings", "config.embedding_optimizer"),
    Setting("positive weights of the loss", "record.positive_weights"),
)
# One pass: a second one made DCRNN and MMoE worse, which then learn the ids by heart.
_SMALL = Preset(rows=120_000, epochs=1, seeds=5, batch_size=512, learning_rate=1e-3)
_SMOKE = Preset(rows=10_000, epochs=1, seeds=1, batch_size=512, learning_rate=1e-3)


def _dcrnn(label: str, **changed) -> Row:
    return Row(label, "dcrnn", _DCRNN | changed)


def _table(
    name: str,
    title: str,
    baseline: Row,
    *others: Row,
    smoke: tuple[str, ...] = (),
    data: str = "radio",
) -> Table:
    """A table; `smoke` are the labels of the rows that its smoke form tries."""
    return Table(
        name=f"study_{name}",
        title=title,
        source="Zhou and Yu, DCRNN, whose claims it tests",
        dataset="Xiaomi Radio",
        tasks=_TASKS,
        columns=("mean",),
        baseline=baseline.label,
        rows=(baseline, *others),
        settings=_SETTINGS,
        data=data,
        presets={"small": _SMALL, "smoke": dataclasses.replace(_SMOKE, labels=smoke)},
    )


_PARTIAL = f"partial, I {INTERVAL}"

SHARING = {
    correlation: _table(
        f"sharing_{correlation}",
        f"Hard, partial and soft sharing at a task correlation of {correlation}",
        _dcrnn(_PARTIAL),
        _dcrnn("hard, I 0", interval=0),
        _dcrnn(f"soft, I {LENGTH}", interval=LENGTH),
        smoke=(_PARTIAL, "hard, I 0"),
        data=f"radio_correlation_{correlation}",
    )
    for correlation in CORRELATIONS
}
ADAPTATION = {
    noise: _table(
        f"adaptation_{noise}",
        f"With and without Ada at a feature noise of {noise}",
        _dcrnn("without Ada", adaptation=False),
        _dcrnn("with Ada"),
        data=f"radio_noise_{noise}",
    )
    for noise in NOISES
}
SEQUENCE = _table(
    "sequence",
    "Subsequence length L and interval I",
    _dcrnn(f"L {LENGTH}, I {INTERVAL}"),
    *(
        _dcrnn(f"L {length}, I {interval}", subsequence_length=length, interval=interval)
        for length, interval in ((1, 1), (3, 1), (7, 3), (LENGTH, 0), (LENGTH, 1), (LENGTH, LENGTH))
    ),
    smoke=(f"L {LENGTH}, I {INTERVAL}", "L 1, I 1"),
)

# Each crossing's own width makes the parameters outside the embedding table as many as BiLSTM's.
# DCN's layers have none, so that its tower is as wide as it takes; with the tower of the others it
# has an eighth of the parameters.
_PLAIN = {**_DCRNN, "adaptation": False, "subsequence_length": 3, "interval": 1}
_ONE_WAY = {**_PLAIN, "bidirectional": False}
_CROSSING = {"num_layers": 3, **_EMBEDDING}
CROSSING = _table(
    "crossing",
    "Crossings in the same place of the same network, at equal parameters",
    Row("BiLSTM", "dcrnn", _PLAIN),
    Row("LSTM", "dcrnn", {**_ONE_WAY, "units": 114}),
    Row("simple RNN", "dcrnn", {**_ONE_WAY, "cell": "simple_rnn", "units": 300}),
    Row("DCN", "crossing", {**_CROSSING, "crossing": "dcn", "tower_units": [582, 32]}),
    Row("DCN, tower 64", "crossing", {**_CROSSING, "crossing": "dcn"}),
    Row("DCN-V2", "crossing", {**_CROSSING, "crossing": "dcn_v2", "rank": 96}),
    Row("CIN", "crossing", {**_CROSSING, "crossing": "cin", "feature_maps": 65}),
    smoke=("BiLSTM", "CIN"),
)


def _mmoe(wide: int, narrow: int) -> Row:
    return Row(f"MMoE {wide}-{narrow}", "mmoe", {"expert_units": [wide, narrow], **_EMBEDDING})


# Pairs of about the same number of parameters outside the embedding table.
SIZES = {8: _mmoe(16, 8), 16: _mmoe(32, 16), 32: _mmoe(64, 32), 64: _mmoe(128, 64)}
SIZE = _table(
    "size",
    "MMoE and DCRNN of several sizes",
    SIZES[64],  # the paper's
    *(SIZES[units] for units in (32, 16, 8)),
    *(
        dataclasses.replace(_dcrnn(f"DCRNN {units}", units=units), baseline=mmoe.label)
        for units, mmoe in SIZES.items()
    ),
    _dcrnn("DCRNN 128", units=128),
    smoke=("MMoE 128-64", "MMoE 16-8", "DCRNN 8"),
)
TABLES = (*SHARING.values(), *ADAPTATION.values(), SEQUENCE, CROSSING, SIZE)
