"""The registry of models: labels, widths, classes, and what it refuses."""

import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.models.multi_task.mmoe import MMoE


def test_every_registered_width_is_a_setting_and_every_label_is_another():
    known = [models.registration(name) for name in models.names()]
    assert len({model.label for model in known}) == len(known) == 33
    for model in known:
        assert model.width is None or model.width in models.settings(model.name)


def test_a_model_is_known_by_its_name_and_by_its_class():
    model = models.registration("mmoe")
    assert model == models.Registration("mmoe", "MMoE", "expert_units", MMoE)
    assert models.MMoE is models.model_class("mmoe") is MMoE
    with pytest.raises(AttributeError, match="has no attribute 'MMoe'"):
        models.MMoe  # noqa: B018


def test_a_model_of_another_module_has_its_class_for_a_label():
    name = "dcrnn_tf.models.multi_task.mmoe:MMoE"
    assert models.registration(name) == models.Registration(name, "MMoE", None, MMoE)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="there already is a model called mmoe"):
        models.register("mmoe", label="Another")


def test_a_model_says_which_of_its_settings_may_be_zero(dataset_folder):
    schema = load_schema(dataset_folder)
    assert models.build("dcrnn", schema, interval=0).crnn.sequence_length == 3
    for setting, value, least in (("interval", -1, 0), ("subsequence_length", 0, 1)):
        message = f"{setting}={value} must be a whole number from {least}"
        with pytest.raises(models.ModelError, match=message):
            models.build("dcrnn", schema, **{setting: value})
