"""The work folder of a preparation, in which finished stages outlast a kill."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping

from data_prep.storage.raw_file import RawFile
from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.system.folder_lock import FolderLock
from dcrnn_tf.system.whole_file import naming_file, whole_file

_TASK_FILE = "task.json"


class WorkFolder:
    """Holds the intermediate files of a preparation and the results of its finished stages.

    A folder that an interrupted preparation left is taken up if it was made for the same task,
    and removed otherwise; either is said.

    Args:
      path: Path of the folder, which is made if needed.
      task: What is prepared and how, as JSON: settings, and the identity of the input files.
      work: What is done in it, for messages.

    Raises:
      FolderInUseError: another process works in it.
    """

    def __init__(self, path: pathlib.Path, task: Mapping, work: str = "a preparation"):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(path.with_name(path.name + ".lock"), path)
        same_task = False
        if path.exists():
            same_task = self._made_for(task)
            if same_task:
                print(f"Going on with {path}, left behind by {work} that was interrupted.")
            else:
                print(f"Removing {path}, left behind by {work} of something else.")
                shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
        if not same_task:
            self.save(_TASK_FILE, task)

    def load(self, name: str) -> dict | None:
        """What a stage has saved; None if it has not been finished.

        Raises:
          DatasetError: The file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return None
        return json_form.read(path, json_form.OBJECT, f"remove {self.path} to begin again")

    def _made_for(self, task: Mapping) -> bool:
        try:
            return self.load(_TASK_FILE) == json.loads(json.dumps(task))
        except DatasetError:
            return False  # damaged, so that nobody knows

    def save(self, name: str, content: Mapping) -> None:
        """Notes that a stage is finished, its files being on disk; whole or not at all."""
        with whole_file(self.path / name) as file:
            json.dump(content, file)

    def remove(self) -> None:
        """Removes the folder; what a kill leaves of it is not taken up."""
        (self.path / _TASK_FILE).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Leaves the folder to others, or to a later attempt in this process, as it is."""
        self._lock.release()


@contextlib.contextmanager
def scratch_folder(path: pathlib.Path) -> Iterator[None]:
    """Makes a folder for intermediate files that are of no use once the context ends.

    What a kill leaves of it is removed by the next call.

    Args:
      path: Path of the folder.

    Raises:
      FolderInUseError: Another process works in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(path.with_name(path.name + ".lock"), path)
    try:
        if path.exists():
            print(f"Removing {path}, left behind by a preparation that did not finish.")
            shutil.rmtree(path)
        path.mkdir()
        with naming_file(path):
            yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
        lock.release()


def identity(path: RawFile) -> list:
    """Name, size and time of change of an input file."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]
