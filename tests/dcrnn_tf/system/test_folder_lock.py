import os
import pathlib
import signal
import subprocess
import sys

import pytest

from dcrnn_tf.system.folder_lock import FolderInUseError, FolderLock

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock."""
    script = (
        "import sys, time\n"
        "from dcrnn_tf.system.folder_lock import FolderLock\n"
        "lock = FolderLock(sys.argv[1], 'folder')\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "lock"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_until_the_first_is_gone(holder, tmp_path):
    with pytest.raises(FolderInUseError, match=rf"runs/a is in use .*\(pid {holder.pid} on "):
        FolderLock(tmp_path / "lock", "runs/a")
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").exists()  # left behind, and locks nothing
    lock = FolderLock(tmp_path / "lock", "runs/a")
    assert (tmp_path / "lock").read_text().startswith(f"pid {os.getpid()} on ")
    lock.release()
    lock.release()
    assert not (tmp_path / "lock").exists()


def test_who_waited_for_a_file_that_was_removed_does_not_lock_that(tmp_path):
    first = FolderLock(tmp_path / "lock", "a")
    (tmp_path / "lock").unlink()  # as a release between another's open and lock would
    second = FolderLock(tmp_path / "lock", "a")
    first.release()
    with pytest.raises(FolderInUseError):
        FolderLock(tmp_path / "lock", "a")
    second.release()
