"""Asks TensorFlow Serving for probabilities by gRPC.

  python examples/serving/predict_grpc.py localhost:8500 dcrnn examples/serving/rank.json

The file is that of predict_rest.py. The server does not convert types, so that they are asked for
first; what the file leaves out, the server fills in by the signature's defaults.
"""

import json
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

SECONDS = 10.0  # to wait for an answer


def signatures(service: PredictionServiceStub, model: str) -> dict:
    """The model's signatures, `{name: SignatureDef}`."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    answer = service.GetModelMetadata(request, SECONDS)
    found = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(found)
    return dict(found.signature_def)


def predict_request(model: str, signature: str, definition, inputs: dict):
    """A `PredictRequest` of `{input: values}`, with the types of the signature's definition."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        tensor = tf.make_tensor_proto(values, definition.inputs[name].dtype)
        request.inputs[name].CopyFrom(tensor)
    return request


def request_body(path: str) -> dict:
    """The body of a request, from a file."""
    try:
        with open(path, encoding="utf-8") as file:
            body = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"{path} cannot be read: {error}")
    if not isinstance(body, dict) or not {"signature_name", "inputs"} <= set(body):
        sys.exit(f'{path} must hold {{"signature_name": ..., "inputs": {{input: values}}}}')
    return body


def main(address: str, model: str, path: str) -> None:
    """Prints the outputs."""
    body = request_body(path)
    name = body["signature_name"]
    with grpc.insecure_channel(address) as channel:
        service = PredictionServiceStub(channel)
        try:
            definition = signatures(service, model)[name]
            request = predict_request(model, name, definition, body["inputs"])
            answer = service.Predict(request, SECONDS)
        except grpc.RpcError as error:
            sys.exit(f"{address}: {error.code().name}, {error.details()}")
    for task, tensor in sorted(answer.outputs.items()):
        print(task, *(f"{p:.6f}" for p in tf.make_ndarray(tensor)))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("give the server's address, the model's name and the file of the request's body")
    main(*sys.argv[1:])
