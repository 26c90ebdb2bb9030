"""The ONNX file of a model, run by ONNX Runtime, against the model in training."""

import importlib.util

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.serving.onnx import onnx_file
from dcrnn_tf.serving.onnx.onnx_file import OnnxError
from dcrnn_tf.serving.onnx.onnx_operations import HANDLERS
from dcrnn_tf.serving.serving_model import ENCODED, ServingModel
from dcrnn_tf.serving.trial import ExportError
from tests.often import often
from tests.shop import MORE_FIELDS, prepare_shop

WEIGHTS = {"click": 3.0, "conversion": 7.0}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def built(name, dataset, **settings):
    keras.utils.set_random_seed(1)
    model = models.build(name, dataset.schema, embedding_dim=4, **settings)
    random = np.random.default_rng(1)
    for variable in model.embedding.weights:  # initial ones are near 0, and so all rows alike
        variable.assign(random.normal(size=variable.shape))
    return model


def in_float64(model, name, dataset):
    """Returns the same model in float64, with the same weights."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        exact = models.build(name, dataset.schema, embedding_dim=4)
    finally:
        keras.config.set_dtype_policy(policy)
    for variable, value in zip(exact.weights, model.weights, strict=True):
        assert variable.dtype != "float32"
        variable.assign(tf.cast(value, variable.dtype))
    return exact


def served(model, dataset):
    weights = {task: WEIGHTS[task] for task in dataset.schema.task_names}
    return ServingModel(model, dataset.schema, dataset.vocabularies(), weights)


def encoded_trials(serving_model, dataset):
    return [trial for trial in serving_model.trials(dataset) if trial.signature == ENCODED]


def session_of(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", often(models.names(), lambda name: name == "esmm"))
def test_onnx_runtime_gives_what_the_model_in_training_gives(name, dataset):
    model = built(name, dataset)
    serving_model = served(model, dataset)
    (exact,) = encoded_trials(served(in_float64(model, name, dataset), dataset), dataset)
    session = session_of(onnx_file.converted(serving_model, dataset))
    specs = serving_model.specs()[ENCODED]
    found = {port.name: (port.type, len(port.shape)) for port in session.get_inputs()}
    types = {tf.int32: "tensor(int32)", tf.float32: "tensor(float)"}
    assert found == {name: (types[spec.dtype], len(spec.shape)) for name, spec in specs.items()}
    outputs = [port.name for port in session.get_outputs()]
    assert {*outputs} == {*serving_model.outputs}
    assert all(port.shape == ["rows"] for port in session.get_outputs())
    (request,) = encoded_trials(serving_model, dataset)
    for rows in (1, 200):
        inputs = {name: column[:rows] for name, column in request.inputs.items()}
        for output, answer in zip(outputs, session.run(outputs, inputs), strict=True):
            expected = request.expected[output][:rows]
            assert rows == 1 or np.std(expected) > 1e-3  # rows are told apart
            truth = exact.expected[output][:rows]
            # Where float32 holds few digits of a logit, its own distance from the truth is larger.
            allowed = max(2e-6, 1.5 * np.abs(expected - truth).max())
            np.testing.assert_allclose(answer, truth, rtol=0, atol=allowed)
    odd = dict(request.inputs, item=np.where(request.inputs["item"] == 3, 99, 3).astype(np.int32))
    unknown = dict(odd, item=np.where(odd["item"] == 99, 1, odd["item"]).astype(np.int32))
    np.testing.assert_array_equal(session.run(outputs, odd), session.run(outputs, unknown))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mmoe", "din"])
def test_every_kind_of_field(name, tmp_path):
    shop = PreparedDataset(prepare_shop(tmp_path, **MORE_FIELDS))
    session = session_of(onnx_file.converted(served(built(name, shop), shop), shop))  # tried in it
    assert len(session.get_inputs()) >= len(shop.schema.fields)


@pytest.mark.parametrize(
    ("operation", "expected", "x"),
    [
        (tf.math.expm1, np.expm1, np.r_[-1e-6, 1e-6, np.linspace(-30, 30, 241), -200, -1e-30]),
        (tf.math.log1p, np.log1p, np.r_[-1e-6, 1e-6, np.linspace(-0.99, 50, 241), 1e20, 1e-30]),
    ],
)
def test_operations_that_onnx_lacks_are_exact(operation, expected, x):
    function = tf.function(operation, input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
    model, _ = tf2onnx.convert.from_function(
        function, function.input_signature, opset=onnx_file.OPSET, custom_op_handlers=dict(HANDLERS)
    )
    x = x.astype(np.float32)
    (found,) = session_of(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(found, expected(x.astype(np.float64)), rtol=1e-6)


class Eigenvalues(models.MultiTaskModel):
    """A model with an operation that ONNX lacks."""

    def logits(self, embeddings, training, labels=None):
        product = tf.matmul(embeddings, embeddings, transpose_a=True)
        return [tf.linalg.eigvalsh(product)[:, 0] for _ in self.tasks]


def test_what_cannot_become_a_file_gets_one_sentence(dataset, monkeypatch):
    schema = dataset.schema
    model = Eigenvalues(schema.fields, schema.tasks, embedding_dim=2)
    model.build()
    serving_model = ServingModel(model, schema, dataset.vocabularies(), WEIGHTS)
    with pytest.raises(
        OnnxError, match=r"operations that ONNX lacks: \w*Eig\w*; export it without"
    ):
        onnx_file.converted(serving_model, dataset)
    serving_model.low_precision = True
    with pytest.raises(OnnxError, match="export it with --mixed_precision=none"):
        onnx_file.converted(serving_model, dataset)
    monkeypatch.setattr(
        onnx_file, "FILE_BYTES", 4 * serving_model.weights[0].shape.num_elements() - 1
    )
    with pytest.raises(OnnxError, match="GiB of an ONNX file, which holds 0"):
        onnx_file.converted(serving_model, dataset)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name)
    )
    with pytest.raises(OnnxError, match="needs the package tf2onnx, which is not installed"):
        onnx_file.check_packages()


@pytest.mark.slow
def test_a_file_that_answers_otherwise_is_refused(dataset):
    serving_model = served(built("dnn", dataset, hidden_units=(2,)), dataset)
    kernel = serving_model.weights[0]
    kernel.assign(kernel + 0.1)
    with pytest.raises(ExportError, match=r"as probability of click, .* a request to model\.onnx"):
        onnx_file.converted(serving_model, dataset)
