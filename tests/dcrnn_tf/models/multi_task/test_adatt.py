"""AdaTT against an independent computation, expert by expert and gate by gate."""

import numpy as np

from dcrnn_tf import models
from tests.dcrnn_tf.models.side_by_side import FEATURES, IDS, networks, softmax
from tests.dcrnn_tf.models.test_values import DIM, SCHEMA, build, check

SMALL = {"num_task_experts": 3, "num_levels": 2, "expert_units": (6, 5)}


def test_logits_and_gates():
    model = build("adatt", **SMALL)
    gates = []

    def states(x0):
        inputs = [x0, x0]
        for level in range(2):
            own = [networks(e, x) for e, x in zip(model.experts[level], inputs, strict=True)]
            everyone = own[0] + own[1]
            shares = [
                softmax(x @ np.array(gate.kernel))
                for gate, x in zip(model.gates[level], inputs, strict=True)
            ]
            linear = np.array(model.own_mixtures[level].beta)
            inputs = [
                sum(shares[t][:, e, None] * x for e, x in enumerate(everyone))
                + sum(linear[t, k] * own[t][k] for k in range(3))
                for t in range(2)
            ]
            gates.append(np.stack(shares, axis=1))
        return inputs

    check(model, IDS, states)
    found = model.explain(FEATURES)
    for level, wanted in enumerate(gates, start=1):
        np.testing.assert_allclose(
            found[f"gate, level {level}"].values, wanted, rtol=1e-3, atol=1e-5
        )
    columns = tuple(f"{task}_{e}" for task in ("click", "conversion") for e in range(3))
    assert found["gate, level 2"].columns == columns


def test_own_experts_start_with_their_mean():
    model = models.build("adatt", SCHEMA, embedding_dim=DIM, **SMALL)
    for layer in model.own_mixtures:
        np.testing.assert_allclose(layer.beta, np.full((2, 3), 1 / 3), rtol=1e-6)
