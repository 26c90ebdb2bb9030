"""The programs, run as a user runs them: in processes of their own."""

import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import BINARY, DatasetError, load_schema
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.folder_lock import FolderInUseError
from dcrnn_tf.training import metrics_log
from experiments import export
from experiments import train as train_program
from experiments.runs import latency, run_folder, trained_runs
from tests.markdown import unpadded

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = [
    "--model=dcrnn",
    "--set=units=8",
    "--set=embedding_dim=4",
    "--set=jit_recurrence=false",
    "--epochs=3",
    "--batch_size=64",
    "--learning_rate=0.01",
    "--log_every=7",
    "--checkpoint_every=10",
]


def of_binary_tasks(those):
    """The metrics of a dataset without weights."""
    return [m for m in those if m.kind == BINARY and "weights" not in m.needs]


def start(module, *flags):
    return subprocess.Popen(
        [sys.executable, "-m", module, *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(module, *flags):
    process = start(module, *flags)
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def train(dataset_folder, run_dir, *flags):
    return run(
        "experiments.train", f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", *FLAGS, *flags
    )


@pytest.fixture(scope="module")
def finished_run(dataset_folder, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    code, output, errors = train(dataset_folder, run_dir)
    assert code == 0, errors
    assert "test click: AUC" in output
    for metric in of_binary_tasks(metrics.registered()):
        assert re.search(rf"test click: .*\b{metric.label} ([0-9.]+|n/a)", output)
    return run_dir


def test_every_metric_is_logged(finished_run):
    names = {metric.name for metric in of_binary_tasks(metrics.printed())}
    evaluations = metrics_log.evaluations(
        metrics_log.read(finished_run / "metrics.jsonl"), "validation"
    )
    for tasks in evaluations.values():
        for values in tasks.values():
            assert names <= set(values)
    logged = {}
    for path in (finished_run / "tensorboard").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                logged.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    for metric in of_binary_tasks(metrics.registered()):
        expected = [tasks["click"][metric.name] for tasks in evaluations.values()]
        assert logged[f"validation/click/{metric.name}"] == pytest.approx(expected)


def without_times(run_dir):
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("rows_per_second", None)
    result = json.loads((run_dir / "result.json").read_text())
    return lines, {"steps": result["steps"], "metrics": result["metrics"]}


def variables(run_dir):
    newest = max((run_dir / "checkpoints").iterdir())
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith(("model", "table"))]
    assert len(names) > 10
    return {name: reader.get_tensor(name) for name in names}


def test_a_run_explains_itself(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    assert names == {
        "config.json",
        "run.json",
        "metrics.jsonl",
        "result.json",
        "curves.json",
        "report.html",
        "checkpoints",
        "tensorboard",
    }
    config = json.loads((finished_run / "config.json").read_text())
    assert config["settings"] == {"units": 8, "embedding_dim": 4, "jit_recurrence": False}
    assert config["positive_weights"] == "auto"
    record = json.loads((finished_run / "run.json").read_text())
    assert record["dataset"]["fingerprint"] == config["dataset_fingerprint"]
    assert record["versions"]["tensorflow"] == tf.__version__
    assert record["parameters"]["embedding"] == (20 + 12 + 8 + 30) * 4


def wait_for_lines(process, run_dir, wanted):
    log = run_dir / "metrics.jsonl"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and len(log.read_bytes().splitlines()) >= wanted:
            break
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it could be stopped"


@pytest.mark.slow
def test_killed_at_a_random_moment_it_ends_with_the_same_bits(
    dataset_folder, finished_run, tmp_path
):
    run_dir = tmp_path / "killed"
    process = start(
        "experiments.train", f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", *FLAGS
    )
    wanted = random.randrange(1, 18)  # of about 23 lines
    wait_for_lines(process, run_dir, wanted)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (run_dir / "result.json").exists()
    code, _, errors = train(dataset_folder, run_dir)
    assert code == 0, errors
    assert without_times(run_dir) == without_times(finished_run), f"killed after line {wanted}"
    mine, other = variables(run_dir), variables(finished_run)
    assert mine.keys() == other.keys()
    for name in mine:
        np.testing.assert_array_equal(mine[name], other[name])


def test_terminated_it_leaves_a_checkpoint_and_one_line(dataset_folder, tmp_path):
    run_dir = tmp_path / "run"
    flags = [f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", *FLAGS, "--epochs=1000"]
    process = start("experiments.train", *flags)
    wait_for_lines(process, run_dir, 3)
    config = json.loads((run_dir / "config.json").read_text())
    with pytest.raises(FolderInUseError, match=f"pid {process.pid} on"):
        run_folder.open_run(run_dir, config)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 143
    newest = max(path.name for path in (run_dir / "checkpoints").iterdir())
    assert errors.splitlines()[-1] == (
        f"Terminated at step {int(newest[5:])}, of which there is a checkpoint; "
        "the same command goes on from it."
    )
    assert "Traceback" not in errors
    assert not (run_dir / "lock").exists()


@pytest.mark.slow
def test_interrupted_again_and_again_it_ends_with_the_same_bits(
    dataset_folder, finished_run, tmp_path
):
    run_dir = tmp_path / "run"
    flags = [f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", *FLAGS]
    for lines, number in ((2, signal.SIGINT), (9, signal.SIGTERM)):
        process = start("experiments.train", *flags)
        wait_for_lines(process, run_dir, lines)
        process.send_signal(number)
        process.communicate(timeout=100)
        assert process.returncode == 128 + number
    code, _, errors = train(dataset_folder, run_dir)
    assert code == 0, errors
    assert without_times(run_dir) == without_times(finished_run)
    mine, other = variables(run_dir), variables(finished_run)
    for name in other:
        np.testing.assert_array_equal(mine[name], other[name])


def test_finished_changed_and_unknown(dataset_folder, finished_run, tmp_path):
    code, output, _ = train(dataset_folder, finished_run)
    assert (code, "finished" in output) == (0, True)
    code, _, errors = train(dataset_folder, finished_run, "--seed=2")
    assert code == 1
    assert errors.strip().splitlines()[-1].startswith("Error: ")
    assert "seed was 1, now 2" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--modle=dcrnn"], "Unknown command line flag 'modle'"),
        (["--batch_size=0"], "batch_size"),
        (["--positive_weights=auto,2"], "must be auto, none, or one number per task"),
        (["--set=units"], "--set=units must be NAME=VALUE"),
        (["stray"], "unexpected argument 'stray'"),
        (["--embedding_optimizer=adamw"], "'adamw' is not one of adagrad, adam, adam_deferred"),
        pytest.param(
            ["--optimizer=lazy_adam"],
            "'lazy_adam' is not one of Keras'",
            marks=pytest.mark.slow,
        ),
        (["--mixed_precision=float8"], "mixed_precision"),
        (["--balancing=best"], "balancing"),
        (["--task_weights=1,2"], "--task_weights belongs to --balancing=fixed"),
        (["--balancing=fixed", "--task_weights=1,x"], "--task_weights=1,x must be one number per"),
    ],
)
def test_bad_flags_get_one_sentence(flags, sentence):
    code, _, errors = run("experiments.train", "--data_dir=nowhere", "--run_dir=r", *flags)
    assert code == 1
    last = errors.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert sentence in last
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_runs_own_config_repeats_it(dataset_folder, finished_run, tmp_path):
    again = tmp_path / "again"
    flags = [f"--config={finished_run / 'config.json'}", f"--run_dir={again}"]
    code, _, errors = run("experiments.train", *flags)
    assert code == 0, errors
    assert (again / "config.json").read_bytes() == (finished_run / "config.json").read_bytes()
    assert without_times(again) == without_times(finished_run)
    mine, other = variables(again), variables(finished_run)
    assert mine.keys() == other.keys()
    for name in other:
        np.testing.assert_array_equal(mine[name], other[name])

    # Flags win; a dataset that is another one is refused.
    code, _, errors = run("experiments.train", *flags, "--set=units=4", "--seed=2")
    assert code == 1
    assert "seed was 1, now 2; settings was {'units': 8, " in errors
    other = shutil.copytree(dataset_folder, tmp_path / "other")
    schema = load_schema(other)
    dataclasses.replace(schema, seed=schema.seed + 1).save(other)
    code, _, errors = run("experiments.train", flags[0], "--run_dir=r", f"--data_dir={other}")
    assert code == 1
    assert f", expected {schema.fingerprint}; give the --data_dir that has it" in errors


def test_configs_with_balancing_of_their_own_are_understood():
    dwa = {"balancing": {"name": "dwa", "temperature": 3.0}, "settings": {"units": 8}}
    assert train_program.flags_of_run(dwa) == {
        "balancing": "dwa",
        "dwa_temperature": 3.0,
        "set": {"units": 8},
    }
    fixed = {"balancing": {"name": "fixed", "weights": [1.0, 2.0]}}
    assert train_program.flags_of_run(fixed) == {"balancing": "fixed", "task_weights": [1.0, 2.0]}
    assert train_program.flags_of_run({"balancing": {"name": "sum"}}) == {"balancing": "sum"}
    assert train_program.flags_of_run({"balancing": "pcgrad"}) == {"balancing": "pcgrad"}
    gradnorm = {"balancing": {"name": "gradnorm", "alpha": 2.0, "learning_rate": 0.1}}
    assert train_program.flags_of_run(gradnorm) == {
        "balancing": "gradnorm",
        "gradnorm_alpha": 2.0,
        "balancing_set": {"learning_rate": 0.1},
    }


def test_evaluate_repeats_what_training_found(finished_run):
    code, output, errors = run("experiments.evaluate", f"--run_dir={finished_run}")
    assert code == 0, errors
    result = json.loads((finished_run / "result.json").read_text())
    assert json.loads(output)["metrics"] == result["metrics"]["test"]
    assert 0 < result["metrics"]["test"]["click"]["gauc"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "bfloat16_products"])
def test_low_precision_and_deferred_adam_are_found_again_by_evaluate(
    precision, dataset_folder, tmp_path
):
    run_dir = tmp_path / "run"
    flags = [f"--mixed_precision={precision}", "--embedding_optimizer=adam_deferred"]
    flags.append("--epochs=1")
    code, _, errors = train(dataset_folder, run_dir, *flags)
    assert code == 0, errors
    config = json.loads((run_dir / "config.json").read_text())
    assert config["mixed_precision"] == precision
    assert {value.dtype for value in variables(run_dir).values()} >= {np.dtype("float32")}
    code, output, errors = run("experiments.evaluate", f"--run_dir={run_dir}")
    assert code == 0, errors
    result = json.loads((run_dir / "result.json").read_text())
    assert json.loads(output)["metrics"] == result["metrics"]["test"]


@pytest.mark.slow
def test_balancing_is_reported_and_its_mistakes_leave_no_folder(dataset_folder, tmp_path):
    run_dir = tmp_path / "run"
    code, _, errors = train(dataset_folder, run_dir, "--balancing=pcgrad", "--jit_compile")
    assert (code, run_dir.exists()) == (1, False)
    assert "balancing=pcgrad has no form that XLA compiles" in errors
    code, _, errors = train(dataset_folder, run_dir, "--balancing=dwa", "--balancing_set=heat=3")
    assert (code, run_dir.exists()) == (1, False)
    assert "balancing=dwa has no setting heat; it has temperature" in errors
    flags = ["--balancing=gradnorm", "--balancing_set=learning_rate=0.1", "--epochs=1"]
    code, _, errors = train(dataset_folder, tmp_path / "other", *flags)
    assert code == 0, errors
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    gradnorm = {"name": "gradnorm", "learning_rate": 0.1, "alpha": 1.5}
    assert config["balancing"] == gradnorm
    flags = ["--balancing=dwa", "--dwa_temperature=3", "--epochs=1"]
    code, _, errors = train(dataset_folder, run_dir, *flags)
    assert code == 0, errors
    config = json.loads((run_dir / "config.json").read_text())
    assert config["balancing"] == {"name": "dwa", "temperature": 3.0}
    assert "weight_conversion" in (run_dir / "report.html").read_text()


def test_evaluate_refuses_other_data(finished_run, dataset_folder, tmp_path):
    other = shutil.copytree(dataset_folder, tmp_path / "other")
    schema = json.loads((other / "schema.json").read_text())
    changed = dataclasses.replace(load_schema(other), seed=schema["seed"] + 1)
    changed.save(other)
    code, _, errors = run(
        "experiments.evaluate", f"--run_dir={finished_run}", f"--data_dir={other}"
    )
    assert code == 1
    assert "is not the dataset that" in errors


def test_export_writes_the_next_version_with_its_card(finished_run, dataset_folder, tmp_path):
    models = tmp_path / "models" / "shop"
    (models / "4").mkdir(parents=True)
    code, output, errors = run(
        "experiments.export", f"--run_dir={finished_run}", f"--export_dir={models}", "--onnx"
    )
    assert code == 0, errors
    assert "tf2onnx" not in errors
    assert "table_initializer" not in errors
    assert "signatures serving_default, serve_examples, encoded_features, rank" in output
    extra = models / "5" / "assets.extra"
    assert {path.name for path in extra.iterdir()} == {
        "field_statistics.json",
        "golden_labels.json",
        "golden_requests",
        "model.onnx",
        "model_card.md",
        "models.config",
        "request_columns.json",
        "request_encoded_features.json",
        "request_rank.json",
        "request_rows.json",
        "schema.json",
        "tf_serving_warmup_requests",
        "vocabularies",
    }
    step = trained_runs.best_step(finished_run)
    card = unpadded((extra / "model_card.md").read_text())
    assert f"# dcrnn on tiny, step {step}" in card
    assert "Simulated data" in card
    printed = of_binary_tasks(metrics.printed())
    labels = " | ".join(metric.label for metric in printed if not metric.by_group)
    assert f"| split | task | {labels} | rows | positives |" in card
    lines = [line for line in card.splitlines() if line.startswith("| validation | click |")]
    logged = metrics_log.evaluations(metrics_log.read(finished_run / "metrics.jsonl"), "validation")
    assert f"{logged[step]['click']['auc']:.4f}" in lines[0]


@pytest.mark.slow
def test_export_tells_what_smaller_tables_lose(finished_run, tmp_path, capsys):
    settings = export.Settings(str(finished_run), str(tmp_path), table_precision="int8")
    export.main(settings)
    output = capsys.readouterr().out
    assert "Tables in int8, on " in output
    assert re.search(r"  click moves by .* at most, .* on average\n", output)
    assert re.search(r"  conversion: AUC 0\.\d+ in float32, 0\.\d+ as stored\n", output)
    written = json.loads((tmp_path / "1" / "assets.extra" / "precision.json").read_text())
    assert written["table_precision"] == "int8"
    largest = max(difference["largest"] for difference in written["differences"])
    too_far = dataclasses.replace(settings, largest_difference=largest / 2)
    with pytest.raises(UserError, match="nothing was exported"):
        export.main(too_far)
    assert not (tmp_path / "2").exists()


def test_calls_of_an_exported_model_are_timed(finished_run):
    times = latency.measure(finished_run, batches=(1, 300), seconds=0.0)
    assert list(times) == [1, 300]
    assert all(0 < milliseconds < 60_000 for milliseconds in times.values())


def evaluation(step, metrics):
    """A line of an evaluation of the validation split in `metrics.jsonl`."""
    metrics = {task: values | {"rows": 9, "positives": 4} for task, values in metrics.items()}
    entry = {"kind": "evaluation", "epoch": 1, "step": step, "split": "validation"}
    return json.dumps(entry | {"metrics": metrics}) + "\n"


def test_best_step_is_that_of_the_best_epoch(tmp_path):
    for step in (10, 20, 30):
        (tmp_path / "checkpoints" / f"step_{step:09d}").mkdir(parents=True)
    aucs = {10: (0.6, 0.9), 20: (0.8, 0.8), 30: (0.7, None), 40: (0.9, 0.9)}
    with open(tmp_path / "metrics.jsonl", "w") as file:
        for step, (click, conversion) in aucs.items():
            metrics = {"click": {"auc": click}, "conversion": {"auc": conversion}}
            file.write(evaluation(step, metrics))
    assert trained_runs.best_step(tmp_path) == 20  # there is no checkpoint of step 40
    with open(tmp_path / "metrics.jsonl", "w") as file:
        for step, auc in {10: 0.4, 20: 0.0}.items():
            file.write(evaluation(step, {"click": {"auc": auc}}))
    assert trained_runs.best_step(tmp_path) == 10
    (tmp_path / "metrics.jsonl").unlink()
    assert trained_runs.best_step(tmp_path) is None
    with pytest.raises(DatasetError, match="has no checkpoint yet"):
        trained_runs.best_step(tmp_path / "elsewhere")
