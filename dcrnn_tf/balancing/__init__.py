"""Ways to balance the losses of several tasks, by name."""

from collections.abc import Mapping

from dcrnn_tf.balancing.base import Balancing, BalancingError
from dcrnn_tf.balancing.dwa import DWA
from dcrnn_tf.balancing.fixed import Fixed
from dcrnn_tf.balancing.gradnorm import GradNorm
from dcrnn_tf.balancing.pcgrad import PCGrad
from dcrnn_tf.balancing.uncertainty import Uncertainty

__all__ = [
    "DWA",
    "Balancing",
    "BalancingError",
    "Fixed",
    "GradNorm",
    "PCGrad",
    "Uncertainty",
    "build",
    "names",
]

_WAYS: Mapping[str, type[Balancing]] = {
    "sum": Balancing,
    "fixed": Fixed,
    "uncertainty": Uncertainty,
    "dwa": DWA,
    "gradnorm": GradNorm,
    "pcgrad": PCGrad,
}


def names() -> tuple[str, ...]:
    """The ways that `build` knows."""
    return tuple(_WAYS)


def build(
    name: str,
    initial_losses: Mapping[str, float],
    steps_per_epoch: int,
    seed: int = 1,
    static_shapes: bool = False,
    **chosen,
) -> Balancing:
    """A way of balancing, its variables created.

    Args:
      name: one of `names()`.
      initial_losses: of each task, as `losses.initial_losses` gives them.
      steps_per_epoch: of the training.
      seed: of what is drawn at random.
      static_shapes: whether XLA shall compile the step.
      **chosen: settings of this way that shall differ from the defaults.

    Raises:
      BalancingError: there is no such way, a setting has an impossible value, or XLA cannot compile
        it.
    """
    if name not in _WAYS:
        raise BalancingError(f"balancing {name!r} is not one of {', '.join(_WAYS)}")
    way = _WAYS[name]
    if static_shapes and not way.compiles:
        compiled = ", ".join(n for n, other in _WAYS.items() if other.compiles)
        raise BalancingError(
            f"balancing={name} has no form that XLA compiles; leave jit_compile out, or choose one "
            f"of {compiled}"
        )
    facts = {
        "dwa": {"steps_per_epoch": steps_per_epoch},
        "gradnorm": {"initial_losses": list(initial_losses.values())},
        "pcgrad": {"seed": seed},
    }
    return way(tuple(initial_losses), **facts.get(name, {}), **chosen)
