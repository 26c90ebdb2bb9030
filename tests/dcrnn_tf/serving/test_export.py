"""Served probabilities against those of the model in training, from raw rows."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import NUMERIC, DatasetError, Task
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.serving import export, gate, warmup
from dcrnn_tf.serving.examples import serialize
from dcrnn_tf.serving.request_samples import (
    COLUMNS_FILE,
    ENCODED_FILE,
    RANK_FILE,
    ROWS_FILE,
    SERVER_FILE,
)
from dcrnn_tf.serving.serving_model import ENCODED, ServingModel
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.folder_lock import FolderInUseError
from dcrnn_tf.training.evaluation import Predictor
from tests.often import often

WEIGHTS = {"click": 3.0, "conversion": 7.0}
USER_FIELDS = ("age", "history")
ROWS = 40


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(scope="module")
def vocabularies(dataset):
    fields = [field for field in dataset.schema.fields if field.kind != NUMERIC]
    return {field.name: load_vocabulary(dataset.folder, field).ids for field in fields}


@pytest.fixture(scope="module")
def rows(dataset, vocabularies):
    """The first test rows: as the model knows them, and as clients do, with all that may be odd."""
    features, _ = next(iter(dataset.batches("test", ROWS)))
    known, raw = {}, {}
    for field in dataset.schema.fields:
        known[field.name] = column = features[field.name].numpy()
        if field.entity:
            known[field.name] = column = column[features[f"{field.entity}_row"].numpy()]
        if field.kind == NUMERIC:
            raw[field.name] = column.astype(np.float64)
        else:
            ids = np.concatenate([[-1, 2**60 + 1], vocabularies[field.name]])
            raw[field.name] = ids[column]
        if field.weighted:
            known[field.weight_name] = raw[field.weight_name] = features[field.weight_name].numpy()
    assert (known["item"] == 1).any()  # unknown ones
    assert (known["age"] == 0).any()  # missing ones
    assert (known["history"].max(axis=1) == 0).any()  # and an empty list
    longer = np.full((ROWS, 3), 101)  # more values than preparation leaves
    full = (raw["history"] != -1).all(axis=1)
    assert full.any()
    longer[~full] = -1
    raw["history"] = np.concatenate([raw["history"], longer], axis=1)
    return known, raw


def serving_model(name, dataset, vocabularies, user_fields=USER_FIELDS, schema=None, **settings):
    schema = schema or dataset.schema
    keras.utils.set_random_seed(1)
    model = models.build(name, schema, **settings)
    random = np.random.default_rng(1)
    for variable in model.embedding.weights:  # initial ones are near 0, and so all rows alike
        variable.assign(random.normal(size=variable.shape))
    weights = {task: WEIGHTS[task] for task in schema.task_names}
    served = ServingModel(model, schema, vocabularies, weights, user_fields)
    logits = Predictor(model, weights)
    return served, lambda known: {
        task: scipy.special.expit(values.astype(np.float64))
        for task, values in logits.score(known).items()
    }


def tensors(raw):
    return {name: tf.constant(column) for name, column in raw.items()}


def assert_close(found, expected):
    assert set(found) == set(expected)
    for task, values in expected.items():
        assert np.std(values) > 1e-3  # rows are told apart
        np.testing.assert_allclose(found[task], values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name", often(models.names(), lambda name: name in ("dcrnn", "dephn", "esmm", "din", "fm"))
)
def test_every_model_gives_what_it_gave_in_training(name, dataset, vocabularies, rows):
    known, raw = rows
    served, probabilities = serving_model(name, dataset, vocabularies)
    expected = probabilities(known)
    for output in served.derived_outputs:
        quotient = expected[output.task] / expected[output.given]
        expected[output.name] = np.minimum(quotient, 1 - 1e-6)
    assert_close(served(tensors(raw)), expected)


@pytest.fixture(scope="module")
def saved(dataset, vocabularies, tmp_path_factory):
    served, probabilities = serving_model("dcrnn", dataset, vocabularies)
    folder = tmp_path_factory.mktemp("exports") / "shop"
    path = export.save(served, folder, dataset=dataset)
    return path, tf.saved_model.load(str(path)), probabilities


def test_saved_model_gives_the_same_by_every_signature(saved, rows):
    known, raw = rows
    _, loaded, probabilities = saved
    assert set(loaded.signatures) == {"serving_default", "serve_examples", "rank", ENCODED}
    expected = probabilities(known)
    assert_close(loaded.signatures["serving_default"](**tensors(raw)), expected)
    examples = [serialize({n: column[row] for n, column in raw.items()}) for row in range(ROWS)]
    assert_close(loaded.signatures["serve_examples"](examples=tf.constant(examples)), expected)
    assert_close(loaded.signatures[ENCODED](**tensors(known)), expected)


def test_encoded_values_that_a_field_does_not_have(saved, rows):
    """Rows beyond the vocabulary are unknown ids, and no row of the field that follows."""
    known, _ = rows
    _, loaded, probabilities = saved
    every = np.arange(ROWS)
    sound = {
        **known,
        "item": np.where(every % 2, known["item"], 1).astype(np.int32),
        "age": np.where(every % 3, known["age"], 1).astype(np.int32),
        "history": np.where(every[:, None] % 5, known["history"], 1).astype(np.int32),
        "price": np.where(every % 7, known["price"], 0).astype(np.float32),
    }
    odd = {
        **sound,
        "item": np.where(every % 2, sound["item"], 20).astype(np.int32),
        "age": np.where(every % 3, sound["age"], -1).astype(np.int32),
        "history": np.where(every[:, None] % 5, sound["history"], 2**31 - 1).astype(np.int32),
        "price": np.where(every % 7, sound["price"], np.nan).astype(np.float32),
    }
    assert_close(loaded.signatures[ENCODED](**tensors(odd)), probabilities(sound))


def test_encoded_inputs_are_all_there_with_as_many_rows(saved, rows):
    known, _ = rows
    signature = saved[1].signatures[ENCODED]
    with pytest.raises(TypeError, match="missing required arguments: item"):
        signature(**tensors({name: known[name] for name in known if name != "item"}))
    for name in known:
        with pytest.raises(tf.errors.InvalidArgumentError):
            signature(**tensors(known | {name: known[name][:1]}))
    wider = {name: np.pad(known[name], ((0, 0), (0, 3))) for name in ("history", "tags")}
    wider["tags_weight"] = np.pad(known["tags_weight"], ((0, 0), (0, 3)))
    expected = {task: values.numpy() for task, values in signature(**tensors(known)).items()}
    assert_close(signature(**tensors(known | wider)), expected)


def test_rank_is_one_user_with_each_candidate(saved, rows):
    _, raw = rows
    _, loaded, _ = saved
    user = {name: raw[name][3:4] for name in USER_FIELDS}
    candidates = {name: column for name, column in raw.items() if name not in USER_FIELDS}
    found = loaded.signatures["rank"](**tensors(user | candidates))
    repeated = {name: np.repeat(column, ROWS, axis=0) for name, column in user.items()}
    expected = loaded.signatures["serving_default"](**tensors(repeated | candidates))
    assert_close(found, {task: values.numpy() for task, values in expected.items()})
    nobody = {name: column[:0] for name, column in candidates.items()}
    found = loaded.signatures["rank"](**tensors(user | nobody))
    assert {task: values.shape for task, values in found.items()} == dict.fromkeys(found, (0,))


@pytest.mark.slow
def test_rank_reads_lists_value_by_value(dataset, vocabularies, rows, tmp_path):
    _, raw = rows
    served, _ = serving_model("din", dataset, vocabularies, embedding_dim=4)
    loaded = tf.saved_model.load(str(export.save(served, tmp_path))).signatures
    user = {name: raw[name][3:4] for name in USER_FIELDS}
    candidates = {name: column for name, column in raw.items() if name not in USER_FIELDS}
    found = loaded["rank"](**tensors(user | candidates))
    repeated = {name: np.repeat(column, ROWS, axis=0) for name, column in user.items()}
    expected = loaded["serving_default"](**tensors(repeated | candidates))
    assert_close(found, {task: values.numpy() for task, values in expected.items()})


def test_inputs_may_be_left_out(saved, rows):
    """As a server does it: by the signature's defaults, which are in the graph too."""
    known, raw = rows
    path, loaded, probabilities = saved
    signature = loaded.signatures["serving_default"]
    for name in ("item", "history", "price"):
        known = known | {name: np.zeros_like(known[name])}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        definition = graph.signature_def["serving_default"]
        assert set(definition.defaults) == set(definition.inputs) == set(raw)
        given = {n: c for n, c in raw.items() if n not in ("item", "history", "price")}
        found = session.run(
            {task: info.name for task, info in definition.outputs.items()},
            {definition.inputs[name].name: column for name, column in given.items()},
        )
    assert_close(found, probabilities(known))
    defaults = {n: tf.make_ndarray(value) for n, value in definition.defaults.items()}
    everything_missing = signature(**tensors(defaults))
    assert {task: values.shape for task, values in everything_missing.items()} == {
        "click": (1,),
        "conversion": (1,),
    }


