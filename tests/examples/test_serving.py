"""An exported model asked by every client there is, against the model in training."""

import base64
import dataclasses
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.tools import saved_model_cli

from data_prep.ali_ccp.fields import FIELDS
from dcrnn_tf import models
from dcrnn_tf.dataset.schema import NUMERIC, Task, load_schema
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.serving import export
from dcrnn_tf.serving.examples import serialize
from dcrnn_tf.serving.serving_model import ServingModel
from tests.examples.stand_in_server import StandInServer

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "serving"
WEIGHTS = {"click": 3.0, "conversion": 7.0}
OUTPUTS = ("click", "conversion", "conversion_per_exposure")
USER_FIELDS = ("age", "history")
LONGEST = {"history": 6, "tags": 4}  # as tests/conftest.py has them
ROWS = 300  # more than a batch of the C program


def lookup(ids, size):
    """Rows of ids where 100 is the first known one of `size` - 2."""
    known = (ids >= 100) & (ids < 98 + size)
    return np.where(ids == -1, 0, np.where(known, ids - 98, 1)).astype(np.int32)


class Log:
    """Rows as clients have them, odd ones among them, and as a model in training knows them."""

    def __init__(self, schema):
        sizes = {field.name: field.vocabulary_size for field in schema.fields}
        random = np.random.default_rng(5)
        self.rows = []
        self.known = {"price": np.zeros(ROWS, np.float32)}
        for name in ("item", "age", "history", "tags"):
            shape = (ROWS, LONGEST[name]) if name in LONGEST else (ROWS,)
            self.known[name] = np.zeros(shape, np.int32)
        self.known["tags_weight"] = np.ones((ROWS, LONGEST["tags"]), np.float32)
        for row in range(ROWS):
            raw = {n: random.integers(97, 100 + sizes[n], 1) for n in ("item", "age")}
            raw["price"] = random.normal(size=1).astype(np.float32)
            for name, longest in LONGEST.items():  # empty ones, and longer ones than models take
                raw[name] = random.integers(97, 100 + sizes[name], random.integers(longest + 4))
                raw[name][random.random(len(raw[name])) < 0.1] = -1
            raw["tags_weight"] = (random.random(len(raw["tags"])) + 0.5).astype(np.float32)
            if row % 5 == 0:
                raw["price"][:] = np.nan
            if row % 7 == 0:
                raw["age"][:] = -1
            self.rows.append(raw)
            for name in ("item", "age"):
                self.known[name][row] = lookup(raw[name], sizes[name])[0]
            for name, longest in LONGEST.items():
                given = raw[name] != -1
                ids = lookup(raw[name][given], sizes[name])[:longest]
                self.known[name][row, : len(ids)] = ids
                if name == "tags":
                    self.known["tags_weight"][row, : len(ids)] = raw["tags_weight"][given][:longest]
            self.known["price"][row] = np.nan_to_num(raw["price"][0])

    def columns(self, names=None, rows=slice(None)):
        """Inputs of `serving_default`: lists are padded with -1, their weights with anything."""
        rows, columns = self.rows[rows], {}
        for name in names or self.rows[0]:
            width = max(len(raw[name]) for raw in rows)
            pad = -1 if rows[0][name].dtype == np.int64 else 9
            padded = [np.pad(r[name], (0, width - len(r[name])), constant_values=pad) for r in rows]
            column = np.stack(padded)
            columns[name] = column if name.startswith(("history", "tags")) else column[:, 0]
        if "price" in columns:
            columns["price"] = columns["price"].astype(np.float64)
        return columns

    def examples(self):
        """Serialized `tf.Example`s without what is missing."""

        def present(values):
            return len(values) and not (len(values) == 1 and (values[0] == -1 or values != values))

        return [
            serialize({name: values for name, values in raw.items() if present(values)})
            for raw in self.rows
        ]


@pytest.fixture(scope="module")
def exported(dataset_folder, tmp_path_factory):
    """A version, rows to score, and their probabilities by the model in training."""
    tasks = (Task("click"), Task("conversion", only_where="click"))
    schema = dataclasses.replace(load_schema(dataset_folder), tasks=tasks)
    fields = [field for field in schema.fields if field.kind != NUMERIC]
    vocabularies = {field.name: load_vocabulary(dataset_folder, field).ids for field in fields}
    model = models.build("mmoe", schema, embedding_dim=4)
    random = np.random.default_rng(1)
    for variable in model.weights:
        inputs = 1 if variable.path.endswith("table") else np.prod(variable.shape[-2:-1], dtype=int)
        scale = (2 / inputs) ** 0.5  # keeps the variance of what comes in
        variable.assign(random.normal(scale=scale, size=variable.shape))
    served = ServingModel(model, schema, vocabularies, WEIGHTS, USER_FIELDS)
    path = export.save(served, tmp_path_factory.mktemp("models") / "shop")
    log = Log(schema)
    expected = {}
    for task, logits in model(log.known, training=False).items():
        logits = np.asarray(logits, np.float64).reshape(-1) - np.log(WEIGHTS[task])
        expected[task] = 1 / (1 + np.exp(-logits))
        assert expected[task].std() > 0.02
    expected["conversion_per_exposure"] = expected["click"] * expected["conversion"]
    return path, log, expected


