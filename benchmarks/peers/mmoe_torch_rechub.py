"""torch-rechub's MMoE, of the sizes of this project's, in its own trainer."""

from torch_rechub.basic.features import SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.trainers import MTLTrainer


def trainer(sizes: list[int]) -> MTLTrainer:
    """The model's trainer.

    Args:
      sizes: Sizes of the fields' vocabularies.
    """
    features = [SparseFeature(f"f{i}", vocab_size=n, embed_dim=32) for i, n in enumerate(sizes)]
    tower = {"dims": [64, 32]}
    tasks = ["classification"] * 2
    model = MMOE(features, tasks, 8, {"dims": [128, 64]}, [tower, tower])
    return MTLTrainer(model, tasks, device="cpu", n_epoch=1)
