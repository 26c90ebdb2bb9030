"""Estimates of the disk, memory and time that simulators take.

Bytes of a row were measured at 20,000 to 333,000 rows, rows of a second on two shared cores.
"""

from dcrnn_tf.system.room import Need

_MEMORY = 0.5e9


def ali_ccp(rows: int, list_scale: float) -> Need:
    """What the simulator of Ali-CCP takes.

    A row had 266 to 287 bytes at small sizes, where users have few distinct ids, and 527 with
    histories of full length at the full size.
    """
    return Need(rows * (265 + 262 * list_scale), _MEMORY, rows / 140_000)


def criteo(rows: int) -> Need:
    """What the simulator of Criteo takes, 258 bytes a row."""
    return Need(rows * 260.0, _MEMORY, rows / 100_000)


def wechat(rows: int, feeds: int) -> Need:
    """What the simulator of the WeChat challenge takes, 126 bytes a row and 230 a feed."""
    return Need(rows * 126.0 + feeds * 235.0, _MEMORY, rows / 60_000 + feeds / 8_000)


def radio(rows: int) -> Need:
    """What the simulator of the radio takes, 117 bytes a row."""
    return Need(rows * 118.0, _MEMORY, rows / 120_000)
