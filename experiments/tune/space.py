"""The search spaces: which settings of each model are tuned, and between which values.

A dimension's name is that of a flag of the model's program, `set.NAME` for a setting of the model,
or `size`: the number of parameters outside of the embeddings, which the model's width is made to
fit.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

OF_MODEL = "set."
"""Beginning of the names of dimensions that are settings of the model."""

SIZE = "size"
"""Name of the dimension of sizes, multiples of that of `REFERENCE`."""

_DROPOUT = "set.dropout"  # between hidden layers, which models with a width have

REFERENCE = ("mmoe", {"embedding_dim": 16, "num_experts": 8, "expert_units": [64, 32]})
"""The model of size 1, and its settings."""

NARROWEST = 8
"""A width is at least its default divided by this number, whatever the size: layers of one unit
would be left of a model whose other parts are larger than the size."""


@dataclasses.dataclass(frozen=True)
class Log:
    """Numbers between two, alike in their logarithms."""

    name: str
    low: float
    high: float

    def suggest(self, trial: Any) -> object:
        """Returns the chosen number."""
        return trial.suggest_float(self.name, self.low, self.high, log=True)

    def described(self) -> object:
        """Returns the ends."""
        return {"low": self.low, "high": self.high, "log": True}


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values."""

    name: str
    values: Sequence[Any]

    def suggest(self, trial: Any) -> object:
        """Returns the chosen value; Optuna knows lists by their text."""
        texts = {
            json.dumps(value) if isinstance(value, list) else value: value for value in self.values
        }
        return texts[trial.suggest_categorical(self.name, list(texts))]

    def described(self) -> object:
        """Returns the values."""
        return list(self.values)


Dimension = Log | Choice
"""A setting that is tuned."""

SHARED: Sequence[Dimension] = (
    Log("learning_rate", 1e-4, 1e-2),
    Choice("set.embedding_dim", (8, 16, 32)),
    Choice(SIZE, (0.25, 0.5, 1.0, 2.0)),
    Choice(_DROPOUT, (0.0, 0.1, 0.3)),
    Choice("embedding_l2", (0.0, 1e-6, 1e-5, 1e-4)),
)
"""What is tuned of every model that trains in steps."""

_INTERACTIONS = (
    Choice("set.num_interaction_layers", (1, 2)),
    Choice("set.num_dnn_experts", (1, 2, 4)),
)
_MODELS: Mapping[str, Sequence[Dimension]] = {
    "adatt": (
        Choice("set.num_levels", (1, 2)),
        Choice("set.num_task_experts", (1, 2, 4)),
    ),
    "aitm": (Log("set.calibrator_weight", 0.01, 2.0),),
    "cross_stitch": (
        Choice("set.own_share", (0.5, 0.7, 0.9)),
        Choice("set.per_channel", (False, True)),
    ),
    "crossing": (
        Choice("set.crossing", ("dcn", "dcn_v2")),
        Choice("set.num_layers", (1, 2, 3)),
    ),
    "dcn": (Choice("set.num_cross_layers", (1, 2, 3)),),
    "dcn_v2": (Choice("set.num_cross_layers", (1, 2, 3)),),
    "dcrnn": (
        Choice("set.cell", ("lstm", "gru", "simple_rnn")),
        Choice("set.bidirectional", (True, False)),
        Choice("set.adaptation", (True, False)),
        Choice("set.subsequence_length", (2, 3, 4)),
    ),
    "dephn": _INTERACTIONS,
    "din": (Choice("set.softmax", (False, True)),),
    "escm2": (
        Choice("set.risk", ("ips", "dr")),
        Log("set.counterfactual_weight", 0.01, 1.0),
    ),
    "fint": (Choice("set.num_interaction_layers", (1, 2, 3)),),
    "home": (
        Choice("set.num_shared_experts", (1, 2, 4)),
        Choice("set.num_task_experts", (1, 2)),
        Choice("set.gate_rank", (4, 8, 16)),
    ),
    "mmoe": (Choice("set.num_experts", (2, 4, 8)),),
    "mtan": (Choice("set.attention_units", (16, 32, 64)),),
    "mtphn": _INTERACTIONS,
    "pepnet": (Choice("set.gate_units", (32, 64, 128)),),
    "phn": (
        Choice("set.num_interaction_layers", (1, 2)),
        Choice("set.num_cross_layers", (1, 2)),
    ),
    "ple": (
        Choice("set.num_levels", (1, 2)),
        Choice("set.num_shared_experts", (1, 2, 4)),
        Choice("set.num_task_experts", (1, 2)),
    ),
    "sluice": (
        Choice("set.num_subspaces", (2, 4)),
        Log("set.orthogonality_penalty", 1e-5, 1e-2),
    ),
    "snr": (
        Choice("set.num_subnetworks", (4, 8)),
        Choice("set.transform", ("trans", "aver")),
        Log("set.l0_penalty", 1e-6, 1e-2),
    ),
    "soft_sharing": (Log("set.distance_penalty", 1e-6, 1e-2),),
    "stem": (
        Choice("set.num_shared_experts", (1, 2, 4)),
        Choice("set.num_task_experts", (1, 2)),
    ),
    "xdeepfm": (Choice("set.split_half", (False, True)),),
}
"""What is tuned of single models beside."""

_PROGRAMS: Mapping[str, Sequence[Dimension]] = {
    "boosted_trees": (
        Log("learning_rate", 0.02, 0.3),
        Choice("max_leaf_nodes", (7, 15, 31, 63)),
        Choice("min_samples_leaf", (5, 20, 100)),
        Log("l2_regularization", 1e-3, 100.0),
    ),
    "sklearn_logistic_regression": (Log("inverse_regularisation", 1e-3, 10.0),),
}
"""What is tuned of models that other programs fit."""

PROGRAMS = tuple(_PROGRAMS)
"""Names of the models that other programs fit."""


def dimensions(
    model: str, fixed: Mapping[str, Any], width: str | None = None
) -> tuple[Dimension, ...]:
    """Returns what is tuned of a model, the shared settings first.

    Args:
      model: Name of the model.
      fixed: Values that are given, `{flag: value}`; those of the model under `set`.
      width: Name of the setting that makes the model larger; without it, neither sizes nor dropout
        are tuned.
    """
    those = _PROGRAMS.get(model) or (*SHARED, *_MODELS.get(model, ()))
    of_model = fixed.get("set") or {}
    given = {
        *fixed,
        *(OF_MODEL + name for name in (of_model if isinstance(of_model, dict) else ())),
    }
    if width is None or OF_MODEL + width in given:
        given.add(SIZE)
    if width is None:
        given.add(_DROPOUT)
    return tuple(dimension for dimension in those if dimension.name not in given)
