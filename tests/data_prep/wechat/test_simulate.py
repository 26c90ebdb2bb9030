"""The simulated WeChat Big Data Challenge: format, rates, planted structure, truth."""

import hashlib
import itertools
import json
import pathlib
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OneHotEncoder

from data_prep.wechat import preparation
from data_prep.wechat.fields import BEHAVIOURS, PAPER_TASKS
from data_prep.wechat.simulated_files import simulate
from data_prep.wechat.world import DAYS, RATES, TOPICS, Settings
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[3]
SETTINGS = Settings(rows=70_000, users=1_000, feeds=1_500, seed=1)
SMALL = Settings(rows=500, users=20, feeds=30)
ACTION_HEADER = (
    "userid,feedid,date_,device,read_comment,comment,like,play,stay,click_avatar,forward,follow,"
    "favorite"
)
FEED_HEADER = (
    "feedid,authorid,videoplayseconds,description,ocr,asr,bgm_song_id,bgm_singer_id,"
    "manual_keyword_list,machine_keyword_list,manual_tag_list,machine_tag_list,description_char,"
    "ocr_char,asr_char"
)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "simulated"
    return folder, simulate(folder, SETTINGS)


@pytest.fixture(scope="module")
def actions(raw):
    return pl.read_csv(raw[0] / "user_action.csv")


@pytest.fixture(scope="module")
def feeds(raw):
    return pl.read_csv(raw[0] / "feed_info.csv", infer_schema_length=None)


@pytest.fixture(scope="module")
def truth(raw):
    return pl.read_csv(raw[0] / "ground_truth.csv")


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def first_line(path):
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\n")


