"""What the programs that run on Beam share."""

import dataclasses
import importlib.util

from absl import logging

from dcrnn_tf.system.command_line import UsageError
from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class BeamSettings:
    """How Beam runs a pipeline."""

    beam_options: str = setting(
        "",
        "Options of Beam, as a shell takes them: --runner, --direct_num_workers and so on.",
    )


def start() -> None:
    """Sees to it that Beam is there, and that it and TFDS speak of what is wrong alone.

    Raises:
      UsageError: it is not installed.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise UsageError(
            "Apache Beam is not installed; install it with pip install '.[beam]', or use the "
            "program of the same name in data_prep, which needs none"
        )
    logging.set_verbosity(logging.ERROR)
