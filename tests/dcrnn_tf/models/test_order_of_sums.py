"""No tensor inside a model gets three or more gradients, which TensorFlow adds in any order."""

import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task
from tests.often import often

FIELDS = tuple(Field(f"field_{i}", CATEGORICAL, 10) for i in range(3))
TASKS = ("click", "like", "follow")
TWO_TASKS = ("esmm", "escm2")  # what these models are for
VARIANTS = [
    *((name, {}) for name in models.names()),
    ("dephn", {"virtual_gradient_form": "literal"}),
    ("dephn", {"gating": "mapping", "correlation": "cosine"}),
    ("mtphn", {"private_experts": ()}),
    ("mtphn", {"soft_selection": False, "residual_links": False}),
    ("home", {"task_groups": [1, 2, 1], "num_task_experts": 2}),
    ("pepnet", {"domain_fields": ["field_1"], "network_units": [8, 8, 8]}),
    ("snr", {"transform": "aver"}),
    ("cross_stitch", {"per_channel": True}),
    ("escm2", {"risk": "dr", "global_weight": 0.5}),
    ("crossing", {"crossing": "dcn_v2", "rank": 2}),
    ("crossing", {"crossing": "cin", "feature_maps": 4}),
    ("dcrnn", {"cell": "gru", "bidirectional": False}),
]


@pytest.mark.parametrize(
    ("name", "settings"), often(VARIANTS, lambda v: v[0] in ("dcrnn", "mmoe", "din"))
)
def test_gradients_are_added_two_by_two(name, settings):
    tasks = TASKS[:2] if name in TWO_TASKS else TASKS
    schema = Schema("tiny", FIELDS, tuple(Task(task) for task in tasks), splits={})
    model = models.build(name, schema, embedding_dim=4, **settings)

    @tf.function
    def gradients(features, labels):
        with tf.GradientTape() as tape:
            logits = model.training_logits(features, labels)
            total = sum(tf.reduce_sum(logits[task]) for task in tasks)
            total += sum(model.losses)
        return tape.gradient(total, [v.value for v in model.trainable_variables])

    features = {field.name: tf.TensorSpec((None,), tf.int32) for field in FIELDS}
    labels = {task: tf.TensorSpec((None,), tf.float32) for task in tasks}
    graph = gradients.get_concrete_function(features, labels).graph
    wide = [op for op in graph.get_operations() if op.type == "AddN" and len(op.inputs) > 2]
    assert [[term.name for term in op.inputs] for op in wide] == []
