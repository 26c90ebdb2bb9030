"""Tables that no memory holds are refused before they are made, with the fields that are large."""

import keras
import numpy as np
import pytest

from dcrnn_tf import models, optimizers
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, Field, Schema, Task
from dcrnn_tf.layers import FieldEmbedding
from dcrnn_tf.models import ModelError, table_memory
from dcrnn_tf.system import memory

FIELDS = (
    Field("city", CATEGORICAL, 50),
    Field("user", CATEGORICAL, 700),
    Field("item", CATEGORICAL, 250),
    Field("price", NUMERIC),
)
SCHEMA = Schema("shop", FIELDS, (Task("click"),), splits={})
TABLE = 1000 * 16 * 4  # bytes


def test_a_table_beyond_memory_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(FieldEmbedding, "build", lambda *_: pytest.fail("the table is made"))
    monkeypatch.setattr(memory, "available", lambda: TABLE - 1)
    monkeypatch.setattr(memory, "in_gib", lambda size: f"{size} bytes")
    sentence = (
        f"takes at least {TABLE} bytes of memory, and this machine has {TABLE - 1} bytes; "
        f"its largest fields are user ({TABLE * 7 // 10} bytes), item ({TABLE // 4} bytes); "
    )
    with pytest.raises(ModelError) as refused:
        models.build("mmoe", SCHEMA, embedding_dim=16)
    assert sentence in str(refused.value)
    monkeypatch.setattr(memory, "available", lambda: TABLE)
    with pytest.raises(pytest.fail.Exception, match="the table is made"):
        models.build("mmoe", SCHEMA, embedding_dim=16)


def test_the_state_of_the_optimizer_counts_and_tables_on_named_devices_do_not(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 3 * TABLE - 1)
    embedding = FieldEmbedding(FIELDS, 16)
    table_memory.check(embedding, 2)
    with pytest.raises(ModelError, match="of memory with its optimizer's state, and this machine"):
        table_memory.check(embedding, 3)
    table_memory.check(FieldEmbedding(FIELDS, 16, table_devices=["/device:CPU:0"]), 3)


@pytest.mark.parametrize("name", optimizers.names_for_tables())
def test_numbers_per_weight_are_those_that_the_optimizer_keeps(name):
    optimizer = optimizers.build_for_tables(name, 0.1)
    optimizer.build([keras.Variable(np.zeros((50, 40), np.float32))])
    like_the_table = [variable for variable in optimizer.variables if variable.shape == (50, 40)]
    assert optimizers.numbers_per_weight(name) == 1 + len(like_the_table)