def test_python_leaves_inputs_out_too(saved, rows):
    known, raw = rows
    _, loaded, probabilities = saved
    for name in ("item", "history", "price"):
        known = known | {name: np.zeros_like(known[name])}
    given = {n: c for n, c in raw.items() if n not in ("item", "history", "price")}
    assert_close(loaded.predict(**tensors(given)), probabilities(known))
    user, items = {"age": [101]}, {"item": [101, 102, 103]}
    found = loaded.rank(**user, **items)
    expected = loaded.predict(age=[101] * 3, **items)
    np.testing.assert_allclose(found["click"], expected["click"], rtol=0, atol=1e-6)


def test_numbers_of_rows_that_do_not_fit_are_refused_inside_the_graph(saved):
    _, loaded, _ = saved
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank takes one user, or one for"):
        loaded.rank(age=[101, 102, 103], item=[101, 102])
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank takes one user, or one for"):
        loaded.rank(age=[101, 102, 103], item=[101])
    with pytest.raises(tf.errors.InvalidArgumentError, match="inputs differ in their numbers of"):
        loaded.predict(age=[101, 102, 103], item=[101, 102])
    for users in ([101], [101, 102]):
        assert loaded.rank(age=users, item=[101, 102])["click"].shape == (2,)


def test_samples_of_requests_are_what_the_signatures_take(saved):
    path, loaded, _ = saved
    folder = path / export.EXTRA_FOLDER
    answers = {}
    for name in (COLUMNS_FILE, ROWS_FILE, RANK_FILE, ENCODED_FILE):
        body = json.loads((folder / name).read_text("utf-8"))
        columns = body.get("inputs") or {
            name: [row[name] for row in body["instances"]] for name in body["instances"][0]
        }
        signature = loaded.signatures[body["signature_name"]]
        specs = signature.structured_input_signature[1]
        answers[name] = signature(
            **{name: tf.constant(column, specs[name].dtype) for name, column in columns.items()}
        )["click"].numpy()
    assert {name: len(values) for name, values in answers.items()} == {
        COLUMNS_FILE: 1,
        ROWS_FILE: 1,
        RANK_FILE: 3,
        ENCODED_FILE: 1,
    }
    assert answers[COLUMNS_FILE] == answers[ROWS_FILE]
    config = text_format.Parse(
        (folder / SERVER_FILE).read_text("utf-8"), model_server_config_pb2.ModelServerConfig()
    )
    (served,) = config.model_config_list.config
    assert (served.name, served.base_path) == ("shop", "/models/shop")
    assert export.next_version(path.parent) == 2  # none of these files is taken for a version


