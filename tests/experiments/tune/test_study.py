"""Studies: who works on which trial, also after a process is gone, and what trials may cost."""

import dataclasses
import json
import sqlite3

import numpy as np
import pytest
from optuna.trial import TrialState

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training.metric_address import MetricAddress
from experiments.tune import page, trials
from experiments.tune.objective import Objective
from experiments.tune.runs import Outcome
from experiments.tune.space import Choice, Log
from experiments.tune.study import Budget, Study, on_disk

SPACE = (Log("learning_rate", 1e-4, 1e-2), Choice("set.units", ([8], [16, 8])))
AUC = Objective(MetricAddress.parse("validation/click/auc"))


def study_in(folder, seed=1, **config):
    return Study(folder, {"model": "m", **config}, SPACE, True, seed)


class Gone(BaseException):
    """The end of a process in the middle of its work."""


@dataclasses.dataclass
class Counted:
    """A model whose metric follows from its learning rate; it may end in the middle of a run."""

    dies_in: int | None = None
    runs: list = dataclasses.field(default_factory=list)
    dimensions = SPACE

    def config(self):
        return {}

    def run(self, values, folder, after_validation):
        folder.mkdir(exist_ok=True)
        (folder / "checkpoints").mkdir(exist_ok=True)
        self.runs.append((folder.name, values["learning_rate"], values["set.units"]))
        if self.dies_in is not None and len(self.runs) > self.dies_in:
            raise Gone
        for step in (10, 20):
            after_validation(step, {"click": {"auc": self.auc(values) - 0.1 / step}})
        (folder / "rate").write_text(str(values["learning_rate"]))

    def auc(self, values):
        return 0.6 + values["learning_rate"]

    def outcome(self, folder):
        rate = folder / "rate"
        return Outcome(0.6 + float(rate.read_text()) if rate.exists() else None, 20, 1000)

    def best(self, folder):
        return {"learning_rate": float((folder / "rate").read_text())}


def work(folder, tuned, budget=None, prune=False):
    study = study_in(folder)
    trials.work(study, tuned, AUC, budget or Budget(10), prune)
    return study


def values_of(study):
    return [trial.user_attrs["settings"] for trial in study.trials()]


def test_ended_at_any_trial_it_goes_on_and_counts_nothing_twice(tmp_path, capsys):
    whole = work(tmp_path / "whole", Counted())
    assert len({json.dumps(values) for values in values_of(whole)}) == 10
    for dies_in in (0, 8):  # among random trials, and among those that the sampler chooses
        folder = tmp_path / f"ended_{dies_in}"
        ended = Counted(dies_in)
        with pytest.raises(Gone):
            work(folder, ended)
        again = Counted()
        study = work(folder, again)
        assert again.runs[0] == ended.runs[-1]  # the same trial, with the same values
        assert len(again.runs) == 10 - dies_in
        assert values_of(study) == values_of(whole)
        assert [trial.state.name for trial in study.trials()] == ["COMPLETE"] * 10
        assert study.best().number == whole.best().number
        nothing = Counted()
        work(folder, nothing)
        assert nothing.runs == []
    best = whole.best()
    assert best.values[0] == max(trial.values[0] for trial in whole.trials())
    written = json.loads((tmp_path / "whole" / "best.json").read_text())
    assert written["learning_rate"] == best.params["learning_rate"]
    kept = [path.parent.name for path in (tmp_path / "whole" / "trials").glob("*/checkpoints")]
    assert kept == [f"trial_{best.number:04d}"]
    assert "10 of 10 done, about 0.0 minutes left" in capsys.readouterr().out


@dataclasses.dataclass(frozen=True)
class Deadly(Log):
    """A dimension at which the process ends, the first time."""

    met: list = dataclasses.field(default_factory=list)

    def suggest(self, trial):
        if not self.met:
            self.met.append(trial.number)
            raise Gone
        return super().suggest(trial)


def test_ended_while_values_are_drawn_a_trial_has_the_same(tmp_path):
    drawn = []
    for name, kind in (("whole", Log), ("ended", Deadly)):
        space = (Log("learning_rate", 1e-4, 1e-2), kind("l2", 1e-4, 1e-2))
        study = Study(tmp_path / name, {"model": "m"}, space, True, seed=1)
        if kind is Deadly:
            with pytest.raises(Gone), study.claim(Budget(2)):
                pass
        for _ in range(2):
            with study.claim(Budget(2)) as claimed:
                drawn.append((claimed.trial.number, claimed.values))
                study.tell(claimed, 0.5, 10)
    assert drawn[:2] == drawn[2:]


