"""The tables of the DEPHN paper, and the comparisons behind its figures on Criteo.

The paper prints no hyperparameters but says that all models share them. Here all share the
embedding size, the optimizers and the learning rate; layers and experts are the models' defaults.
It compares by the logloss of plain probabilities, so losses are not weighted.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from experiments.tables.spec import Preset, Row, Setting, Table

_COMMON = {"embedding_dim": 16}
_PAPER = "Kong, Su, Zhao and Hou, DEPHN"
_RUN_FLAGS = {"positive_weights": "none"}
_CONSTANT = Row("Constant", "constant", deterministic=True)

# Which kinds of expert belong to one task; the others are shared by all.
ALL_PUBLIC: list[str] = []
DNN_PRIVATE, DNN_PUBLIC = ["dnn"], ["cross", "field"]

# The paper's letters of its eight functions of correlation and gate difference (Fig. 4).
FUNCTIONS = {
    "a": "cosine_product",
    "b": "absolute_product",
    "c": "square_product",
    "d": "root_product",
    "e": "cosine_sum",
    "f": "absolute_sum",
    "g": "square_sum",
    "h": "root_sum",
}
CORRELATIONS = {"Pearson": "pearson", "cosine": "cosine"}
_DEPHN: dict[str, object] = {
    "virtual_gradient": FUNCTIONS["h"],
    "correlation": CORRELATIONS["Pearson"],
}

_ALI_CCP_TASKS = ("click", "conversion")
_WECHAT_TASKS = ("read_comment", "like", "click_avatar")

# Each model's published logloss and AUC, task by task.
_ALI_CCP = {
    "DNN": ((0.161467, 0.627484), (0.003462, 0.531357)),
    "W&D": ((0.161684, 0.624813), (0.002457, 0.618657)),
    "DCN": ((0.161539, 0.626710), (0.003462, 0.528997)),
    "FINT": ((0.161060, 0.630317), (0.002604, 0.610606)),
    "NFM": ((0.161971, 0.617122), (0.002310, 0.589522)),
    "xDeepFM": ((0.170470, 0.602327), (0.004157, 0.558556)),
    "MMoE": ((0.161248, 0.620267), (0.002050, 0.638755)),
    "PLE": ((0.161167, 0.619016), (0.002091, 0.598048)),
    "SNR": ((0.161060, 0.624165), (0.002104, 0.542347)),
    "MTPHN": ((0.161390, 0.625701), (0.002056, 0.655160)),
    "DEPHN": ((0.162253, 0.625885), (0.002045, 0.663543)),
}
_MTPHN_ALL_PUBLIC = ((0.161049, 0.622513), (0.002021, 0.637854))
_MTPHN_DNN_PRIVATE = ((0.161870, 0.624355), (0.002062, 0.649029))
_WECHAT = {
    "DNN": ((0.095421, 0.925291), (0.091059, 0.826466), (0.037159, 0.832976)),
    "W&D": ((0.093197, 0.926729), (0.090587, 0.827845), (0.037363, 0.831841)),
    "DCN": ((0.094495, 0.924850), (0.090668, 0.828572), (0.037012, 0.832986)),
    "FINT": ((0.093764, 0.925961), (0.090373, 0.830775), (0.036682, 0.839455)),
    "NFM": ((0.096288, 0.917460), (0.092024, 0.818766), (0.037966, 0.814771)),
    "xDeepFM": ((0.093896, 0.925278), (0.090316, 0.832673), (0.036780, 0.840571)),
    "MMoE": ((0.093932, 0.924594), (0.091325, 0.822586), (0.037745, 0.825175)),
    "PLE": ((0.095841, 0.918362), (0.091993, 0.819099), (0.037880, 0.808978)),
    "SNR": ((0.096817, 0.913339), (0.091150, 0.825172), (0.038583, 0.803636)),
    "MTPHN": ((0.094612, 0.923507), (0.091312, 0.826003), (0.037036, 0.828731)),
    "DEPHN": ((0.101615, 0.923981), (0.091039, 0.828510), (0.037001, 0.829934)),
}
_MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "DNN": ("dnn", {}),
    "W&D": ("wide_and_deep", {}),
    "DCN": ("dcn", {}),
    "FINT": ("fint", {}),
    "NFM": ("nfm", {}),
    "xDeepFM": ("xdeepfm", {}),
    "MMoE": ("mmoe", {}),
    "PLE": ("ple", {}),
    "SNR": ("snr", {}),
    "MTPHN": ("mtphn", {"private_experts": DNN_PUBLIC}),
    "DEPHN": ("dephn", _DEPHN),
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
    Setting("positive weights of the loss", "config.positive_weights"),
)
_REAL = Preset(rows=None, epochs=1, seeds=5, batch_size=1024, learning_rate=1e-3)
_SMOKE = Preset(rows=20_000, epochs=1, seeds=1, batch_size=512, learning_rate=1e-3)


def _row(label: str, model: str, settings: Mapping, tasks: Sequence[str], figures=None) -> Row:
    """A row with `figures`, (logloss, AUC) of each task, if the paper has them."""
    paper = figures and {
        task: dict(zip(("logloss", "auc"), pair, strict=True))
        for task, pair in zip(tasks, figures, strict=True)
    }
    return Row(label, model, {**settings, **_COMMON}, paper)


def _rows(labels: Sequence[str], tasks: Sequence[str], published: Mapping) -> tuple[Row, ...]:
    return tuple(_row(label, *_MODELS[label], tasks, published[label]) for label in labels)


def _table(
    name: str, title: str, dataset: str, tasks: tuple[str, ...], baseline: str = "MMoE", **more
) -> Table:
    return Table(
        name=name,
        title=title,
        dataset=dataset,
        tasks=tasks,
        columns=("logloss", "auc"),
        baseline=baseline,
        settings=_SETTINGS,
        run_flags=_RUN_FLAGS,
        **more,
    )


def _presets(small: Preset, smoke: Preset = _SMOKE) -> dict[str, Preset]:
    return {"small": small, "smoke": smoke, "paper": _REAL}


TABLE_1 = _table(
    "dephn_table1",
    "DEPHN, Table I: single-task models, multi-task models and MTPHN on Ali-CCP",
    "Ali-CCP",
    _ALI_CCP_TASKS,
    source=f"{_PAPER}, Table I",
    rows=(
        *_rows(("DNN", "W&D", "DCN", "FINT", "MMoE", "PLE", "SNR"), _ALI_CCP_TASKS, _ALI_CCP),
        *(
            _row(f"MTPHN, {kind}", "mtphn", {"private_experts": private}, _ALI_CCP_TASKS, figures)
            for kind, private, figures in (
                ("all public", ALL_PUBLIC, _MTPHN_ALL_PUBLIC),
                ("DNN private", DNN_PRIVATE, _MTPHN_DNN_PRIVATE),
                ("DNN public", DNN_PUBLIC, _ALI_CCP["MTPHN"]),
            )
        ),
        _CONSTANT,
    ),
    presets=_presets(
        Preset(rows=200_000, epochs=2, seeds=5, batch_size=512, learning_rate=1e-3),
        dataclasses.replace(
            _SMOKE,
            labels=(
                *("DNN", "FINT", "MMoE", "PLE", "SNR"),
                *("MTPHN, all public", "MTPHN, DNN private", "MTPHN, DNN public", "Constant"),
            ),
        ),
    ),
)

TABLE_2_ALI_CCP = _table(
    "dephn_table2_ali_ccp",
    "DEPHN, Table II: DEPHN and its baselines on Ali-CCP",
    "Ali-CCP",
    _ALI_CCP_TASKS,
    source=f"{_PAPER}, Table II",
    rows=(*_rows(tuple(_MODELS), _ALI_CCP_TASKS, _ALI_CCP), _CONSTANT),
    # What Table I runs too need not be tried twice.
    presets={
        **TABLE_1.presets,
        "smoke": dataclasses.replace(_SMOKE, labels=("NFM", "xDeepFM", "MMoE", "DEPHN")),
    },
)

TABLE_2_WECHAT = _table(
    "dephn_table2_wechat",
    "DEPHN, Table II: DEPHN and its baselines on WeChat",
    "WeChat Big Data Challenge 2021",
    _WECHAT_TASKS,
    source=f"{_PAPER}, Table II",
    rows=(*_rows(tuple(_MODELS), _WECHAT_TASKS, _WECHAT), _CONSTANT),
    data="wechat",
    presets=_presets(
        Preset(rows=200_000, epochs=2, seeds=5, batch_size=512, learning_rate=1e-3),
        dataclasses.replace(_SMOKE, labels=("MMoE", "PLE", "DEPHN", "Constant")),
    ),
)


def _criteo(code: str, task: str) -> tuple[Table, Table]:
    """The comparison on Criteo-R or Criteo-UR, and the one behind Figure 5."""
    dataset, tasks = f"Criteo-{code}", ("base", task)
    table = functools.partial(_table, dataset=dataset, tasks=tasks, data=f"criteo_{code.lower()}")
    mmoe, mtphn, dephn = (
        _row(label, *_MODELS[label], tasks) for label in ("MMoE", "MTPHN", "DEPHN")
    )
    plain = _row(
        "DEPHN without virtual gradient", "dephn", {**_DEPHN, "virtual_gradient": None}, tasks
    )
    variants = [
        _row(
            f"DEPHN {words}, {letter}",
            "dephn",
            {"virtual_gradient": function, "correlation": correlation},
            tasks,
        )
        for words, correlation in CORRELATIONS.items()
        for letter, function in FUNCTIONS.items()
    ]
    return (
        table(
            f"dephn_criteo_{code.lower()}",
            f"DEPHN: the virtual gradient on {dataset}, whose second task is {task}",
            source=f"{_PAPER}, which describes these data and prints no table of them",
            baseline=plain.label,
            rows=(mmoe, mtphn, plain, dephn),
            presets=_presets(
                Preset(rows=125_000, epochs=2, seeds=5, batch_size=512, learning_rate=1e-3),
                Preset(rows=20_000, epochs=1, seeds=2, batch_size=512, learning_rate=1e-3),
            ),
        ),
        table(
            f"dephn_figure5_criteo_{code.lower()}",
            f"DEPHN, Figure 5: the eight functions a to h and two correlations on {dataset}",
            source=f"{_PAPER}, Figure 5, which is drawn without figures",
            rows=(mmoe, plain, *variants),
            presets=_presets(
                Preset(rows=40_000, epochs=2, seeds=3, batch_size=512, learning_rate=1e-3),
                dataclasses.replace(
                    _SMOKE,
                    labels=("MMoE", plain.label, "DEPHN Pearson, h"),
                ),
            ),
        ),
    )


CRITEO_R, FIGURE_5_R = _criteo("R", "related")
CRITEO_UR, FIGURE_5_UR = _criteo("UR", "unrelated")

FIGURE_3 = _table(
    "dephn_figure3",
    "DEPHN, Figure 3: the MTPHN whose soft selection and shares are drawn",
    "Ali-CCP",
    _ALI_CCP_TASKS,
    source=f"{_PAPER}, Figure 3, which is drawn without figures",
    rows=(_row("MMoE", *_MODELS["MMoE"], _ALI_CCP_TASKS), _row("MTPHN", *_MODELS["MTPHN"], ())),
    presets={
        name: dataclasses.replace(preset, seeds=1, labels=())
        for name, preset in TABLE_1.presets.items()
    },
)
FIGURE_6 = _table(
    "dephn_figure6",
    "DEPHN, Figure 6: trainable value gates (TVG) and mapping gates (MG) on Criteo-UR",
    FIGURE_5_UR.dataset,
    FIGURE_5_UR.tasks,
    source=f"{_PAPER}, Figure 6, which is drawn without figures",
    baseline="TVG",
    rows=(
        _row("TVG", "dephn", {**_DEPHN, "gating": "value"}, ()),
        _row("MG", "dephn", {**_DEPHN, "gating": "mapping"}, ()),
        _row("MG, no softmax", "dephn", {**_DEPHN, "gating": "linear_mapping"}, ()),
    ),
    data=FIGURE_5_UR.data,
    presets={**FIGURE_5_UR.presets, "smoke": _SMOKE},
)

# What the figures 3, 5, 6 and 7 are drawn from.
FIGURES = (FIGURE_3, FIGURE_5_R, FIGURE_5_UR, FIGURE_6)
