import re

import pytest

from dcrnn_tf.system.errors import UserError
from experiments.table_registry import TABLES
from experiments.tables import datasets, make
from tests.free_room import set_free


@pytest.fixture
def started(monkeypatch):
    """What is simulated, instead of doing it."""
    calls = []

    def call(*arguments):
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "call", call)
    return calls


def test_room_for_simulated_data_is_stated_and_refused(tmp_path, monkeypatch, capsys, started):
    settings = make.Settings(work_dir=str(tmp_path / "data"), rows=1_000_000)
    set_free(monkeypatch, 10**9 // 2)
    with pytest.raises(
        UserError, match=r"takes about \S+ MB to 946\.4 MB of disk, and 500\.0 MB are free"
    ):
        make.make(TABLES["table4"], settings, tmp_path / "table")
    assert not started
    assert not list(tmp_path.iterdir())
    set_free(monkeypatch, 10**9)
    with pytest.raises(KeyboardInterrupt):
        make.make(TABLES["table4"], settings, tmp_path / "table")
    said = capsys.readouterr().out
    assert re.match(
        r"Making the tables' data takes about \S+ MB to 946\.4 MB of disk \(1\.0 GB", said
    )
    assert re.search(r"1\.2 GB of memory, \d+ s on two processor cores\.$", said.strip())


def test_room_for_real_files_is_that_of_their_preparation(tmp_path, monkeypatch, capsys, started):
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("sample_skeleton_train.csv", "common_features_train.csv"):
        with open(raw / name, "wb") as file:
            file.truncate(21 * 10**9)
    settings = make.Settings(raw_dir=str(raw), work_dir=str(tmp_path / "data"))
    set_free(monkeypatch, 30 * 10**9)
    refused = r"takes about 32\.8 GB to 39\.9 GB of disk, and 30\.0 GB are free"
    with pytest.raises(UserError, match=refused):
        make.make(TABLES["table4"], settings, tmp_path / "table")
    # Logs of this size have taken 33 GB.
    for free, warned in ((35, True), (50, False)):
        set_free(monkeypatch, free * 10**9)
        with pytest.raises(KeyboardInterrupt):
            make.make(TABLES["table4"], settings, tmp_path / "table")
        said = capsys.readouterr().out
        assert f"32.8 GB to 39.9 GB of disk ({free}.0 GB are free" in said
        assert ("Warning: the room may not suffice" in said) == warned
