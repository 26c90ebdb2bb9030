"""Requests that TensorFlow Serving sends to a model before it lets clients in.

A model's first requests are slow, for what TensorFlow makes ready at its first run. The server
replays the requests of `assets.extra/tf_serving_warmup_requests` while it loads the model.
"""

import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

FILE = "tf_serving_warmup_requests"


def predict_request(
    model: str, signature: str, inputs: Mapping[str, np.ndarray]
) -> predict_pb2.PredictRequest:
    """A request to TensorFlow Serving's `PredictionService`.

    Args:
      model: name under which the server knows the model.
      signature: name of the signature.
      inputs: `{input: array}`.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return request


def write(
    folder: pathlib.Path,
    model: str,
    inputs: Mapping[str, Mapping[str, np.ndarray]],
    name: str = FILE,
) -> pathlib.Path:
    """Writes warm-up requests.

    Args:
      folder: `assets.extra` of an exported version.
      model: as `predict_request` takes it.
      inputs: of one request for each signature, `{signature: {input: array}}`.
      name: Name of the file.

    Returns:
      The file.
    """
    path = folder / name
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, values in inputs.items():
            log = prediction_log_pb2.PredictLog(request=predict_request(model, signature, values))
            writer.write(
                prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString(
                    deterministic=True
                )
            )
    return path


def read(folder: pathlib.Path, name: str = FILE) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Returns the signature and the inputs of each warm-up request.

    Args:
      folder: `assets.extra` of an exported version.
      name: Name of the file.
    """
    requests = []
    for record in tf.data.TFRecordDataset(str(folder / name)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
        requests.append((request.model_spec.signature_name, inputs))
    return requests
