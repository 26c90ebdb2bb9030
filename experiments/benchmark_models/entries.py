"""The models of the benchmark: which there are, and what of them is not tuned."""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.tables.spec import PROGRAMS, Row, Table
from experiments.tune.space import PROGRAMS as TUNED_PROGRAMS


@dataclasses.dataclass(frozen=True)
class Entry:
    """A model of the benchmark.

    Attributes:
      name: Name by which `--models` chooses it, and of its folder.
      label: Name by which readers know it.
      model: Name of the model, in the registry or among the programs.
      settings: Settings of the model that are not tuned.
    """

    name: str
    label: str
    model: str
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)


BASELINE = Entry("mmoe", "MMoE", "mmoe")
_BILSTM = {"cell": "lstm", "bidirectional": True}
_LENGTH = 3  # of a task's subsequence, where the interval is given
_VARIANTS = (
    Entry("dcrnn", "DCRNN+Ada", "dcrnn", {"adaptation": True}),
    Entry("dcrnn_no_ada", "DCRNN", "dcrnn", {"adaptation": False}),
    Entry("dcrnn_bilstm_ada", "DCRNN+BiLSTM+Ada", "dcrnn", _BILSTM | {"adaptation": True}),
    Entry("dcrnn_bilstm", "DCRNN+BiLSTM", "dcrnn", _BILSTM | {"adaptation": False}),
    *(
        Entry(
            f"dcrnn_{name}_sharing",
            f"DCRNN+BiLSTM+Ada, {name} sharing",
            "dcrnn",
            {**_BILSTM, "adaptation": True, "subsequence_length": _LENGTH, "interval": interval},
        )
        for name, interval in (("hard", 0), ("partial", 1), ("soft", _LENGTH))
    ),
    Entry("dephn", "DEPHN", "dephn"),
    Entry("dephn_no_virtual", "DEPHN, no virtual gradient", "dephn", {"virtual_gradient": None}),
    Entry("dephn_no_selection", "DEPHN, no soft selection", "dephn", {"soft_selection": False}),
    Entry("dephn_no_residuals", "DEPHN, no residual links", "dephn", {"residual_links": False}),
    Entry("dephn_no_mappings", "DEPHN, no explicit mappings", "dephn", {"mappings": ["raw"]}),
)
_SINGLE_TASK = ("dcn_v2", "deepfm", "dnn", "fint", "xdeepfm")
SMOKE = ("mmoe", "shared_bottom", "boosted_trees", "sklearn_logistic_regression")
"""Names of the models of the shortest form."""


def entries() -> tuple[Entry, ...]:
    """Returns all models of the benchmark, the baseline first."""
    from dcrnn_tf import models

    variants = {entry.model for entry in (BASELINE, *_VARIANTS)}
    registered = [models.registration(name) for name in models.names()]
    others = [
        Entry(known.name, known.label, known.name)
        for known in registered
        if known.name not in {*variants, "crossing"}
        if known.name in _SINGLE_TASK or ".multi_task." in known.cls.__module__
    ]
    programs = [Entry(name, PROGRAMS[name].label, name) for name in TUNED_PROGRAMS]
    return (BASELINE, *_VARIANTS, *others, *programs)


def table(chosen: Sequence[Entry], tasks: Sequence[str], dataset: str) -> Table:
    """Returns the table whose rows are the models of the benchmark.

    Args:
      chosen: The models.
      tasks: Tasks of the dataset.
      dataset: Name of the dataset.
    """
    rows = tuple(
        Row(entry.label, entry.model, entry.settings, deterministic=entry.model in PROGRAMS)
        for entry in chosen
    )
    labels = [row.label for row in rows]
    return Table(
        name="benchmark",
        title=f"Tuned models on {dataset}",
        source="the registry of models of this project",
        dataset=dataset,
        tasks=tuple(tasks),
        columns=("auc_4", "logloss"),
        baseline=BASELINE.label if BASELINE.label in labels else None,
        rows=rows,
    )
