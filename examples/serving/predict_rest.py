"""Asks TensorFlow Serving for probabilities by REST, with Python's standard library alone.

  python examples/serving/predict_rest.py http://localhost:8501/v1/models/dcrnn \
      examples/serving/rank.json

The file is the request's body, `{"signature_name": ..., "inputs": {input: values}}`. The server's
REST side knows no defaults: what the file leaves out is filled in here, as one row that is missing.
"""

import json
import sys
import urllib.error
import urllib.request

# By type: of one value, and of a list.
MISSING = {
    "DT_INT64": (-1, []),
    "DT_STRING": ("", []),
    "DT_DOUBLE": (float("nan"), []),  # NaN is no JSON, but Python writes and the server reads it
    "DT_FLOAT": (None, [1.0]),  # weights of a list
}


def fetch(url: str, body: dict | None = None) -> dict:
    """The answer to GET, or to POST if there is a body."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code}, {error.read().decode()}")
    except OSError as error:
        sys.exit(f"{url}: {error}; is the server running?")


def filled(body: dict, metadata: dict) -> dict:
    """A request's body with all inputs of its signature."""
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    inputs = dict(body["inputs"])
    for name, info in signatures[body["signature_name"]]["inputs"].items():
        value, values = MISSING[info["dtype"]]
        is_list = len(info["tensor_shape"]["dim"]) == 2
        inputs.setdefault(name, [values if is_list else value])
    return body | {"inputs": inputs}


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


def main(url: str, path: str) -> None:
    """Prints the outputs."""
    body = request_body(path)
    answer = fetch(f"{url}:predict", filled(body, fetch(f"{url}/metadata")))
    for task, probabilities in answer["outputs"].items():
        print(task, *(f"{p:.6f}" for p in probabilities))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("give the model's URL and the file of the request's body")
    main(*sys.argv[1:])
