"""The base of all layers, whose configuration is what the constructor was called with."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import keras

_OF_KERAS = inspect.signature(keras.layers.Layer.__init__).parameters  # Keras serialises them


class Configured(keras.Operation):
    """A mixin that gives a Keras layer or model its `get_config`.

    The configuration holds the constructor's arguments by name, those of base classes that
    `**kwargs` passes on included, and the defaults that the constructor's signature has. Sequences
    become lists and dataclasses dicts; what Keras serialises itself, such as initializers,
    activations and layers, is serialised by Keras, and restored by `from_config`.
    """

    def __new__(cls, *args, **kwargs):
        """Makes an object that remembers the arguments."""
        instance = super().__new__(cls, *args, **kwargs)
        # Keras' `__setattr__` would track the values as a part of the layer.
        object.__setattr__(instance, "_arguments", _arguments(cls, args, kwargs))
        return instance

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialised."""
        own = {name: _serialized(value) for name, value in self._arguments.items()}
        return own | super().get_config()

    @classmethod
    def from_config(cls, config: Mapping, custom_objects: Mapping | None = None):
        """Makes a layer or model of the arguments that `get_config` returned."""
        own = {name: value for name, value in config.items() if name not in _OF_KERAS}
        own = keras.saving.deserialize_keras_object(own, custom_objects=custom_objects)
        return super().from_config({**config, **own})


class Layer(Configured, keras.layers.Layer):
    """A layer of this library.

    A subclass computes in the policy's compute type, keeps weights in its variable type, and tells
    the shape of its output by `compute_output_shape`: Keras then knows the output's type too.

    Example:
      >>> from dcrnn_tf.layers.base import Layer
      >>> class Scale(Layer):
      ...     def __init__(self, factor: float = 2.0, **kwargs):
      ...         super().__init__(**kwargs)
      ...         self.factor = factor
      ...
      ...     def call(self, inputs):
      ...         return inputs * self.factor
      >>> Scale(3.0).get_config()["factor"]
      3.0
    """


def _arguments(cls: Any, args: tuple, kwargs: Mapping) -> dict[str, object]:
    """Returns a constructor's arguments by name, without those that Keras serialises itself."""
    signature = inspect.signature(cls.__init__)
    bound = signature.bind(None, *args, **kwargs)
    bound.apply_defaults()
    named: dict[str, object] = {}
    for name, parameter in signature.parameters.items():
        value = bound.arguments[name]
        named |= value if parameter.kind is parameter.VAR_KEYWORD else {name: value}
    return {name: value for name, value in named.items() if name not in _OF_KERAS}


def _serialized(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _serialized(dataclasses.asdict(value))  # which keeps tuples
    if isinstance(value, Mapping):
        return {key: _serialized(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_serialized(item) for item in value]
    return keras.saving.serialize_keras_object(value)
