"""The checkpoint that a run starts from."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf.dataset.schema import Field, Task
from dcrnn_tf.system.errors import UserError


class WarmStartError(UserError):
    """Nothing can be carried from a run to a model."""


@dataclasses.dataclass(frozen=True)
class Earlier:
    """The checkpoint that a run starts from, and the dataset of its ids.

    Attributes:
      checkpoint: Folder of the checkpoint.
      fields: Fields of the dataset, in the order of the model's.
      ids: Ids by field, of those that have a vocabulary.
      tasks: Tasks of the dataset.
    """

    checkpoint: pathlib.Path
    fields: Sequence[Field]
    ids: Mapping[str, np.ndarray]
    tasks: Sequence[Task]

    def of_another_architecture(self, why: str) -> WarmStartError:
        """Returns the error that says why the checkpoint does not fit the model."""
        return WarmStartError(
            f"{self.checkpoint} is of another architecture: {why}; repeat the settings of "
            "that run's model, or start without it"
        )