def test_ids_lists_and_batches_of_any_size(saved, rows):
    _, raw = rows
    _, loaded, _ = saved
    signature = loaded.signatures["serving_default"]
    extreme = {
        "item": np.array([2**63 - 1, -(2**63)]),
        "age": np.array([0, -2]),
        "history": np.full((2, 50_000), 101),
        "tags": np.full((2, 20_000), 2**62),
        "tags_weight": np.ones((2, 20_000), np.float32),
        "price": np.array([np.nan, np.inf]),
    }
    for values in signature(**tensors(extreme)).values():
        assert np.isfinite(values).all()
    empty = {name: column[:0] for name, column in raw.items()}
    for values in signature(**tensors(empty)).values():
        assert values.shape == (0,)


def test_warm_up_requests_fit_the_signatures(saved):
    path, loaded, _ = saved
    records = tf.data.TFRecordDataset(str(path / export.EXTRA_FOLDER / warmup.FILE))
    asked = []
    for record in records.as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "shop"
        asked.append(request.model_spec.signature_name)
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        answers = loaded.signatures[asked[-1]](**tensors(inputs))
        count = 100 if asked[-1] == "rank" else 1
        assert {task: values.shape for task, values in answers.items()} == {
            "click": (count,),
            "conversion": (count,),
        }
    assert sorted(asked) == [ENCODED, "rank", "serve_examples", "serving_default"]


