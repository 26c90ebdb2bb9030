"""Models by name. Adding one: a module here, and a line in `_MODELS`.

A model outside of this package has the name `MODULE:CLASS`, see docs/extending.md.
"""

import importlib
import inspect
import math
from collections.abc import Mapping

from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.models.base import Explanation, ModelError, MultiTaskModel, feature_specs
from dcrnn_tf.models.multi_task.aitm import AITM
from dcrnn_tf.models.multi_task.cross_stitch import CrossStitchNetwork
from dcrnn_tf.models.multi_task.crossing import CrossingComparison
from dcrnn_tf.models.multi_task.dcrnn import DCRNN
from dcrnn_tf.models.multi_task.dephn import DEPHN
from dcrnn_tf.models.multi_task.escm2 import ESCM2
from dcrnn_tf.models.multi_task.esmm import ESMM
from dcrnn_tf.models.multi_task.mmoe import MMoE
from dcrnn_tf.models.multi_task.mtphn import MTPHN
from dcrnn_tf.models.multi_task.ple import PLE
from dcrnn_tf.models.multi_task.shared_bottom import SharedBottom
from dcrnn_tf.models.multi_task.sluice import SluiceNetwork
from dcrnn_tf.models.multi_task.snr import SNR
from dcrnn_tf.models.multi_task.soft_sharing import SoftSharing
from dcrnn_tf.models.single_task.base import SingleTaskModel
from dcrnn_tf.models.single_task.dcn import DCN
from dcrnn_tf.models.single_task.dcn_v2 import DCNV2
from dcrnn_tf.models.single_task.deepfm import DeepFM
from dcrnn_tf.models.single_task.din import DIN
from dcrnn_tf.models.single_task.dnn import DNN
from dcrnn_tf.models.single_task.fint import FINT
from dcrnn_tf.models.single_task.fm import FM
from dcrnn_tf.models.single_task.logistic_regression import LogisticRegression
from dcrnn_tf.models.single_task.nfm import NFM
from dcrnn_tf.models.single_task.phn import PHN
from dcrnn_tf.models.single_task.wide_and_deep import WideAndDeep
from dcrnn_tf.models.single_task.xdeepfm import XDeepFM

__all__ = [
    "AITM",
    "DCN",
    "DCNV2",
    "DCRNN",
    "DEPHN",
    "DIN",
    "DNN",
    "ESCM2",
    "ESMM",
    "FINT",
    "FM",
    "MTPHN",
    "NFM",
    "PHN",
    "PLE",
    "SNR",
    "CrossStitchNetwork",
    "CrossingComparison",
    "DeepFM",
    "Explanation",
    "LogisticRegression",
    "MMoE",
    "ModelError",
    "MultiTaskModel",
    "SharedBottom",
    "SingleTaskModel",
    "SluiceNetwork",
    "SoftSharing",
    "WideAndDeep",
    "XDeepFM",
    "build",
    "feature_specs",
    "model_class",
    "names",
    "settings",
]

_MODELS: Mapping[str, type[MultiTaskModel]] = {
    "aitm": AITM,
    "cross_stitch": CrossStitchNetwork,
    "crossing": CrossingComparison,
    "dcn": DCN,
    "dcn_v2": DCNV2,
    "dcrnn": DCRNN,
    "deepfm": DeepFM,
    "dephn": DEPHN,
    "din": DIN,
    "dnn": DNN,
    "escm2": ESCM2,
    "esmm": ESMM,
    "fint": FINT,
    "fm": FM,
    "logistic_regression": LogisticRegression,
    "mmoe": MMoE,
    "mtphn": MTPHN,
    "nfm": NFM,
    "phn": PHN,
    "ple": PLE,
    "shared_bottom": SharedBottom,
    "sluice": SluiceNetwork,
    "snr": SNR,
    "soft_sharing": SoftSharing,
    "wide_and_deep": WideAndDeep,
    "xdeepfm": XDeepFM,
}


def names() -> tuple[str, ...]:
    """The models that `build` knows."""
    return tuple(_MODELS)


def model_class(name: str) -> type[MultiTaskModel]:
    """The class of a model.

    Args:
      name: one of `names()`, or `MODULE:CLASS` of a subclass of `MultiTaskModel` in a module that
        can be imported.

    Raises:
      ModelError: there is no such model.
    """
    if ":" in name:
        return _imported(name)
    if name not in _MODELS:
        raise ModelError(f"model {name!r} is not one of {', '.join(_MODELS)}")
    return _MODELS[name]


def settings(name: str) -> dict[str, object]:
    """The settings of a model and their defaults.

    Raises:
      ModelError: there is no such model.
    """
    parameters = {}
    for cls in reversed(model_class(name).__mro__):
        if issubclass(cls, MultiTaskModel):
            parameters |= inspect.signature(cls.__init__).parameters
    empty = inspect.Parameter.empty
    return {key: p.default for key, p in parameters.items() if p.default is not empty}


def build(name: str, schema: Schema, **chosen) -> MultiTaskModel:
    """A model for a dataset, its weights created.

    The initial weights follow from `keras.utils.set_random_seed`, the precision from
    `keras.config.set_dtype_policy`.

    Args:
      name: as `model_class` takes it.
      schema: of the dataset: its fields and tasks.
      **chosen: settings that shall differ from the defaults; `settings` lists them.

    Raises:
      ModelError: there is no such model or setting, or a setting has an impossible value.
    """
    known = settings(name)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ModelError(
            f"model {name} has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    for key, value in chosen.items():
        if expected := _expected(key, value, known[key]):
            raise ModelError(f"model {name}: {key}={value!r} must be {expected}")
    try:
        cls = model_class(name)
        model = cls(schema.fields, schema.task_names, name=name.rpartition(":")[2], **chosen)
        model.check_tasks(schema)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model {name}: {error}") from None
    model.build()
    return model


def _imported(name: str) -> type[MultiTaskModel]:
    """The class of a model outside of this package."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # a module may raise what it likes
        raise ModelError(
            f"model {name}: importing {module or 'nothing'} ended with "
            f"{type(error).__name__}: {error}; MODULE:CLASS names a module in the folder where the "
            "program is started, or in PYTHONPATH"
        ) from None
    if not (isinstance(found, type) and issubclass(found, MultiTaskModel)):
        raise ModelError(
            f"model {name}: {module} has no class {attribute!r} that is a subclass of "
            "dcrnn_tf.models.MultiTaskModel"
        )
    return found


def _expected(name: str, value: object, default: object) -> str | None:
    """What a setting must be, by what its default is; None if it is."""

    def whole(number: object) -> bool:
        return type(number) is int and number >= 1

    # There None means something, or the constructor refuses it.
    if default is None or (value is None and isinstance(default, str)):
        return None
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        least = 0 if name == "interval" else 1
        fits = type(value) is int and value >= least
        return None if fits else f"a whole number from {least}"
    if isinstance(default, float):
        fits = type(value) in (int, float) and math.isfinite(value)
        return None if fits else "a number"
    if isinstance(default, tuple):
        words = bool(default) and isinstance(default[0], str)
        fits = isinstance(value, list | tuple) and all(
            isinstance(item, str) if words else whole(item) for item in value
        )
        example = f"[{', '.join(str(item) for item in default or (64, 32))}]"
        kind = "names" if words else "whole numbers from 1"
        return None if fits else f"a list of {kind}, such as {example}"
    return None if isinstance(value, type(default)) else f"a {type(default).__name__}"