def test_ended_behind_its_last_trial_the_best_is_written_by_the_next(tmp_path, monkeypatch):
    def gone(*_):
        raise Gone

    with monkeypatch.context() as patch:
        patch.setattr(Counted, "best", gone)
        with pytest.raises(Gone):
            work(tmp_path, Counted(), Budget(1))
    assert not (tmp_path / "best.json").exists()
    work(tmp_path, Counted(), Budget(1))
    assert (tmp_path / "best.json").exists()


@pytest.mark.parametrize("pages", [12, 28])  # in the midst of making tables, and behind it
def test_a_full_disk_names_the_file_of_the_trials(tmp_path, monkeypatch, pages):
    def connect(*arguments, **options):
        connection = sqlite3.Connection(*arguments, **options)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    def fill():
        study = study_in(tmp_path)
        with study.claim(Budget(1)) as claimed:
            study.tell(claimed, 0.5, 10, reason="x" * 9000)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        with pytest.raises(OSError, match="No space left on device") as full, on_disk(tmp_path):
            fill()
    assert full.value.filename == str(tmp_path / "study.db")
    work(tmp_path, Counted(), Budget(1))
    assert (tmp_path / "best.json").exists()


def test_processes_at_once_have_trials_of_their_own(tmp_path):
    first, second = study_in(tmp_path / "shared"), study_in(tmp_path / "shared")
    with first.claim(Budget(2)) as one, second.claim(Budget(2)) as other:
        assert (one.trial.number, other.trial.number) == (0, 1)
        with first.claim(Budget(2)) as none:
            assert none is None
        second.tell(other, 0.7, 10)
    # The first was left behind, and is at hand again.
    with second.claim(Budget(2)) as taken_up:
        assert taken_up.trial.number == 0
        assert taken_up.values == one.values


def test_a_budget_in_rows_ends_with_the_trial_that_reaches_it(tmp_path):
    study = work(tmp_path / "rows", Counted(), Budget(50, row_visits=2500))
    assert len(study.trials()) == 3


def test_trials_below_the_median_of_complete_ones_end_early(tmp_path):
    study = work(tmp_path / "pruned", Counted(), Budget(14), prune=True)
    rates = {trial.number: trial.params["learning_rate"] for trial in study.trials()}
    pruned = [trial.number for trial in study.trials(TrialState.PRUNED)]
    complete = [trial.number for trial in study.trials(TrialState.COMPLETE)]
    assert pruned
    for number in range(14):
        before = [rates[other] for other in complete if other < number]
        worse = len(before) >= 4 and rates[number] < np.median(before)
        assert (number in pruned) == worse
    assert study.trials()[pruned[0]].user_attrs["reason"].startswith("worse than the median")
    written = page.document(study, "m", AUC).html()
    assert "Importance of each setting" in written
    assert f"{14 - len(pruned)} trials are complete, {len(pruned)} ended early" in written


def test_another_tuning_in_the_folder_is_refused(tmp_path):
    study_in(tmp_path / "taken", epochs=3, positive_weights=("none",))
    study_in(tmp_path / "taken", epochs=3, positive_weights=("none",))  # a list in the file
    with pytest.raises(DatasetError, match=r"other settings \(epochs was 3, now 4\)"):
        study_in(tmp_path / "taken", epochs=4, positive_weights=("none",))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match=r"is not empty and holds no tune\.json"):
        study_in(tmp_path)


def test_a_folder_may_have_any_name(tmp_path):
    study = study_in(tmp_path / "a?b#c%41 [d]")
    with study.claim(Budget(1)) as claimed:
        study.tell(claimed, 0.5, 1)
    assert (tmp_path / "a?b#c%41 [d]" / "study.db").exists()
    assert len(study_in(tmp_path / "a?b#c%41 [d]").trials()) == 1


def test_a_metric_that_is_best_at_a_number_is_a_distance():
    calibration = Objective(MetricAddress.parse("validation/click/calibration"))
    assert not calibration.maximized
    assert calibration.value({"click": {"calibration": 0.75}}) == 0.25
    assert calibration.label == "distance of validation/click/calibration from 1"
    logloss = Objective(MetricAddress.parse("validation/click/logloss"))
    assert not logloss.maximized
    assert logloss.value({"click": {"logloss": 0.2}}) == 0.2
