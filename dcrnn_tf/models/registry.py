"""The registry of models: what each is called, and how one is built by its name."""

import dataclasses
import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import keras

from dcrnn_tf.dataset.schema import BINARY, Schema
from dcrnn_tf.models import table_memory
from dcrnn_tf.models.base import ModelError, MultiTaskModel


@dataclasses.dataclass(frozen=True)
class Registration:
    """What is known of a model beside its class.

    Attributes:
      name: Name by which programs and `build` know the model.
      label: Name by which readers know it.
      width: Setting that makes the model larger or smaller, by which models of equal size are
        made; None if no setting does.
      cls: Class of the model.
    """

    name: str
    label: str
    width: str | None
    cls: type[MultiTaskModel]


_models: dict[str, Registration] = {}


def register(name: str, label: str, width: str | None = None) -> Callable[[type], type]:
    """Registers the decorated class of a model, here and for Keras' files.

    Args:
      name: Name of the model, as in `Registration`.
      label: Label of the model.
      width: Width of the model.

    Returns:
      The decorator of the class.

    Raises:
      ValueError: There already is a model of this name.
    """
    if name in _models:
        raise ValueError(f"there already is a model called {name}; choose another name")

    def add(cls: type[MultiTaskModel]) -> type[MultiTaskModel]:
        _models[name] = Registration(name, label, width, cls)
        return keras.saving.register_keras_serializable(package="dcrnn_tf")(cls)

    return add


def names() -> tuple[str, ...]:
    """Returns the names of all registered models, in alphabetical order."""
    return tuple(sorted(_models))


def registration(name: str) -> Registration:
    """Returns what is known of a model.

    Args:
      name: One of `names()`, or `MODULE:CLASS` of a subclass of `MultiTaskModel` in a module that
        can be imported.

    Raises:
      ModelError: There is no such model.
    """
    if ":" in name:
        cls = _imported(name)
        return Registration(name, cls.__name__, None, cls)
    if name not in _models:
        raise ModelError(f"model {name!r} is not one of {', '.join(names())}")
    return _models[name]


def model_class(name: str) -> type[MultiTaskModel]:
    """Returns the class of a model; the arguments and errors are those of `registration`."""
    return registration(name).cls


def settings(name: str) -> dict[str, object]:
    """Returns the settings of a model with their defaults.

    Args:
      name: Name of the model, as `registration` takes it.

    Raises:
      ModelError: There is no such model.

    Example:
      >>> from dcrnn_tf import models
      >>> models.settings("fm")["embedding_dim"]
      32
    """
    parameters: dict[str, inspect.Parameter] = {}
    for cls in reversed(model_class(name).__mro__):
        if issubclass(cls, MultiTaskModel):
            parameters |= inspect.signature(cls.__init__).parameters
    empty = inspect.Parameter.empty
    return {key: p.default for key, p in parameters.items() if p.default is not empty}


def build(name: str, schema: Schema, /, **chosen) -> MultiTaskModel:
    """Builds a model for a dataset and creates its weights.

    The initial weights follow from `keras.utils.set_random_seed`, the precision from
    `keras.config.set_dtype_policy`.

    Args:
      name: Name of the model, as `registration` takes it.
      schema: Schema of the dataset, with its fields and tasks.
      **chosen: Settings that differ from the defaults; `settings` lists all of them.

    Returns:
      The model, which maps features to `{task: logit}`.

    Raises:
      ModelError: There is no such model or setting, or a setting has an impossible value, or the
        embedding table is larger than the machine's memory.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("dcrnn", schema, units=16)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """
    known = settings(name)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ModelError(
            f"model {name} has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    cls = model_class(name)
    for key, value in chosen.items():
        least = 0 if key in cls.settings_from_zero else 1
        if expected := _expected(value, known[key], least):
            raise ModelError(f"model {name}: {key}={value!r} must be {expected}")
    try:
        # A name says all that a model has to know of a binary task with all its negatives.
        named = [task.kind == BINARY and task.keep_negatives == 1 for task in schema.tasks]
        tasks = [t.name if plain else t for t, plain in zip(schema.tasks, named, strict=True)]
        model = cls(schema.fields, tasks, name=name.rpartition(":")[2], **chosen)
        model.take_tasks(schema)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model {name}: {error}") from None
    table_memory.check(model.embedding)
    model.build()
    _check_dense_options(name, model)
    return model


def _check_dense_options(name: str, model: MultiTaskModel) -> None:
    """Refuses options of hidden layers if the model makes none with them."""
    chosen = {"dropout": model.dropout, "normalization": model.normalization}
    for setting in [key for key, value in chosen.items() if value not in (0, "none")]:
        if not model.takes_dense_options:
            raise ModelError(
                f"model {name}: {setting}={chosen[setting]!r} has no hidden layer to act on; leave "
                "it out, or choose a model that has some"
            )


def _imported(name: str) -> type[MultiTaskModel]:
    """Returns the class of a model outside of this package."""
    module, _, attribute = name.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # a module may raise any exception
        raise ModelError(
            f"model {name}: importing {module or 'nothing'} ended with "
            f"{type(error).__name__}: {error}; MODULE:CLASS names a module in the folder where the "
            "program is started, or in PYTHONPATH"
        ) from None
    if not (isinstance(cls, type) and issubclass(cls, MultiTaskModel)):
        raise ModelError(
            f"model {name}: {module} has no class {attribute!r} that is a subclass of "
            "dcrnn_tf.models.MultiTaskModel"
        )
    return cls


def _expected(value: Any, default: object, least: int) -> str | None:
    """Returns what a setting must be, by what its default is; None if the value is such."""

    # None has a meaning there, or the constructor refuses it.
    if default is None or (value is None and isinstance(default, str)):
        return None
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        return None if _is_whole(value, least) else f"a whole number from {least}"
    if isinstance(default, float):
        fits = type(value) in (int, float) and math.isfinite(value)
        return None if fits else "a number"
    if isinstance(default, tuple):
        return _expected_list(value, default)
    return None if isinstance(value, type(default)) else f"a {type(default).__name__}"


def _expected_list(value: object, default: tuple) -> str | None:
    words = bool(default) and isinstance(default[0], str)
    if isinstance(value, list | tuple) and all(
        isinstance(item, str) if words else _is_whole(item, 1) for item in value
    ):
        return None
    example = f"[{', '.join(str(item) for item in default or (64, 32))}]"
    return f"a list of {'names' if words else 'whole numbers from 1'}, such as {example}"


def _is_whole(number: object, least: int) -> bool:
    return type(number) is int and number >= least
