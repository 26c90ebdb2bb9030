"""Sample requests as JSON, and the configuration of TensorFlow Serving, beside an export.

The folder `assets.extra` is passed over by TensorFlow Serving but for the warm-up requests, so that
nothing in it is taken for a version.
"""

import json
import pathlib
from collections.abc import Mapping

import numpy as np
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

COLUMNS_FILE = "request_columns.json"
ROWS_FILE = "request_rows.json"
RANK_FILE = "request_rank.json"
ENCODED_FILE = "request_encoded_features.json"
SERVER_FILE = "models.config"


def write(folder: pathlib.Path, model: str, inputs: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Writes bodies of requests to the REST method `predict`, and a `models.config`.

    Args:
      folder: Folder to write to, `assets.extra` of an exported version.
      model: Name under which the server knows the model.
      inputs: Inputs of one request for each signature, `{signature: {input: array}}`.
    """
    columns = {name: array.tolist() for name, array in inputs["serving_default"].items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    bodies = {
        COLUMNS_FILE: {"signature_name": "serving_default", "inputs": columns},
        ROWS_FILE: {"signature_name": "serving_default", "instances": rows},
    }
    for name, signature in ((RANK_FILE, "rank"), (ENCODED_FILE, "encoded_features")):
        if signature in inputs:
            columns = {key: array.tolist() for key, array in inputs[signature].items()}
            bodies[name] = {"signature_name": signature, "inputs": columns}
    for name, body in bodies.items():
        text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    (folder / SERVER_FILE).write_text(server_config(model), encoding="utf-8")


def server_config(model: str) -> str:
    """Returns the text of a `models.config` in which the server finds the folder `/models/MODEL`.

    Args:
      model: Name of the model.
    """
    config = model_server_config_pb2.ModelServerConfig()
    served = config.model_config_list.config.add()
    served.name, served.base_path, served.model_platform = model, f"/models/{model}", "tensorflow"
    served.model_version_policy.latest.num_versions = 1
    return text_format.MessageToString(config, as_utf8=True)