def test_tasks_in_sequence_have_their_product_too(dataset, vocabularies, rows):
    known, raw = rows
    tasks = (Task("click"), Task("conversion", only_where="click"))
    schema = dataclasses.replace(dataset.schema, tasks=tasks)
    served, probabilities = serving_model("mmoe", dataset, vocabularies, (), schema)
    expected = probabilities(known)
    expected["conversion_per_exposure"] = expected["click"] * expected["conversion"]
    assert_close(served(tensors(raw)), expected)
    assert set(served.signatures()) == {"serving_default", "serve_examples", ENCODED}


def test_versions_follow_each_other_and_are_whole_or_absent(
    dataset, vocabularies, tmp_path, capsys, monkeypatch
):
    served, _ = serving_model("dnn", dataset, vocabularies, hidden_units=(2,), embedding_dim=2)
    folder = tmp_path / "models"
    falls = []

    def golden(extra):
        gate.write_golden(extra, served, dataset)

    def compare(new, before):
        assert before == folder / "1"
        falls.extend(gate.check(new, before, dataset.schema, 0.0))

    def copy(model, version, signatures):  # of what takes seconds to write
        left_out = shutil.ignore_patterns(export.EXTRA_FOLDER)
        shutil.copytree(folder / "1", version, ignore=left_out, dirs_exist_ok=True)

    assert export.save(served, folder, write_extra=golden, gate=compare).name == "1"
    monkeypatch.setattr(tf.saved_model, "save", copy)
    assert export.save(served, folder, 7, gate=compare).name == "7"
    assert [(fall.task, fall.amount) for fall in falls] == [("click", 0), ("conversion", 0)]
    assert all(fall.before is not None for fall in falls)
    with pytest.raises(DatasetError, match="7 exists already; leave the version out to get 8"):
        export.save(served, folder, 7)

    def fail(extra):
        with pytest.raises(FolderInUseError, match="models is in use by another process"):
            export.save(served, folder)
        raise OSError("no room")

    def refuse(new, before):
        assert before == folder / "7"
        raise gate.GateError("much worse")

    with pytest.raises(OSError, match="no room"):
        export.save(served, folder, write_extra=fail)
    with pytest.raises(gate.GateError, match="much worse"):
        export.save(served, folder, gate=refuse)
    assert sorted(path.name for path in folder.iterdir()) == ["1", "7"]
    (folder / "next.partial").mkdir()  # a killed export's
    assert export.next_version(folder) == 8
    assert export.save(served, folder).name == "8"
    assert "Removing" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["1", "7", "8"]


def test_versions_that_a_server_cannot_read_are_refused(tmp_path):
    for version in (0, -1, 2**63):
        with pytest.raises(DatasetError, match=f"^{version} cannot be a version in"):
            export.check_version(version, tmp_path)
    (tmp_path / "9").mkdir()
    (tmp_path / str(2**64)).mkdir()  # no version to a server
    (tmp_path / "\N{SUPERSCRIPT TWO}").mkdir()
    (tmp_path / "\N{ARABIC-INDIC DIGIT SEVEN}7").mkdir()
    assert export.next_version(tmp_path) == 10
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(DatasetError, match="TensorFlow Serving reads numbers from 1 to 92233720"):
        export.next_version(tmp_path)


def test_a_folder_that_tensorflow_cannot_load_from_is_refused(dataset, vocabularies, tmp_path):
    served, _ = serving_model("dnn", dataset, vocabularies, hidden_units=(2,), embedding_dim=2)
    with pytest.raises(UserError, match=r"models \[v2\] lies in a folder with \[ \] in its path"):
        export.save(served, tmp_path / "models [v2]")
    assert not list(tmp_path.iterdir())


def test_user_fields_that_make_no_sense(dataset, vocabularies):
    names = [field.name for field in dataset.schema.fields]
    with pytest.raises(DatasetError, match="no field colour"):
        serving_model("dnn", dataset, vocabularies, ["colour"])
    with pytest.raises(DatasetError, match="no two candidates differ"):
        serving_model("dnn", dataset, vocabularies, names)