@pytest.fixture(scope="module")
def server(exported):
    return StandInServer("shop", exported[0])


def assert_close(found, expected, rows=slice(None)):
    assert set(found) == set(OUTPUTS)
    for task, values in found.items():
        np.testing.assert_allclose(values, expected[task][rows], rtol=0, atol=1e-6, err_msg=task)


def client(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")
def test_c_program_scores_examples(exported, tmp_path):
    path, log, expected = exported
    tensorflow = tf.sysconfig.get_lib()
    subprocess.run(
        [
            *("gcc", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"),
            *(EXAMPLES / "score.c", "-o", tmp_path / "score"),
            *(f"-I{tensorflow}/include", f"-L{tensorflow}", f"-Wl,-rpath,{tensorflow}"),
            *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
        ],
        check=True,
    )
    with tf.io.TFRecordWriter(str(tmp_path / "examples")) as writer:
        for example in log.examples():
            writer.write(example)

    def score(folder, file):
        command = [tmp_path / "score", folder, file]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2"}  # and no path to Python's packages
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path
        )

    done = score(path, "examples")
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    table = np.array([line.split("\t") for line in lines], float)
    assert table.shape == (ROWS, 3)
    assert_close(dict(zip(header.split("\t"), table.T, strict=True)), expected)

    (tmp_path / "text").write_text("these are no records")
    refused = score(path, "text")
    assert (refused.returncode, refused.stdout.count("\n")) == (1, 1)
    assert "examples: is no TFRecord file" in refused.stderr


SCORE = """
import sys
for name in ("dcrnn_tf", "data_prep", "experiments", "keras", "keras_rs", "tf_keras"):
    sys.modules[name] = None  # an import fails
import numpy as np
import tensorflow as tf
inputs = {name: tf.constant(column) for name, column in np.load(sys.argv[2]).items()}
outputs = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](**inputs)
np.savez(sys.argv[3], **{task: values.numpy() for task, values in outputs.items()})
"""


def test_python_scores_without_this_package_and_keras(exported, tmp_path):
    path, log, expected = exported
    np.savez(tmp_path / "inputs.npz", **log.columns())
    command = [sys.executable, "-c", SCORE, path, "inputs.npz", "outputs.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_close(dict(np.load(tmp_path / "outputs.npz")), expected)


def test_saved_model_cli_tells_names_types_and_shapes(exported, capsys):
    saved_model_cli._show_all(str(exported[0]))  # what `saved_model_cli show --dir ... --all` does
    shown = " ".join(capsys.readouterr().out.split())
    inputs = {
        "item": ("DT_INT64", "(-1)"),
        "age": ("DT_INT64", "(-1)"),
        "history": ("DT_INT64", "(-1, -1)"),
        "tags": ("DT_INT64", "(-1, -1)"),
        "tags_weight": ("DT_FLOAT", "(-1, -1)"),
        "price": ("DT_DOUBLE", "(-1)"),
    }
    for signature, ports in {
        "serving_default": inputs,
        "rank": inputs,
        "serve_examples": {"examples": ("DT_STRING", "(-1)")},
        "encoded_features": {
            name: ("DT_FLOAT" if name in ("price", "tags_weight") else "DT_INT32", shape)
            for name, (_, shape) in inputs.items()
        },
    }.items():
        section = shown.split(f"signature_def['{signature}']:")[1].split("Method name is:")[0]
        for name, (dtype, shape) in ports.items():
            assert f"inputs['{name}'] tensor_info: dtype: {dtype} shape: {shape} name:" in section
        for name in OUTPUTS:
            assert f"outputs['{name}'] tensor_info: dtype: DT_FLOAT shape: (-1) name:" in section
        assert section.count("puts['") == len(ports) + len(OUTPUTS)


def printed(text):
    lines = [line.split() for line in text.splitlines()]
    return {task: np.array(values, float) for task, *values in lines}


def ask(name, server, path):
    """Runs one of the clients against the stand-in."""
    if name == "predict_rest":
        with server.rest() as address:
            client(name).main(f"{address}/v1/models/shop", path)
    else:
        with server.grpc() as address:
            client(name).main(address, "shop", path)


@pytest.mark.parametrize("name", ["predict_rest", "predict_grpc"])
def test_clients_print_probabilities(name, exported, server, tmp_path, capsys):
    _, log, expected = exported
    rows = slice(20, 30)
    inputs = {n: column.tolist() for n, column in log.columns(rows=rows).items()}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"signature_name": "serving_default", "inputs": inputs}))
    ask(name, server, path)
    assert_close(printed(capsys.readouterr().out), expected, rows)

    # One user, some inputs left out.
    user = {n: column.tolist() for n, column in log.columns(USER_FIELDS, slice(7, 8)).items()}
    candidates = log.columns(("item",), rows)["item"]
    inputs = user | {"item": candidates.tolist()}
    path.write_text(json.dumps({"signature_name": "rank", "inputs": inputs}))
    ask(name, server, path)
    found = printed(capsys.readouterr().out)
    every = log.columns(USER_FIELDS, slice(7, 8)) | {
        "price": np.full(10, np.nan),
        "tags": np.zeros((10, 0), np.int64),
        "tags_weight": np.ones((10, 0), np.float32),
    }
    assert_close(found, server.run("serving_default", every | {"item": candidates}))
    assert found["click"].std() > 0.001


