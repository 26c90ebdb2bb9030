"""The simulated radio: its world, its log, its truth, and what preparation makes of it."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
from scipy.special import logit

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare
from data_prep.radio import simulated_files as simulate_radio
from data_prep.radio import world as radio_world
from data_prep.radio.simulated_files import BLOCK_ROWS, draw_block, simulate
from data_prep.radio.world import STATISTICS, RadioWorld, Settings
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, DatasetError
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.system.errors import UserError

SETTINGS = Settings(rows=70_000, seed=4)  # more than one block


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "radio"
    return folder, simulate(folder, SETTINGS, rows_per_file=30_000)


@pytest.fixture(scope="module")
def log(raw):
    return pl.read_csv(raw[0] / "exposures-*.csv")


@pytest.fixture(scope="module")
def truth(raw):
    return pl.read_csv(raw[0] / "ground_truth-*.csv")


@pytest.fixture(scope="module")
def world():
    return RadioWorld(SETTINGS)


def shown(world, users, albums, rows=20_000, seed=0):
    """Exposures of the given users and albums, broadcast to a number of rows."""
    random = np.random.default_rng(seed)
    users, albums = (np.broadcast_to(ids, rows) for ids in (users, albums))
    return world.exposures(users, albums, world.contexts(rows, random), random)


def utilities(world, rows=60_000):
    random = np.random.default_rng(8)
    exposures = shown(world, world.draw_users(rows, random), world.draw_albums(rows, random), rows)
    return logit(np.stack([exposures.click_probability, exposures.play_probability]))


def test_files_hold_what_they_should(raw, log):
    folder, _ = raw
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}-0000{number}.csv" for name in ("exposures", "ground_truth") for number in "012"),
        "radio.yaml",
        "simulation.json",
    }
    for number, rows in enumerate((30_000, 30_000, 10_000)):
        for name in ("exposures", "ground_truth"):
            assert pl.read_csv(folder / f"{name}-0000{number}.csv").height == rows
    assert log.null_count().sum_horizontal().item() == 0
    ids = [name for name in log.columns if log[name].dtype == pl.Int64]
    assert ids[:4] == ["click", "play", "user_id", "album_id"]
    assert [name for name in log.columns if name not in ids] == list(STATISTICS)
    for name, number in (("user_id", SETTINGS.users), ("album_id", SETTINGS.albums), ("hour", 24)):
        assert log[name].min() == 0
        assert 0.9 * number < log[name].n_unique() <= number
    # Of ids drawn as floor(n u^2) the first quarter has half.
    assert (log["album_id"] < SETTINGS.albums / 4).mean() == pytest.approx(0.5, abs=0.01)
    assert (log["user_id"] < SETTINGS.users / 4).mean() == pytest.approx(0.5, abs=0.01)


def test_rates_and_correlation_are_those_asked_for(raw, log):
    _, summary = raw
    click, play = log["click"], log["play"]
    assert (summary["clicks"], summary["plays"]) == (click.sum(), play.sum())
    assert ((play == 1) & (click == 0)).sum() == 0
    assert summary["click_rate"] == pytest.approx(SETTINGS.click_rate, abs=0.005)
    assert summary["play_rate"] == pytest.approx(SETTINGS.play_rate, abs=0.025)
    assert summary["task_correlation"] == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.5, 0.9, 1.0])
def test_tasks_correlate_as_asked_and_logits_have_the_signals_size(correlation):
    settings = Settings(task_correlation=correlation, chained=False, signal=1.5)
    found = utilities(RadioWorld(settings))
    assert np.corrcoef(found)[0, 1] == pytest.approx(correlation, abs=0.015)
    np.testing.assert_allclose(found.std(axis=1), 1.5, rtol=0.03)


def test_labels_agree_with_their_probabilities_and_the_best_auc_is_stored(raw, log, truth):
    _, summary = raw
    for task in ("click", "play"):
        probability, label = truth[task].to_numpy(), log[task].to_numpy()
        for low, high in ((0.0, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 1.0)):
            inside = (probability >= low) & (probability < high)
            error = 4 * np.sqrt(probability[inside].mean() / inside.sum())
            assert label[inside].mean() == pytest.approx(probability[inside].mean(), abs=error)
        bayes = auc(label, probability)
        assert 0.72 < bayes < 0.84
        assert summary["bayes_auc"]["test"][task] == pytest.approx(bayes, abs=1e-6)
    assert json.loads((raw[0] / "simulation.json").read_text("utf-8")) == summary


def test_unchained_plays_need_no_click():
    settings = Settings(chained=False, task_correlation=0.0, play_rate=0.3)
    block = draw_block(RadioWorld(settings), 0)
    click, play = block.frame["click"], block.frame["play"]
    assert play.mean() == pytest.approx(0.3, abs=0.01)
    assert play.filter(click == 0).mean() == pytest.approx(0.3, abs=0.015)
    assert np.corrcoef(block.logits)[0, 1] == pytest.approx(0.0, abs=0.015)
    np.testing.assert_allclose(logit(block.probabilities["play"]), block.logits[1])


@pytest.mark.parametrize("noise", [0.0, 0.5, 3.0])
def test_statistics_are_off_by_as_much_as_asked(noise):
    exact, noisy = (
        draw_block(RadioWorld(Settings(feature_noise=level)), 0) for level in (0.0, noise)
    )
    for column in STATISTICS:
        quantity = exact.frame[column].to_numpy()
        assert quantity.std() == pytest.approx(1.0, abs=0.03)
        error = noisy.frame[column].to_numpy() - quantity
        assert error.std() == pytest.approx(noise, rel=0.02, abs=1e-6)
    # The noise is of what is seen, not of what happens.
    others = pl.all().exclude(*STATISTICS)
    assert exact.frame.select(others).equals(noisy.frame.select(others))
    assert exact.probabilities.equals(noisy.probabilities)


def test_noise_is_drawn_anew_for_each_exposure_and_albums_stay_as_they_are(log):
    one = log.filter(pl.col("album_id") == log["album_id"].mode()[0])
    assert one["album_click_rate"].n_unique() > 0.95 * one.height
    for name in ("category", "author"):
        assert one[name].n_unique() == 1
    by_user = log.group_by("user_id").agg(pl.n_unique("age_group", "city", "device"))
    assert by_user.select(pl.max("age_group", "city", "device")).row(0) == (1, 1, 1)


def test_same_seed_same_rows_whatever_the_files_and_the_number_of_rows(tmp_path, log):
    for name, changes, rows_per_file in (
        ("shorter", {"rows": 60_000}, 7_000),
        ("other seed", {"rows": 60_000, "seed": 5}, 60_000),
    ):
        simulate(tmp_path / name, dataclasses.replace(SETTINGS, **changes), rows_per_file)
    same = pl.read_csv(tmp_path / "shorter" / "exposures-*.csv")
    assert same.equals(log.head(60_000))
    other = pl.read_csv(tmp_path / "other seed" / "exposures-*.csv")
    assert (other["album_id"] != same["album_id"]).mean() > 0.9


def test_a_block_needs_no_other_block(world, log):
    block = draw_block(world, 1).frame.head(SETTINGS.rows - BLOCK_ROWS)
    assert block.cast(log.schema).equals(log.tail(SETTINGS.rows - BLOCK_ROWS))


def test_users_outside_the_log_are_users_like_others(world):
    random = np.random.default_rng(1)
    albums = world.draw_albums(30_000, random)
    inside = shown(world, np.arange(30_000) % SETTINGS.users, albums, 30_000)
    fresh_ids = SETTINGS.users + 10_000_000 + np.arange(30_000)
    fresh = shown(world, fresh_ids, albums, 30_000)
    for probability in ("click_probability", "play_probability"):
        known, new = getattr(inside, probability), getattr(fresh, probability)
        assert new.mean() == pytest.approx(known.mean(), rel=0.05)
        assert new.std() == pytest.approx(known.std(), rel=0.1)
    again = shown(world, fresh_ids[::-1], albums, 30_000)
    for name in ("age_group", "city", "device"):
        assert again.frame[name].reverse().equals(fresh.frame[name])


def test_hashed_numbers_are_uniform_and_streams_independent():
    ids = np.arange(200_000)
    numbers = np.stack(
        [
            radio_world._uniform(ids, seed, stream)
            for seed, stream in ((0, 0), (0, 1), (1, 0), (1, 2), (2, 1))
        ]
    )
    assert 0 < numbers.min() < 1e-4
    assert 1 - 1e-4 < numbers.max() < 1
    np.testing.assert_allclose(numbers.mean(axis=1), 0.5, atol=0.003)
    np.testing.assert_allclose(numbers.std(axis=1), np.sqrt(1 / 12), atol=0.002)
    off_diagonal = np.corrcoef(numbers) - np.eye(len(numbers))
    assert np.abs(off_diagonal).max() < 0.01


def test_affinity_is_a_product_of_user_and_album(monkeypatch):
    only = {"affinity": (1.0, 0.0), "user": (0.0, 1.0)}
    monkeypatch.setattr(radio_world, "EFFECTS", only)
    world = RadioWorld(Settings())
    users, albums = np.divmod(np.arange(40 * 30), 30)
    exposures = shown(world, users, albums, len(users))
    table = logit(exposures.click_probability).reshape(40, 30)
    sizes = np.linalg.svd(table - table.mean(), compute_uv=False)
    # A product of vectors and a shift; none of it is a sum over users and albums.
    assert sizes[radio_world.DIMENSIONS + 1] < 1e-9 < 1 < sizes[radio_world.DIMENSIONS - 1]


def test_what_happens_more_often_up_front_and_at_the_categorys_hour(world):
    random = np.random.default_rng(3)
    users, albums = world.draw_users(100_000, random), world.draw_albums(100_000, random)
    contexts = world.contexts(100_000, random)

    def clicks(**changes):
        changed = dataclasses.replace(contexts, **changes)
        return world.exposures(users, albums, changed, random).click_probability.mean()

    first, last = (clicks(position=np.full(100_000, place)) for place in (0, 9))
    assert first > 1.2 * last
    one = np.flatnonzero(world._category[albums] == 0)
    by_hour = [
        world.exposures(
            users[one],
            albums[one],
            dataclasses.replace(contexts.take(one), hour=np.full(len(one), hour)),
            random,
        ).click_probability.mean()
        for hour in range(24)
    ]
    distance = (np.argmax(by_hour) - world._peak[radio_world.CLICK, 0]) % 24
    assert min(distance, 24 - distance) <= 0.5


def test_prepared_dataset_says_that_it_is_simulated(tmp_path):
    summary = simulate(tmp_path / "raw", dataclasses.replace(SETTINGS, rows=3_000))
    declaration = load_declaration(tmp_path / "raw" / "radio.yaml")
    schema = prepare(declaration, tmp_path / "raw", tmp_path / "out", simulation=summary)
    assert schema.simulated
    assert [task.name for task in schema.tasks] == ["click", "play"]
    kinds = {field.name: field.kind for field in schema.fields}
    assert [name for name, kind in kinds.items() if kind == NUMERIC] == list(STATISTICS)
    assert list(kinds.values()).count(CATEGORICAL) == 12
    encodings = {field.name: field.encoding for field in schema.fields}
    scalings = [encodings[name].method for name in STATISTICS]
    assert set(scalings) == {"standard"}
    rows = {name: split.rows for name, split in schema.splits.items()}
    assert rows["test"] == pytest.approx(900, abs=100)
    assert rows["validation"] == pytest.approx(210, abs=60)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"rows": 0}, "--rows=0 must be an integer of at least 1"),
        ({"users": 0}, "--users=0 must be an integer of at least 1"),
        ({"albums": 1}, "--albums=1 must be an integer of at least 2"),
        ({"click_rate": 1.0}, "--click_rate=1.0 must be a finite number from 0.001 to 0.999"),
        ({"play_rate": 0.0}, "--play_rate=0.0 must be a finite number from 0.001 to 0.999"),
        ({"task_correlation": 1.1}, "--task_correlation=1.1 must be a finite number from -1 to 1"),
        ({"feature_noise": -1.0}, "--feature_noise=-1.0 must be a finite number from 0 to 100"),
        ({"signal": 0.0}, "--signal=0.0 must be a finite number above 0 and at most 3"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, setting, sentence):
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "raw", dataclasses.replace(SETTINGS, **setting))
    assert not list(tmp_path.iterdir())


def test_files_without_rows_are_refused_and_existing_folders_kept(raw, tmp_path):
    with pytest.raises(UserError, match="--rows_per_file=0 must be an integer of at least 1"):
        simulate_radio.simulate(tmp_path / "raw", SETTINGS, rows_per_file=0)
    with pytest.raises(DatasetError, match="exists already"):
        simulate(raw[0], SETTINGS)
