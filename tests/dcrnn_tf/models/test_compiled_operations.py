"""Which models take compiled operations, and where they do not."""

import keras
import pytest
import tensorflow as tf

from dcrnn_tf import layers, models
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task
from dcrnn_tf.kernels import operations

FIELDS = tuple(Field(f"field_{i}", CATEGORICAL, 10) for i in range(2))
SCHEMA = Schema("tiny", FIELDS, (Task("click"), Task("like")), splits={})


def compiled_operations(training, name, **settings):
    """The types of the compiled operations in a model's graph."""
    model = models.build(name, SCHEMA, embedding_dim=4, **settings)
    features = {field.name: tf.TensorSpec((None,), tf.int32) for field in FIELDS}
    call = tf.function(lambda x: model(x, training=training), autograph=False)
    graph = call.get_concrete_function(features).graph
    return {op.type for op in graph.get_operations() if op.type.startswith("Dcrnn")}


compiled = pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)


@compiled
def test_training_takes_them():
    assert compiled_operations(True, "mmoe") == {"DcrnnMixture"}
    assert compiled_operations(True, "dcrnn", cell="gru") == {"DcrnnGruStep"}


@compiled
def test_the_product_of_all_inputs_is_no_batched_one():
    """As many batched products as there are later steps, with their gradients."""
    crnn = layers.CRNN(2, 5, 3, 3, bidirectional=True)
    crnn.build((None, 6))

    @tf.function(autograph=False)
    def gradients(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = crnn(inputs, compiled=True)
        return tape.gradient(outputs, [inputs, *(weight.value for weight in crnn.weights)])

    graph = gradients.get_concrete_function(tf.TensorSpec((None, 6))).graph
    found = [op for op in graph.get_operations() if op.type.startswith("BatchMatMul")]
    assert len(found) == 6


def test_scoring_xla_bfloat16_and_machines_without_them_do_not(monkeypatch, request):
    assert not compiled_operations(False, "mmoe")
    assert not compiled_operations(True, "mmoe", static_shapes=True)
    with monkeypatch.context() as without:
        without.setattr(operations, "library", lambda: None)
        assert not compiled_operations(True, "mmoe")
    request.addfinalizer(lambda: keras.config.set_dtype_policy("float32"))
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert not compiled_operations(True, "mmoe")