def test_clients_tell_what_a_server_refuses(server, tmp_path):
    body = {"signature_name": "serving_default", "inputs": {"item": [1]}}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(body))
    with server.grpc() as address, pytest.raises(SystemExit, match="NOT_FOUND, no model car"):
        client("predict_grpc").main(address, "car", path)
    with server.rest() as address, pytest.raises(SystemExit, match=r"400, .*Missing named input"):
        client("predict_rest").fetch(f"{address}/v1/models/shop:predict", body)
    with pytest.raises(SystemExit, match="is the server running"):
        client("predict_rest").main("http://localhost:1/v1/models/shop", path)


@pytest.mark.parametrize("name", ["rank", "rows"])
def test_the_requests_are_of_ali_ccp_as_it_is_prepared_by_default(name):
    request = json.loads((EXAMPLES / f"{name}.json").read_text())
    lists = {field.name: field.multiple for field in FIELDS}
    for field, values in request["inputs"].items():
        assert isinstance(values[0], list) == lists[field]


def test_examples_by_rest_are_base64(exported, server):
    _, log, expected = exported
    texts = [{"b64": base64.b64encode(example).decode()} for example in log.examples()]
    body = {"signature_name": "serve_examples", "inputs": {"examples": texts}}
    with server.rest() as address:
        answer = client("predict_rest").fetch(f"{address}/v1/models/shop:predict", body)
    assert_close(answer["outputs"], expected)


def batched(server, signature, requests):
    """What a server that batches does: inputs end to end, outputs cut apart by their rows."""
    names = server.signatures[signature].inputs
    joined = {n: np.concatenate([request[n] for request in requests]) for n in names}
    outputs = server.run(signature, joined)
    ends = np.cumsum([len(request[next(iter(names))]) for request in requests])
    assert {len(values) for values in outputs.values()} == {ends[-1]}
    parts = {task: np.split(values, ends[:-1]) for task, values in outputs.items()}
    return [{task: values[i] for task, values in parts.items()} for i in range(len(requests))]


def test_requests_that_a_server_batches_get_what_they_get_alone(exported, server):
    _, log, expected = exported
    examples = np.array(log.examples(), object)
    requests = [{"examples": examples[:2]}, {"examples": examples[2:3]}, {"examples": examples[3:]}]
    slices = [slice(0, 2), slice(2, 3), slice(3, None)]
    for found, rows in zip(batched(server, "serve_examples", requests), slices, strict=True):
        assert_close(found, expected, rows)

    # A candidate each of several users, lists of the same length.
    signature = server.signatures["rank"]
    defaults = {name: tf.make_ndarray(value) for name, value in signature.defaults.items()}
    requests = [defaults | {"age": np.array([a]), "item": np.array([105])} for a in (100, 101, 102)]
    alone = [server.run("rank", request) for request in requests]
    assert np.std([outputs["click"] for outputs in alone]) > 0.001
    for found, outputs in zip(batched(server, "rank", requests), alone, strict=True):
        assert_close(found, outputs)


@pytest.mark.parametrize("name", ["predict_rest", "predict_grpc"])
def test_a_request_that_cannot_be_read_is_named(name, tmp_path):
    path = tmp_path / "rank.json"
    for text, reason in (
        (None, "cannot be read: .*No such file"),
        ("{", "cannot be read: Expecting"),
        ("[]", 'must hold {"signature_name"'),
        ('{"inputs": {}}', 'must hold {"signature_name"'),
    ):
        if text is not None:
            path.write_text(text)
        with pytest.raises(SystemExit, match=rf"rank\.json {reason}"):
            client(name).request_body(str(path))
