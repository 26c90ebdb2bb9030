"""DCRNN's Table 3 from made-up outcomes and runs: figures, words and files."""

import csv
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema
from experiments.dcrnn.online import content as content
from experiments.dcrnn.online import files, grids
from experiments.dcrnn.online.content import OnlineResult
from experiments.dcrnn.online.experiment import Design, Outcomes
from experiments.dcrnn.tables import TABLE_3_OFFLINE
from experiments.tables.result import aggregate
from tests.experiments.run_folders import write_run

ROOT = pathlib.Path(__file__).parents[3]
USERS = 50
MMOE, DCRNN = (row.label for row in TABLE_3_OFFLINE.rows[:2])


def outcomes(clicks, plays):
    """Of users with 10 exposures each; two of three users click, with 3 halves of the clicks."""
    share = np.resize([0.0, 1.5, 1.5], USERS)
    share *= USERS / share.sum()
    return Outcomes(
        np.full(USERS, 10.0), clicks * share, plays * share, clicks * share, plays * share
    )


def made_up(folder, seeds=(1, 2), clicks=((2.0, 2.0), (2.0, 2.2))):
    """Seed by seed: MMoE has 2 clicks of 10, DCRNN 2 and 2.2, each half of them plays."""
    for row in TABLE_3_OFFLINE.rows[:2]:
        for seed in seeds:
            run = TABLE_3_OFFLINE.run_dir(folder, row, seed)
            write_run(run, {"click": 0.7, "play": 0.8}, seed=seed, name="radio", model=row.model)
            if row.label == DCRNN:
                record = json.loads((run / "run.json").read_text())
                record["parameters"] = {"total": 650_000, "embedding": 500_000, "other": 150_000}
                (run / "run.json").write_text(json.dumps(record))
    arms = {
        arm: {seed: outcomes(count, count / 2) for seed, count in zip(seeds, counts, strict=False)}
        for arm, counts in zip((MMOE, DCRNN), clicks, strict=True)
    }
    offline = aggregate(TABLE_3_OFFLINE, folder, seeds)
    return OnlineResult(Design(users=USERS), offline, arms, {"oracle": outcomes(4.0, 3.0)})


@pytest.fixture
def result(tmp_path):
    return made_up(tmp_path / "offline")


def test_the_first_grid_has_the_papers_form(result):
    grid = grids.grids(result)[0]
    paper = [("11.43%", "10.17%", "5,786,388"), ("12.17%", "10.93%", "1,424,452")]
    # The paper prints +6.47 %, +7.47 % and 4.06.
    paper.append(("+6.47%", "+7.47%", "4.06 times fewer"))
    ours = [("20.00%", "10.00%", "1,300,000"), ("21.00%", "10.50%", "650,000")]
    ours.append(("+5.00%", "+5.00%", "2.00 times fewer"))
    names = (MMOE, DCRNN, f"{DCRNN} against {MMOE}")
    assert grid.cells == tuple(
        (name, *mine, *theirs) for name, mine, theirs in zip(names, ours, paper, strict=True)
    )


def test_verdicts_give_intervals_spread_and_parameters(result):
    ctr, plays, per_click, parameters = content.verdicts(result)
    # All users have 5 % more: none of them says anything else.
    assert ctr.startswith(
        f"{DCRNN}, click-through rate: +5.00% over MMoE (95 % interval over users"
    )
    assert "+5.00% to +5.00%)" in ctr
    # Trainings: +0 % and +10 %, standard deviation 7.07 %; t(0.975, 1) = 12.706, error 5 %.
    spread = "over 2 trainings standard deviation 7.07%, from +0.00% to +10.00%, "
    assert f"{spread}95 % interval of their mean -58.53% to +68.53%" in ctr
    assert ctr.endswith("the paper: +6.47%")
    assert plays.endswith("the paper: +7.47%")
    assert "the interval" not in ctr
    assert "+0.00% over MMoE" in per_click
    assert "it holds 0, no difference is shown" in per_click
    assert "paper" not in per_click
    assert parameters.endswith(
        "MMoE has 2.00 times as many, 2.00 times without embeddings; the paper: 4.06 times"
    )


def test_one_training_has_no_spread_and_no_clicks_no_comparison(tmp_path):
    words = content.verdicts(made_up(tmp_path / "one", seeds=(1,)))
    assert "trainings" not in words[0]
    words = content.verdicts(made_up(tmp_path / "none", clicks=((0.0, 0.0), (1.0, 1.0))))
    assert words[0].endswith("not compared, there are no clicks or no plays")


def test_files_say_the_same_and_that_users_are_simulated(result, tmp_path):
    files.write(result, tmp_path, offline="offline/report.html")
    with open(tmp_path / "table3.csv", encoding="utf-8") as file:
        lines = {
            (line["policy"], line["seed"], line["metric"]): line for line in csv.DictReader(file)
        }
    assert len(lines) == (2 * 3 + 1) * 3
    line = lines[DCRNN, "all", "ctr"]
    assert float(line["rate"]) == pytest.approx(0.21)
    assert float(line["improvement"]) == pytest.approx(0.05)
    assert float(line["paper_improvement"]) == pytest.approx(0.0647, abs=1e-4)
    assert (line["simulated"], line["design_users"], line["baseline"]) == ("True", "50", "MMoE")
    assert (line["parameters_total"], line["paper_parameters"]) == ("650000", "1424452")
    assert float(lines[DCRNN, "2", "ctr"]["improvement"]) == pytest.approx(0.1)
    assert lines[MMOE, "all", "ctr"]["improvement"] == ""
    assert float(lines["oracle", "all", "play_rate"]["expected"]) == pytest.approx(0.3)
    assert lines["oracle", "all", "ctr"]["parameters_total"] == ""
    markdown = (tmp_path / "table3.md").read_text(encoding="utf-8")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for page in (markdown, html):
        assert "Simulated users and simulated logs, not Xiaomi Radio" in page
        assert "The published figures are of other data" in page
        assert "+6.47%" in page
        assert "Training by training" in page
    assert 'href="offline/report.html"' in html
    assert html.count("<img") == 1
    assert not re.search(r'(src|href)="http', html)


def test_weights_for_each_input_are_those_that_the_notes_count(dataset_folder):
    schema = load_schema(dataset_folder)
    fewer = schema.select_fields([field.name for field in schema.fields if field.name != "item"])

    def weights(row):
        """Of all that is not an embedding, per input; a field has 32 inputs."""
        all_fields, others = (
            models.build(row.model, each, **row.settings).parameter_counts()["other"]
            for each in (schema, fewer)
        )
        return (all_fields - others) / 32

    # Experts and gates; four gates of 64 or 16 units in 2 directions of 2 tasks, and 7 vectors.
    expected = [8 * 128 + 2 * 8, 2 * 2 * 4 * 64 + 7, 2 * 2 * 4 * 16 + 7]
    assert [weights(row) for row in TABLE_3_OFFLINE.rows] == expected


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--shown=4", "--candidates=3"], "--shown=4 is more than --candidates=3"),
        (["--data_dir=logs"], "Unknown command line flag 'data_dir'"),
    ],
)
def test_bad_flags_get_one_sentence(flags, sentence):
    command = [sys.executable, "-m", "experiments.dcrnn.online", *flags]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert sentence in last
    assert "Traceback" not in done.stderr
