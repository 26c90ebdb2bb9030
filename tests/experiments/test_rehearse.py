"""The rehearsal of Ali-CCP's full size."""

import csv
import json

import pytest

from dcrnn_tf.system.command_line import UsageError
from experiments import rehearse
from experiments.rehearse import Stage


def test_a_stage_is_measured_once_and_counts_its_attempts(tmp_path, capfd):
    made = tmp_path / "made"
    stage = Stage("calendar", "calendar", ["20x4"], made)
    with pytest.raises(SystemExit):
        rehearse.measured(stage, tmp_path)
    assert "seconds" not in json.loads((tmp_path / "calendar.json").read_text())
    made.mkdir()
    (made / "file").write_bytes(bytes(100))
    stage = Stage("calendar", "calendar", ["2024"], made)
    record = rehearse.measured(stage, tmp_path)
    assert (record["attempts"], record["disk"]) == (2, 100)
    assert 0 < record["processor_seconds"] < 10 > record["seconds"] > 0
    assert record["memory"] > 1e6  # Linux counts what this process had when it began another
    assert "December" in capfd.readouterr().out
    assert rehearse.measured(stage, tmp_path) == record  # not run again
    assert "December" not in capfd.readouterr().out


@pytest.mark.parametrize(("rows", "left"), [(999, "0"), (39_000_000, "39,000")])
def test_rows_that_there_are_not_are_refused_before_the_first_program(tmp_path, rows, left):
    settings = rehearse.Settings("smoke", rows, out_dir=str(tmp_path))
    with pytest.raises(UsageError, match=f"--train_rows={rows} leaves {left} of 42,300 rows"):
        rehearse.main(settings)
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_the_smallest_rehearsal(tmp_path, capfd):
    settings = rehearse.Settings("smoke", work_dir=str(tmp_path), out_dir=str(tmp_path / "runs"))
    rehearse.main(settings)
    out_dir = tmp_path / "runs" / "rehearsal-smoke"
    with open(out_dir / "rehearsal.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["program"] for line in lines] == ["simulation", "preparation", "training"]
    assert all(line["attempts"] == "1" for line in lines)
    page = (out_dir / "rehearsal.md").read_text()
    assert "Simulated data" in page
    assert "42,300 train, 43,016 test" in page
    result = json.loads((out_dir / "run-4000" / "result.json").read_text())
    assert result["steps"] == 4
    assert result["metrics"]["test"]["click"]["rows"] == 43_016
    capfd.readouterr()
    rehearse.main(settings)
    assert "simulating" not in capfd.readouterr().err
