"""A contender: torch-rechub's MMoE with the optimizer and the loss of its own trainer."""

import itertools

import torch
from torch_rechub.basic.features import SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.trainers import MTLTrainer

from benchmarks import contender
from benchmarks.peers import arrays

sizes, batches = arrays.load()
features = [SparseFeature(f"f{i}", vocab_size=n, embed_dim=32) for i, n in enumerate(sizes)]
tower = {"dims": [64, 32]}
model = MMOE(features, ["classification"] * 2, 8, {"dims": [128, 64]}, [tower, tower])
trainer = MTLTrainer(model, ["classification"] * 2, device="cpu", n_epoch=1)
tensors = itertools.cycle(
    [
        (
            {f"f{i}": torch.from_numpy(x[:, i].copy()).long() for i in range(len(sizes))},
            torch.from_numpy(y),
        )
        for x, y in batches
    ]
)


def step() -> None:
    """As in the trainer's loop."""
    x, y = next(tensors)
    predicted = model(x)
    losses = [f(predicted[:, i], y[:, i].float()) for i, f in enumerate(trainer.loss_fns)]
    loss = sum(losses) / len(losses) + trainer.reg_loss_fn(model)
    model.zero_grad()
    loss.backward()
    trainer.optimizer.step()


model.train()
contender.serve(step, arrays.BATCH)
