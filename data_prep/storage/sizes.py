"""Estimates of the disk, memory and time that preparations take.

The numbers were measured on simulated logs of 20,000 to 333,000 rows: bytes of the raw files, the
largest sum of work files and shards while they were prepared, seconds on two shared cores. Those of
Ali-CCP were compared with its full size: 85.3 million rows of 45 GB (42 GB without the true
probabilities) took 33 GB of work space and 2.05 GB of memory. Those on Beam were measured at
300,000 rows, of the disk alone: time and memory are its workers'.
"""

import dataclasses
import math
import pathlib
from collections.abc import Iterable, Sequence

from data_prep.storage.raw_file import RawFile
from dcrnn_tf.system import room
from dcrnn_tf.system.room import Need

_CELL = 5  # bytes of a cell of a CSV file, about
_PACKED = 4  # raw bytes of a byte of a packed file, about
_PACKED_SUFFIXES = (".gz", ".bz2", ".zst", ".lz4", ".parquet")


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The rates of a preparation.

    Attributes:
      disk: Number of bytes of work files and shards per byte of raw files, at most.
      least_disk: The same, at least.
      bytes_per_second: Number of bytes of raw files that are prepared in a second; infinite where
        nothing is known.
      memory: Number of bytes of memory per byte of raw files, beside `least_memory`.
      least_memory: Number of bytes of memory that the smallest takes; 0 where nothing is known.
    """

    disk: float
    least_disk: float
    bytes_per_second: float = math.inf
    memory: float = 0
    least_memory: float = 0

    def require(
        self,
        files: Iterable[RawFile],
        out_dir: pathlib.Path,
        share: float = 1.0,
        more: float = 0.0,
    ) -> None:
        """States what a preparation takes, and refuses it where the disk has too little room.

        Args:
          files: Raw files.
          out_dir: Folder of the prepared dataset; the work folder lies beside it.
          share: Share of the raw files' columns that is kept.
          more: Number of bytes of the disk per byte of raw files that are taken beside.

        Raises:
          UserError: The disk has too little room.
        """
        size = sum(map(raw_bytes, files))
        need = self.need(size)
        disk = share * need.disk + more * size
        need = dataclasses.replace(need, disk=disk, spare=share * need.spare)
        work = out_dir.with_name(out_dir.name + ".work")
        room.require(f"Preparing {room.in_bytes(size)}", out_dir, need, [work])

    def need(self, size: float) -> Need:
        """What the preparation takes of raw files with `size` bytes in all."""
        memory = self.least_memory + self.memory * size
        spare = self.disk - self.least_disk
        return Need(self.disk * size, memory, size / self.bytes_per_second, spare * size)


# Measured disk: Ali-CCP 0.79 (full size) to 0.96, WeChat 0.51 to 1.14; of own logs Criteo 0.65 to
# 0.79, logs of the radio 0.89 to 0.91.
ALI_CCP = Preparation(
    disk=0.95, least_disk=0.78, bytes_per_second=80e6, memory=0.02, least_memory=1.2e9
)
WECHAT = Preparation(disk=1.2, least_disk=0.5, bytes_per_second=7e6, least_memory=1.2e9)
OWN_LOG = Preparation(disk=0.95, least_disk=0.65, bytes_per_second=4e6, least_memory=1.2e9)
# On Beam, whose chunks keep the raw columns: measured 1.06, and 1.44 of a log of the radio.
ALI_CCP_ON_BEAM = Preparation(disk=1.1, least_disk=1.05)
OWN_LOG_ON_BEAM = Preparation(disk=1.5, least_disk=1.05)


def histories(longest: Sequence[int], columns: int) -> float:
    """Returns the bytes of work files and lists per byte of a log's raw files, about.

    A history has an event and a slice of 14 bytes a row, and lists that are half as long as they
    may be; where users have few rows they are shorter.

    Args:
      longest: Longest list of each history.
      columns: Number of the log's columns.
    """
    row = _CELL * columns
    return (8 + sum(14 + 4 * values / 2 for values in longest)) / row if longest else 0.0


def raw_bytes(path: RawFile) -> int:
    """The bytes of a raw file, about as many as it has when it is unpacked."""
    size = path.stat().st_size
    return size * _PACKED if path.suffix in _PACKED_SUFFIXES else size
