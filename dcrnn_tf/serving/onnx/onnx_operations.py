"""Operations of TensorFlow that ONNX lacks, as the operations that it has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from tf2onnx import utils


def expm1(graph, node, name: str, args) -> None:
    """Puts `exp(x) - 1` in the place of `Expm1`, exact for small x too.

    With `t = tanh(x / 2)` it is `2 t / (1 - t)`.
    """
    (x,) = node.input
    number, make = _number(graph, node), _make(graph)
    t = make("Tanh", make("Mul", x, number(0.5)))
    near = make("Div", make("Mul", t, number(2.0)), make("Sub", number(1.0), t))
    far = make("Sub", make("Exp", x), number(1.0))
    _replace(graph, node, make("Less", make("Abs", x), number(1.0)), near, far)


def log1p(graph, node, name: str, args) -> None:
    """Puts `log(1 + x)` in the place of `Log1p`, exact for small x too.

    It is `2 artanh(x / (2 + x))`.
    """
    (x,) = node.input
    number, make = _number(graph, node), _make(graph)
    ratio = make("Div", x, make("Add", x, number(2.0)))
    near = make("Mul", make("Atanh", ratio), number(2.0))
    far = make("Log", make("Add", x, number(1.0)))
    _replace(graph, node, make("Less", make("Abs", x), number(0.5)), near, far)


def _number(graph, node) -> Callable[[float], str]:
    dtype = utils.map_onnx_to_numpy_type(graph.get_dtype(node.output[0]))

    def number(value: float) -> str:
        return graph.make_const(utils.make_name("number"), np.array(value, dtype)).output[0]

    return number


def _make(graph) -> Callable[..., str]:
    return lambda operation, *inputs: graph.make_node(operation, list(inputs)).output[0]


def _replace(graph, node, chosen: str, first: str, second: str) -> None:
    """Puts `where(chosen, first, second)` in the place of a node."""
    (output,) = node.output
    shape, dtype = graph.get_shape(output), graph.get_dtype(output)
    graph.remove_node(node.name)
    graph.make_node(
        "Where",
        [chosen, first, second],
        name=node.name,
        outputs=[output],
        shapes=[shape],
        dtypes=[dtype],
    )


# As tf2onnx takes them: a function and its further arguments, by the operation's name.
HANDLERS: Mapping[str, tuple[Callable, list]] = MappingProxyType(
    {"Expm1": (expm1, []), "Log1p": (log1p, [])}
)
