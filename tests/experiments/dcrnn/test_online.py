"""The online experiment on a small simulated radio, with policies made up and trained."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.radio.simulated_files import DECLARATION_FILE, simulate
from data_prep.radio.world import RadioWorld, Settings
from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from dcrnn_tf.training.checkpoints import Checkpoints, numbered
from experiments.dcrnn.online import experiment
from experiments.dcrnn.online import policies as online_policies
from experiments.dcrnn.online.experiment import Design, run_experiment
from experiments.dcrnn.online.policies import logging_policy, oracle, popularity
from experiments.runs import run_folder
from tests.conftest import write_dataset
from tests.experiments.run_folders import write_run

DESIGN = Design(users=400, visits=2, candidates=6, shown=2, seed=3)
SUMS = [field.name for field in dataclasses.fields(experiment.Outcomes)]


def radio(folder, seed=0, **settings):
    """A simulated log, prepared."""
    settings = Settings(rows=1500, users=200, albums=40, seed=seed, **settings)
    simulation = simulate(folder / "raw", settings)
    declaration = load_declaration(folder / "raw" / DECLARATION_FILE)
    prepare(declaration, folder / "raw", folder / "prepared", simulation=simulation)
    return folder / "prepared"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return radio(tmp_path_factory.mktemp("radio"))


@pytest.fixture(scope="module")
def encoder(prepared):
    return RowEncoder(prepared)


@pytest.fixture(scope="module")
def world(prepared):
    return online_policies.world_of(load_schema(prepared))


class Recorded:
    """A policy that keeps what it is asked."""

    def __init__(self, policy):
        self.policy, self.blocks = policy, []

    def __call__(self, candidates):
        self.blocks.append(candidates)
        return self.policy(candidates)

    def column(self, name):
        return np.concatenate([np.atleast_2d(getattr(b, name)) for b in self.blocks], axis=1)

    def feature(self, name):
        return np.concatenate([block.features[name] for block in self.blocks])


def same(one, other):
    return all((getattr(one, name) == getattr(other, name)).all() for name in SUMS)


def test_outcomes_are_those_of_the_chosen_albums(world, encoder, monkeypatch):
    monkeypatch.setattr(experiment, "BLOCK_ROWS", 1500)  # four blocks
    policy = Recorded(oracle)
    found = run_experiment(world, encoder, {"policy": policy}, DESIGN)["policy"]
    assert len(policy.blocks) == 4
    click, play = (policy.column(f"{n}_probability")[0] for n in ("click", "play"))
    chances = policy.column("chances")
    clicks, plays, expected = np.zeros(400), np.zeros(400), np.zeros(400)
    for visit in range(800):
        rows = range(6 * visit, 6 * visit + 6)
        best = sorted(rows, key=lambda row: -click[row] * click[row] * play[row])[:2]
        for row in best:
            clicked = chances[0, row] < click[row]
            clicks[visit // 2] += clicked
            plays[visit // 2] += clicked and chances[1, row] < play[row]
            expected[visit // 2] += click[row] * play[row]
    assert (found.exposures == 4).all()
    assert (found.clicks == clicks).all()
    assert (found.plays == plays).all()
    assert found.expected_plays == pytest.approx(expected)
    assert 0 < plays.sum() < clicks.sum()


def test_users_are_fresh_and_albums_of_a_visit_differ(world, encoder):
    policy = Recorded(oracle)
    run_experiment(world, encoder, {"policy": policy}, DESIGN)
    assert set(policy.feature("user_id")) == {1}  # unknown
    assert set(policy.feature("hour")) - {1}
    hours = policy.feature("hour").reshape(-1, 6)
    assert (hours == hours[:, :1]).all()  # a visit has one context
    assert len(set(hours[:, 0])) > 5
    ages = policy.feature("age_group").reshape(-1, 12)
    assert (ages == ages[:, :1]).all()  # a user has one age
    albums = experiment._different_albums(world, 300, 25, np.random.default_rng(0))
    assert all(len(set(visit)) == 25 for visit in albums.tolist())
    with pytest.raises(DatasetError, match="the world has 40 albums, too few to find 41"):
        run_experiment(world, encoder, {}, dataclasses.replace(DESIGN, candidates=41))


def test_policies_meet_the_same_and_shown_albums_have_one_outcome(world, encoder):
    policies = {"oracle": oracle, "again": oracle, "as logged": logging_policy}
    found = run_experiment(world, encoder, policies, DESIGN)
    assert same(found["oracle"], found["again"])
    assert not same(found["oracle"], found["as logged"])
    alone = run_experiment(world, encoder, {"oracle": oracle}, DESIGN)
    assert same(found["oracle"], alone["oracle"])
    # Whoever shows everything shows the same: differences come of the choice alone.
    everything = run_experiment(world, encoder, policies, dataclasses.replace(DESIGN, shown=6))
    assert same(everything["oracle"], everything["as logged"])
    other = run_experiment(world, encoder, policies, dataclasses.replace(DESIGN, seed=4))
    assert not same(found["oracle"], other["oracle"])


def test_equal_scores_show_the_first_drawn(world, encoder):
    policy = Recorded(logging_policy)
    found = run_experiment(world, encoder, {"policy": policy}, DESIGN)["policy"]
    first = policy.column("click_probability").reshape(400, 2, 6)[:, :, :2]
    assert found.expected_clicks == pytest.approx(first.sum((1, 2)))


def test_the_oracle_beats_the_logging_policy(world, encoder):
    policies = {"oracle": oracle, "as logged": logging_policy}
    found = run_experiment(world, encoder, policies, DESIGN)
    for name in ("clicks", "plays", "expected_clicks", "expected_plays"):
        above, below = (getattr(found[policy], name).sum() for policy in policies)
        assert above > 1.2 * below
    # Means of probabilities and of what they led to agree but for luck.
    rows = found["oracle"].exposures.sum()
    apart = found["oracle"].clicks.sum() - found["oracle"].expected_clicks.sum()
    assert abs(apart) < 4 * np.sqrt(rows * 0.25)


def test_popularity_prefers_albums_that_the_log_has_more_often(prepared, world, encoder):
    policy = Recorded(popularity)
    run_experiment(world, encoder, {"policy": policy}, DESIGN)
    counts = pl.read_parquet(prepared / "vocabularies" / "album_id.parquet")["count"].to_numpy()
    rows = policy.feature("album_id")
    times = np.where(rows < 2, 0, counts[np.maximum(rows - 2, 0)])
    scores = np.concatenate([popularity(block) for block in policy.blocks])
    assert (np.diff(times[np.argsort(scores, kind="stable")]) >= 0).all()
    assert len(set(times)) > 10


def test_scores_that_are_no_numbers_are_refused(world, encoder):
    policies = {"broken": lambda candidates: np.full(len(candidates.click_probability), np.nan)}
    with pytest.raises(DatasetError, match="broken gives scores that are no numbers"):
        run_experiment(world, encoder, policies, DESIGN)


def trained(folder, prepared, seed=1, weights=(8.0, 15.0)):
    """A run folder as training leaves it, with random weights."""
    dataset = PreparedDataset(prepared)
    settings = {"embedding_dim": 4, "num_experts": 2, "expert_units": [8], "tower_units": [4]}
    settings["embedding_range"] = 1.0
    tasks = dataset.schema.task_names
    write_run(
        folder,
        dict.fromkeys(tasks, 0.7),
        settings=settings,
        seed=seed,
        fingerprint=dataset.schema.fingerprint,
        data_dir=str(prepared),
        fields=None,
    )
    record = json.loads((folder / "run.json").read_text())
    record["positive_weights"] = dict(zip(tasks, weights, strict=True))
    run_folder.write_json(folder / "run.json", record)
    model = models.build("mmoe", dataset.schema, **settings)
    Checkpoints(folder / "checkpoints", numbered("model", model.variables)).save(1)
    return folder


@pytest.fixture(scope="module")
def run_dir(prepared, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "one", prepared)


def test_a_model_ranks_by_the_product_of_plain_probabilities(prepared, world, encoder, run_dir):
    run = online_policies.load_arms({"arm": {1: run_dir}})["arm"][1]
    raw = pl.read_csv(prepared.parent / "raw" / "exposures-*.csv")
    features = encoder(raw)
    zeros = np.zeros(raw.height)
    scores = online_policies.model_policy(run)(experiment.Candidates(features, zeros, zeros, zeros))
    expected = []
    for split in ("train", "validation", "test"):
        _, logits = run.predictor.predict(run.dataset, split)
        click, play = (1 / (1 + np.exp(-logits[task].astype(float))) for task in ("click", "play"))
        expected.append(np.log(click * play))
    # The rows lie in another order on disk.
    np.testing.assert_allclose(np.sort(scores), np.sort(np.concatenate(expected)), atol=1e-5)
    assert scores.std() > 0.01
    # The weights of the loss, 8 and 15, are off: those logits are of the plain probabilities.
    outputs = run.model({name: column[:5] for name, column in features.items()})
    odds = run.predictor.score({name: column[:5] for name, column in features.items()}, 2)
    np.testing.assert_allclose(np.exp(outputs["click"] - odds["click"]), 8.0, rtol=1e-4)
    np.testing.assert_allclose(np.exp(outputs["play"] - odds["play"]), 15.0, rtol=1e-4)


def test_arms_with_the_same_model_do_the_same(run_dir):
    arms = online_policies.load_arms({"one": {1: run_dir}, "two": {1: run_dir}})
    outcomes, references = online_policies.compare(arms, DESIGN)
    assert same(outcomes["one"][1], outcomes["two"][1])
    assert list(references) == ["as logged", "popularity", "oracle"]
    assert references["oracle"].expected_plays.sum() > outcomes["one"][1].expected_plays.sum()
    assert not same(outcomes["one"][1], references["as logged"])


def test_arms_that_cannot_meet_get_one_sentence(prepared, run_dir, tmp_path):
    load = online_policies.load_arms
    with pytest.raises(DatasetError, match=r"no_run holds no finished run; train it first"):
        load({"one": {1: run_dir}, "two": {1: tmp_path / "no_run"}})
    with pytest.raises(DatasetError, match="two has runs of seeds 2, one of 1"):
        load({"one": {1: run_dir}, "two": {2: run_dir}})
    other = trained(tmp_path / "other_run", radio(tmp_path, seed=1))
    with pytest.raises(DatasetError, match="were trained on different data"):
        load({"one": {1: run_dir}, "two": {1: other}})
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"data_dir": str(prepared)}))
    with pytest.raises(DatasetError, match=r"is not the dataset that .*other_run was trained on"):
        load({"one": {1: other}})


def test_datasets_of_no_simulated_radio_get_one_sentence(prepared, tmp_path):
    tiny = load_schema(write_dataset(tmp_path / "tiny", rows={"train": 20}))
    with pytest.raises(DatasetError, match="tiny is not of the simulated radio"):
        online_policies.world_of(tiny)
    schema = load_schema(prepared)
    assert isinstance(online_policies.world_of(schema), RadioWorld)
    settings = schema.source["simulation"]["settings"] | {"chained": False}
    source = {"simulation": {"settings": settings}}
    with pytest.raises(DatasetError, match="with --nochained"):
        online_policies.world_of(dataclasses.replace(schema, source=source))
