"""Models learn what no linear model sees; some have this test in a module of their own."""

import pytest

from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("shared_bottom", {"bottom_units": (32, 16)}, marks=pytest.mark.slow),
        pytest.param("mmoe", {"num_experts": 4, "expert_units": (16, 8)}, marks=pytest.mark.slow),
        ("dcrnn", {"units": 16}),
        pytest.param("crossing", {"crossing": "dcn"}, marks=pytest.mark.slow),
        pytest.param("crossing", {"crossing": "dcn_v2", "rank": 8}, marks=pytest.mark.slow),
        pytest.param("crossing", {"crossing": "cin", "feature_maps": 8}, marks=pytest.mark.slow),
        pytest.param("adatt", {"expert_units": (16, 8)}, marks=pytest.mark.slow),
        pytest.param("home", {"expert_units": (16, 8)}, marks=pytest.mark.slow),
        pytest.param("mtan", {"network_units": (32, 16)}, marks=pytest.mark.slow),
        pytest.param("pepnet", {"network_units": (32, 16)}, marks=pytest.mark.slow),
        pytest.param("resflow", {"network_units": (32, 16)}, marks=pytest.mark.slow),
        pytest.param("stem", {"expert_units": (16, 8)}, marks=pytest.mark.slow),
    ],
)
def test_learns_a_product_of_fields(name, settings):
    logits, labels = planted.fit(name, **settings)
    for task, logit in logits.items():
        assert auc(labels[task], logit) > 0.8  # 0.95 at best; a linear model's is 0.5
