"""The signature `encoded_features` as an ONNX file, for servers and tools without TensorFlow."""

import contextlib
import importlib.util
import logging
import math
from collections.abc import Iterator

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.layers.embedding.compact_rows import FLOAT32
from dcrnn_tf.serving import trial
from dcrnn_tf.serving.serving_model import ENCODED, ServingModel
from dcrnn_tf.system.errors import UserError

FILE = "model.onnx"
OPSET = 18
FILE_BYTES = 2**31 - 2**26  # protocol buffers end at 2 GiB; the operations take a few MiB
PACKAGES = ("tf2onnx", "onnx", "onnxruntime")


class OnnxError(UserError):
    """A model cannot become an ONNX file."""


def check_packages() -> None:
    """Refuses to go on without the packages that write and run ONNX files.

    Raises:
      OnnxError: One is not installed.
    """
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        raise OnnxError(
            f"an ONNX file needs the package {absent[0]}, which is not installed; install this "
            "project with its extra onnx"
        )


def converted(serving_model: ServingModel, dataset: PreparedDataset) -> bytes:
    """Returns the content of an ONNX file, after ONNX Runtime has tried it.

    Its inputs and outputs have the names, types and shapes of `encoded_features`; the numbers of
    rows, of which there is at least one, and of values in lists are free.

    Args:
      serving_model: A served model.
      dataset: Dataset of the model, whose rows must give what the model in training gives.

    Raises:
      OnnxError: The model has operations that ONNX lacks, computes in another type than float32,
        or is too large for a file.
      ExportError: What was written does not give what the model in training gives.
    """
    size = sum(weight.dtype.size * math.prod(weight.shape) for weight in serving_model.weights)
    if size > FILE_BYTES:
        raise OnnxError(
            f"the model's weights take {size / 2**30:.1f} GiB of an ONNX file, which holds "
            f"{FILE_BYTES / 2**30:.1f} GiB at most; train with a smaller embedding_dim, or prepare "
            "the dataset with a larger min_count"
        )
    if serving_model.low_precision:
        raise OnnxError(
            "an ONNX file computes in float32, and the model does not; export it with "
            "--mixed_precision=none"
        )
    if serving_model.table_precision != FLOAT32:
        raise OnnxError(
            "an ONNX file holds embedding tables in float32; export it with "
            "--table_precision=float32"
        )
    content = _converted(serving_model)
    _try(content, serving_model, dataset)
    return content


def _converted(serving_model: ServingModel) -> bytes:
    import onnx
    import tf2onnx

    from dcrnn_tf.serving.onnx.onnx_operations import HANDLERS

    function = serving_model.signatures()[ENCODED]
    with _silence("tf2onnx"), _silence("tensorflow"):  # the latter warns of tables out of its reach
        model, _ = tf2onnx.convert.from_function(
            function, function.input_signature, opset=OPSET, custom_op_handlers=dict(HANDLERS)
        )
    lacking = {
        node.op_type
        for node in model.graph.node
        if not node.domain and not onnx.defs.has(node.op_type, OPSET)
    }
    if lacking:
        raise OnnxError(
            f"the model has operations that ONNX lacks: {', '.join(sorted(lacking))}; export it "
            "without --onnx"
        )
    _name(model.graph, {argument: name for name, argument in serving_model.arguments.items()})
    model.producer_name, model.producer_version = "dcrnn_tf", ""
    return model.SerializeToString(deterministic=True)


@contextlib.contextmanager
def _silence(name: str) -> Iterator[None]:
    """Keeps a module's warnings away from users; what cannot be converted is told by ourselves."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _name(graph, inputs: dict[str, str]) -> None:
    """Gives the inputs the names of fields, and free axes a name each.

    Args:
      graph: The `onnx.GraphProto`.
      inputs: Name of each input, by the argument that stands for it.
    """
    from onnx import helper

    for port in graph.input:
        argument, port.name = port.name, inputs[port.name]
        if port.name != argument:
            graph.node.insert(0, helper.make_node("Identity", [port.name], [argument]))
    for port in (*graph.input, *graph.output):
        for axis, size in enumerate(port.type.tensor_type.shape.dim):
            if not size.HasField("dim_value"):
                size.dim_param = "rows" if axis == 0 else f"values of {port.name}"


def _try(content: bytes, serving_model: ServingModel, dataset: PreparedDataset) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    (request,) = (r for r in serving_model.trials(dataset) if r.signature == ENCODED)
    for rows in (1, len(next(iter(request.inputs.values())))):
        inputs = {name: column[:rows] for name, column in request.inputs.items()}
        answers = dict(zip(outputs, session.run(outputs, inputs), strict=True))
        expected = {name: column[:rows] for name, column in (request.expected or {}).items()}
        trial.check_answers(
            request._replace(signature=FILE, inputs=inputs, expected=expected),
            answers,
            serving_model.outputs,
            serving_model.numbers,
        )
