import pytest

from dcrnn_tf.system import memory, room
from dcrnn_tf.system.errors import UserError
from tests.free_room import set_free

GB = 10**9


def test_what_a_job_takes_is_stated(tmp_path, monkeypatch, capsys):
    asked = set_free(monkeypatch, 50 * GB)
    room.require("This job", tmp_path / "a" / "b", room.Need(3 * GB, 2.1 * GB, 9 * 60))
    assert capsys.readouterr().out == (
        f"This job takes about 3.0 GB of disk (50.0 GB are free in {tmp_path}), 2.1 GB of memory, "
        "9 minutes on two processor cores.\n"
    )
    assert asked == [tmp_path]


def test_a_job_without_room_is_refused(tmp_path, monkeypatch):
    set_free(monkeypatch, 2 * GB)
    with pytest.raises(UserError, match=r"takes about 3\.0 GB of disk, and 2\.0 GB are free in /"):
        room.require("This job", tmp_path / "out", room.Need(3 * GB))


def test_a_job_that_may_fit_goes_on_with_a_warning(tmp_path, monkeypatch, capsys):
    need = room.Need(4 * GB, spare=GB)
    set_free(monkeypatch, 3 * GB)
    room.require("This job", tmp_path, need)
    stated, warning = capsys.readouterr().out.splitlines()
    assert stated.startswith("This job takes about 3.0 GB to 4.0 GB of disk (3.0 GB are free in")
    assert warning.startswith("Warning: the room may not suffice")
    set_free(monkeypatch, 3 * GB - 1)
    with pytest.raises(UserError, match=r"takes about 3\.0 GB to 4\.0 GB of disk"):
        room.require("This job", tmp_path, need)
    set_free(monkeypatch, 4 * GB)
    room.require("This job", tmp_path, need)
    assert "Warning" not in capsys.readouterr().out


def test_a_job_that_takes_more_memory_than_there_is_goes_on_with_a_warning(
    tmp_path, monkeypatch, capsys
):
    set_free(monkeypatch, 50 * GB)
    monkeypatch.setattr(memory, "available", lambda: 2 * GB)
    room.require("This job", tmp_path, room.Need(3 * GB, memory=2 * GB))
    assert "Warning" not in capsys.readouterr().out
    room.require("This job", tmp_path, room.Need(3 * GB, memory=2 * GB + 1))
    _, warning = capsys.readouterr().out.splitlines()
    assert warning.startswith("Warning: this machine, or container, has 2.0 GB of memory, with ")


def test_what_an_earlier_attempt_holds_counts_as_room(tmp_path, monkeypatch):
    work, partial = tmp_path / "out.work", tmp_path / "out.partial"
    for folder in (work, partial):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_bytes(bytes(30 * 10**6))
    set_free(monkeypatch, 100 * 10**6)
    room.require("This job", tmp_path / "out", room.Need(155 * 10**6), [work])
    with pytest.raises(UserError, match=r"takes about 105\.0 MB .* 100\.0 MB are free"):
        room.require("This job", tmp_path / "out", room.Need(165 * 10**6), [work])


def test_of_a_small_job_nothing_is_said(tmp_path, monkeypatch, capsys):
    set_free(monkeypatch, 0)
    room.require("This job", tmp_path / "out", room.Need(room.SMALL - 1))
    assert capsys.readouterr().out == ""


def test_two_jobs_one_after_the_other():
    assert room.Need(1, 5, 2, 1) + room.Need(10, 3, 4, 2) == room.Need(11, 5, 6, 3)