def test_files_and_columns(raw, actions, feeds):
    folder, _ = raw
    names = {"user_action.csv", "feed_info.csv", "ground_truth.csv", "simulation.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert first_line(folder / "user_action.csv") == ACTION_HEADER
    assert first_line(folder / "feed_info.csv") == FEED_HEADER
    assert all(dtype == pl.Int64 for dtype in actions.dtypes)
    assert actions.null_count().sum_horizontal().item() == 0
    assert actions["device"].unique().sort().to_list() == [1, 2]
    assert actions.group_by("userid").agg(pl.col("device").n_unique())["device"].max() == 1
    assert actions["date_"].is_sorted()
    assert actions["date_"].value_counts().sort("date_").rows() == [
        (day, SETTINGS.rows // DAYS) for day in range(1, DAYS + 1)
    ]
    assert feeds["feedid"].n_unique() == feeds.height == SETTINGS.feeds
    assert set(actions["feedid"]) <= set(feeds["feedid"])
    for name in ("feedid", "authorid", "videoplayseconds", "bgm_song_id", "bgm_singer_id"):
        assert feeds[name].dtype == pl.Int64
    patterns = {
        r"^\d+( \d+)*$": ("description", "ocr", "asr", "description_char", "ocr_char", "asr_char"),
        r"^\d+(;\d+)*$": ("manual_keyword_list", "machine_keyword_list", "manual_tag_list"),
        r"^\d+ [01]\.\d+(;\d+ [01]\.\d+)*$": ("machine_tag_list",),
    }
    for pattern, columns in patterns.items():
        for name in columns:
            assert feeds[name].drop_nulls().str.contains(pattern).all(), name
    for name in ("bgm_song_id", "ocr", "manual_tag_list", "machine_tag_list"):
        assert 0 < feeds[name].null_count() < feeds.height


def test_rates_are_near_the_published_ones(raw, actions):
    _, summary = raw
    for name in BEHAVIOURS:
        assert set(actions[name].unique()) <= {0, 1}
        rate = RATES[name]
        # Five standard deviations, chance in the calibration's pilot included.
        allowed = 5 * np.sqrt(rate * (1 / SETTINGS.rows + 1 / (1 << 17)))
        assert abs(actions[name].mean() - rate) < allowed, name
        counted = sum(summary["positives"][split][name] for split in ("train", "test"))
        assert counted == actions[name].sum()


def test_watching_is_consistent_with_acting(actions, feeds):
    assert (actions["play"] >= 0).all()
    assert (actions["stay"] >= actions["play"]).all()
    acted = actions.select(pl.sum_horizontal(BEHAVIOURS) > 0).to_series()
    assert (actions.filter(acted)["play"] > 0).all()
    assert (actions["play"] == 0).any()
    seconds = actions.join(feeds, on="feedid")["videoplayseconds"]
    share = actions["play"] / (1000 * seconds)
    assert share.max() <= 1.6
    assert share.filter(acted).mean() > share.filter(~acted).mean()


def test_the_truth_is_calibrated_and_its_auc_is_stated(raw, actions, truth):
    folder, summary = raw
    assert json.loads((folder / "simulation.json").read_text()) == summary
    assert truth.columns == list(BEHAVIOURS)
    assert truth.height == actions.height
    assert summary["bayes_auc"]["validation"] == summary["bayes_auc"]["train"]
    last = (actions["date_"] == DAYS).to_numpy()
    for name in PAPER_TASKS:
        probability, label = truth[name].to_numpy(), actions[name].to_numpy()
        top = probability > np.quantile(probability, 0.9)
        for rows in (top, ~top):
            spread = np.sqrt((probability * (1 - probability))[rows].sum())
            assert abs(label[rows].sum() - probability[rows].sum()) < 4 * spread
        for split, rows in (("train", ~last), ("test", last)):
            stated = summary["bayes_auc"][split][name]
            # The file has nine decimals, the histogram behind the stated one has bins.
            expected = roc_auc_score(label[rows], probability[rows])
            assert stated == pytest.approx(expected, abs=1e-4)
        assert 0.85 < summary["bayes_auc"]["train"][name] < 0.94
    for name in ("forward", "favorite"):
        assert 0.8 < summary["bayes_auc"]["train"][name] < 0.95


def test_what_a_feed_says_is_of_its_topic(feeds):
    def agreeing(name, value):
        listed = feeds.drop_nulls(name).select("authorid", pl.col(name).str.split(";"))
        listed = listed.explode(name).with_columns(id=pl.col(name).str.extract(r"^(\d+)"))
        same = listed["id"].cast(pl.Int64) % TOPICS == listed["authorid"] % TOPICS
        return same.mean() if value is None else listed.filter(same == value)[name]

    song = feeds.drop_nulls("bgm_song_id")
    assert (song["bgm_song_id"] % TOPICS == song["authorid"] % TOPICS).all()
    assert (song["bgm_singer_id"] % TOPICS == song["authorid"] % TOPICS).all()
    for name in ("manual_keyword_list", "manual_tag_list"):
        assert agreeing(name, None) > 0.85
    for name in ("machine_keyword_list", "machine_tag_list"):
        assert 0.5 < agreeing(name, None) < 0.85
    scores = [
        agreeing("machine_tag_list", same).str.extract(r" (\S+)$").cast(pl.Float64).mean()
        for same in (True, False)
    ]
    assert scores[0] > scores[1] + 0.3


def test_behaviours_are_correlated(truth):
    for one, other in itertools.combinations(PAPER_TASKS, 2):
        # How often an exposure with the one has the other, against how often any has.
        together = (truth[one] * truth[other]).mean()
        assert together > 1.5 * truth[one].mean() * truth[other].mean()
    logits = np.log(truth.to_numpy() / (1 - truth.to_numpy()))
    correlation = np.corrcoef(logits.T)[np.triu_indices(len(BEHAVIOURS), 1)]
    assert (correlation > 0.2).all()
    assert (correlation < 0.95).all()


def test_the_structure_can_be_learnt_from_the_files(actions, feeds):
    table = actions.join(feeds, on="feedid")
    inputs = OneHotEncoder(handle_unknown="ignore", min_frequency=10).fit_transform(
        table.select("userid", "device", "feedid", "authorid", "videoplayseconds").to_numpy()
    )
    label = table["read_comment"].to_numpy()
    train = (table["date_"] <= DAYS - 4).to_numpy()
    model = LogisticRegression(C=0.3, max_iter=200).fit(inputs[train], label[train])
    # Less than the best possible one: a linear model does not see the tastes.
    assert 0.68 < roc_auc_score(label[~train], model.decision_function(inputs[~train])) < 0.86


def test_a_seed_gives_the_same_files_and_another_one_others(tmp_path):
    simulate(tmp_path / "one", SMALL)
    (tmp_path / "two.partial").mkdir()
    (tmp_path / "two.partial" / "rest").write_text("left behind")
    simulate(tmp_path / "two", SMALL)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    simulate(tmp_path / "other", Settings(**{**vars(SMALL), "seed": 1}))
    for name, digest in digests(tmp_path / "other").items():
        assert digest != digests(tmp_path / "one")[name]


def test_refused(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(DatasetError, match="there exists already"):
        simulate(tmp_path / "there", SMALL)
    for name in ("rows", "users", "feeds"):
        settings = Settings(**{**vars(SMALL), name: 3})
        with pytest.raises(UserError, match=f"--{name}=3 must be an integer of at least"):
            simulate(tmp_path / "new", settings)
    assert not list(tmp_path.glob("new*"))


def test_the_files_can_be_prepared(raw, tmp_path):
    folder, simulated = raw
    schema = preparation.prepare(
        folder, tmp_path / "out", preparation.Settings(validation_fraction=0.0)
    )
    assert schema.simulated
    assert schema.source["simulation"]["bayes_auc"] == simulated["bayes_auc"]
    assert {name: split.rows for name, split in schema.splits.items()} == simulated["rows"]
    for name, split in schema.splits.items():
        assert split.positives == {task: simulated["positives"][name][task] for task in PAPER_TASKS}
    assert schema.entities["feed"].rows == SETTINGS.feeds
    assert all(not counts for counts in schema.filters["bad_rows"].values())


def test_program(tmp_path):
    command = [sys.executable, "-m", "data_prep.wechat.simulate", f"--out_dir={tmp_path / 'out'}"]
    command += ["--rows=700", "--users=50", "--feeds=60", "--seed=2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "last day: 50 rows" in done.stdout
    content = json.loads((tmp_path / "out" / "simulation.json").read_text())
    assert content["settings"] == {"rows": 700, "users": 50, "feeds": 60, "seed": 2}
