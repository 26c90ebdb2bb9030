"""The files beside the clients, as a server and a model of Ali-CCP would read them."""

import json
import pathlib

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.wrappers_pb2 import Int64Value
from tensorflow_serving.config import model_server_config_pb2

from data_prep.ali_ccp.fields import FIELDS, USER

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "serving"


def test_models_config_is_read_by_the_servers_own_message():
    text = (EXAMPLES / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("dcrnn", "/models/dcrnn")
    assert model.model_platform == "tensorflow"


def batching_parameters():
    """BatchingParameters of session_bundle_config.proto, which the wheel lacks, in part."""
    limits = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    file = descriptor_pb2.FileDescriptorProto(
        name="batching_parameters.proto",
        package="stand_in",
        syntax="proto3",
        dependency=[Int64Value.DESCRIPTOR.file.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, name in enumerate(limits, start=1):
        field = message.field.add(name=name, number=number, label=1, type=11)
        field.type_name = f".{Int64Value.DESCRIPTOR.full_name}"
    message.field.add(name="pad_variable_length_inputs", number=7, label=1, type=8)
    pool = descriptor_pool.Default()
    pool.Add(file)
    found = pool.FindMessageTypeByName("stand_in.BatchingParameters")
    return message_factory.GetMessageClass(found)()


def test_batching_config_does_not_pad():
    text = (EXAMPLES / "batching.config").read_text()
    config = text_format.Parse(text, batching_parameters())
    assert config.max_batch_size.value >= 1
    assert config.batch_timeout_micros.value >= 0
    assert config.max_enqueued_batches.value >= 1
    assert config.num_batch_threads.value >= 1
    assert not config.pad_variable_length_inputs


@pytest.mark.parametrize("name", ["rank", "rows"])
def test_request_files_have_ali_ccps_fields(name):
    body = json.loads((EXAMPLES / f"{name}.json").read_text())
    assert body["signature_name"] == {"rank": "rank", "rows": "serving_default"}[name]
    fields = {field.name: field for field in FIELDS}
    for input_name, values in body["inputs"].items():
        field = fields[input_name.removesuffix("_weight")]
        rows = 1 if name == "rank" and field.side == USER else len(body["inputs"]["field_205"])
        assert np.array(values).shape[0] == rows
        assert np.array(values).ndim == (2 if field.multiple else 1)
        assert input_name == field.name or field.multiple
