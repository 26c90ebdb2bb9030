import pytest

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training import metrics_log


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in (5, 10, 15):
        metrics_log.append(path, {"kind": "train", "step": step})
    return path


def steps(path):
    return [entry["step"] for entry in metrics_log.read(path)]


def test_what_a_checkpoint_did_not_know_is_cut_off(path):
    size = path.read_bytes().index(b'{"kind": "train", "step": 15}')
    metrics_log.cut(path, size, 10)
    assert steps(path) == [5, 10]
    metrics_log.cut(path, 0, 0)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("gone", [b'{"kind": "train", "step": 5}\n', None])
def test_lost_lines_are_said_and_no_zeros_take_their_place(path, gone, capsys):
    size = path.read_bytes().index(b'{"kind": "train", "step": 15}')
    if gone is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(gone, b""))
    metrics_log.cut(path, size, 10)
    assert steps(path) == ([] if gone is None else [10])
    assert "has lost lines" in capsys.readouterr().out


@pytest.mark.parametrize("line", [b"{\x00}", b"7"])
def test_a_damaged_line_is_named(path, line):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(DatasetError, match=r"metrics\.jsonl, line 2, is no"):
        metrics_log.cut(path, len(path.read_bytes()), 15)
    with pytest.raises(DatasetError, match=r"metrics\.jsonl, line 2, is no"):
        metrics_log.read(path)


def test_a_last_line_that_is_not_whole_is_passed_over(path):
    path.write_bytes(path.read_bytes()[:-3])
    assert steps(path) == [5, 10]
