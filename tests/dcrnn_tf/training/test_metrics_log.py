import json
import math

import pytest

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training import metrics_log

LOSSES = {"epoch": 1, "loss": 0.5, "losses": {"click": 0.5}, "rows_per_second": 9.5}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in (5, 10, 15):
        metrics_log.append(path, {"kind": "train", "step": step, **LOSSES})
    return path


def steps(path):
    return [entry["step"] for entry in metrics_log.read(path)]


def test_what_a_checkpoint_did_not_know_is_cut_off(path):
    size = path.read_bytes().index(b'{"kind": "train", "step": 15')
    metrics_log.cut(path, size, 10)
    assert steps(path) == [5, 10]
    metrics_log.cut(path, 0, 0)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("gone", [0, None])
def test_lost_lines_are_said_and_no_zeros_take_their_place(path, gone, capsys):
    size = path.read_bytes().index(b'{"kind": "train", "step": 15')
    if gone is None:
        path.unlink()
    else:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    metrics_log.cut(path, size, 10)
    assert steps(path) == ([] if gone is None else [10])
    assert "has lost lines" in capsys.readouterr().out


def line(**changes):
    entry = {"kind": "train", "step": 10, **LOSSES} | changes
    return json.dumps({name: value for name, value in entry.items() if value != ...}).encode()


COUNTS = {"rows": 9, "positives": 4}


def evaluation(**values):
    metrics = {"click": COUNTS | values}
    return line(kind="evaluation", split="validation", metrics=metrics, loss=...)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{\x00}", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"kind": "a", "kind": "b"}', "the key 'kind' is given twice"),
        (b"7", "it is 7, expected a JSON object"),
        (b"{}", "it lacks kind"),
        (line(step=...), "it lacks step"),
        (line(step=-1), "step is -1, expected a whole number from 0"),
        (line(kind=["train"]), r'kind is \["train"\], expected a text'),
        (line(loss=math.nan), "loss is NaN, expected a finite number"),
        (line(loss=None), "loss is null, expected a finite number"),
        (line(losses=[1.0]), r"losses is \[1.0\], expected a JSON object"),
        (line(losses={"click": "1"}), 'losses.click is "1", expected a finite number'),
        (line(loss=1e39), r"loss is 1e\+39, expected a finite number"),
        (line(statistics={"a": "b"}), 'statistics.a is "b", expected a number'),
        (evaluation(auc=True), "metrics.click.auc is true, expected a finite number"),
        (evaluation(rows=0.5), "metrics.click.rows is 0.5, expected a whole number from 0"),
        (line(kind="evaluation", split="test"), "it lacks metrics"),
    ],
)
def test_a_damaged_line_is_named(path, line, what):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], line, *lines[2:]]))
    words = rf"metrics\.jsonl, line 2, is .*{what}.*; mend or remove the line"
    with pytest.raises(DatasetError, match=words):
        metrics_log.cut(path, len(path.read_bytes()), 15)
    with pytest.raises(DatasetError, match=words):
        metrics_log.read(path)


def test_what_may_be_null_or_not_finite(path):
    path.write_bytes(evaluation(auc=None) + b"\n" + line(statistics={"a": math.inf}) + b"\n")
    assert [entry["kind"] for entry in metrics_log.read(path)] == ["evaluation", "train"]
    assert metrics_log.best_step(metrics_log.read(path)) == 10


def test_derived_outputs_alone_have_no_best_step(path):
    path.write_bytes(evaluation(auc=0.7, population="few") + b"\n")
    assert metrics_log.best_step(metrics_log.read(path)) is None


def test_a_last_line_that_is_not_whole_is_passed_over(path):
    path.write_bytes(path.read_bytes()[:-3])
    assert steps(path) == [5, 10]
