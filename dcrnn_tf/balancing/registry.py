"""The registry of ways to balance the losses of several tasks, and how one is built by its name."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping

from dcrnn_tf.balancing.base import Balancing, BalancingError


@dataclasses.dataclass(frozen=True)
class Registration:
    """What is known of a way of balancing beside its class.

    Attributes:
      name: Name by which programs and `build` know the way.
      across_replicas: Whether replicas that each balance their part of a batch do what one device
        does with the whole batch.
      cls: Class of the way.
    """

    name: str
    across_replicas: bool
    cls: type[Balancing]


_ways: dict[str, Registration] = {}


def register(name: str, across_replicas: bool = False) -> Callable[[type], type]:
    """Registers the decorated class of a way of balancing.

    Its constructor takes the tasks, those facts of a training that it names (`initial_losses`,
    `steps_per_epoch`, `seed`; see `build`), and settings with defaults.

    Args:
      name: Name of the way, as in `Registration`.
      across_replicas: As in `Registration`.

    Returns:
      The decorator of the class.

    Raises:
      ValueError: There already is a way of this name.
    """
    if name in _ways:
        raise ValueError(f"there already is a way of balancing called {name}; choose another name")

    def add(cls: type[Balancing]) -> type[Balancing]:
        _ways[name] = Registration(name, across_replicas, cls)
        return cls

    return add


def names() -> tuple[str, ...]:
    """Returns the names of all ways, in alphabetical order."""
    return tuple(sorted(_ways))


def registration(name: str) -> Registration:
    """Returns what is known of a way.

    Raises:
      BalancingError: There is no such way.
    """
    if name not in _ways:
        raise BalancingError(f"balancing {name!r} is not one of {', '.join(names())}")
    return _ways[name]


def build(
    name: str,
    initial_losses: Mapping[str, float],
    steps_per_epoch: int,
    seed: int = 1,
    static_shapes: bool = False,
    **chosen,
) -> Balancing:
    """Builds a way of balancing and creates its variables.

    Args:
      name: One of `names()`.
      initial_losses: Loss of each task before the training, as `losses.initial_losses` computes it.
      steps_per_epoch: Number of training steps that make an epoch.
      seed: Seed of what is drawn at random.
      static_shapes: Whether XLA compiles the training step.
      **chosen: Settings of this way that differ from the defaults.

    Raises:
      BalancingError: There is no such way or setting, a setting has an impossible value, or XLA
        cannot compile the way.

    Example:
      >>> from dcrnn_tf import balancing
      >>> way = balancing.build("dwa", {"click": 0.7, "conversion": 0.7}, 100, temperature=1.0)
      >>> way.statistic_names
      ('weight_click', 'weight_conversion')
    """
    cls = registration(name).cls
    if static_shapes and not cls.compiles:
        compiled = ", ".join(known for known in names() if registration(known).cls.compiles)
        raise BalancingError(
            f"balancing={name} has no form that XLA compiles; leave jit_compile out, or choose one "
            f"of {compiled}"
        )
    facts = {
        "initial_losses": list(initial_losses.values()),
        "steps_per_epoch": steps_per_epoch,
        "seed": seed,
    }
    taken = [key for key in inspect.signature(cls).parameters if key != "tasks"]
    settings = [key for key in taken if key not in facts]
    if unknown := sorted(set(chosen) - set(settings)):
        raise BalancingError(
            f"balancing={name} has no setting {', '.join(unknown)}; "
            f"it has {', '.join(settings) or 'none'}"
        )
    facts = {key: value for key, value in facts.items() if key in taken}
    return cls(tuple(initial_losses), **facts, **chosen)
