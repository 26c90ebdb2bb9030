"""A contender: Merlin Models' MMoE with its LazyAdam for embeddings and Adam for the rest."""

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from benchmarks import contender
from benchmarks.peers import arrays

sizes, batches = arrays.load()
columns = [
    ColumnSchema(
        f"f{i}", dtype="int32", tags=[Tags.CATEGORICAL], properties={"domain": {"min": 0, "max": n}}
    )
    for i, n in enumerate(sizes)
]
tasks = [
    ColumnSchema(name, dtype="float32", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
    for name in ("click", "conversion")
]
schema = Schema(columns + tasks)
inputs = mm.InputBlockV2(
    schema.select_by_tag(Tags.CATEGORICAL),
    categorical=mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=32),
)
outputs = mm.OutputBlock(schema, task_blocks=mm.MLPBlock([64, 32]))
model = mm.Model(
    inputs,
    mm.MMOEBlock(outputs, expert_block=mm.MLPBlock([128, 64]), num_experts=8),
    outputs,
)
adam = tf.keras.optimizers.legacy.Adam(1e-4)
tables = [block for block in inputs.parallel_layers["categorical"].parallel_layers.values()]
optimizer = mm.MultiOptimizer(
    default_optimizer=adam,
    optimizers_and_blocks=[mm.OptimizerBlocks(mm.LazyAdam(1e-4), tables)],
)
model.compile(optimizer=optimizer, run_eagerly=False)

inputs = {f"f{i}": np.concatenate([x[:, i : i + 1] for x, _ in batches]) for i in range(len(sizes))}
labels = {
    name: np.concatenate([y[:, i : i + 1] for _, y in batches])
    for i, name in enumerate(("click", "conversion"))
}
dataset = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(arrays.BATCH)
model(next(iter(dataset))[0])  # creates the weights
stream = iter(dataset.cache().repeat().prefetch(4))
train_function = model.make_train_function()
contender.serve(lambda: train_function(stream)["loss"].numpy(), arrays.BATCH)
