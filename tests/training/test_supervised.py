"""Training with labels: every clip once an epoch, and encoder and linear layer learn together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kineme.clips.store import ClipStore
from kineme.config import TrainConfig
from kineme.encoders import STTR, ClipShape
from kineme.errors import KinemeError
from kineme.training.heads import LinearHead
from kineme.training.run import fit
from kineme.training.supervised import EvenBatches, Supervised


def dealt(clips: int, size: int, *, epoch: int = 0, seed: int = 0) -> list[list[int]]:
    batches = EvenBatches(clips, TrainConfig(batch_size=size, seed=seed))
    batches.set_epoch(epoch)
    found = [rows.tolist() for rows in batches]
    assert len(found) == len(batches)
    return found


@pytest.mark.parametrize(
    ("clips", "size", "sizes"),
    [(431, 53, [48] * 8 + [47]), (65, 64, [33, 32]), (24, 8, [8, 8, 8]), (5, 16, [5]), (1, 16, [1])],
)
def test_no_clip_is_left_out_nor_left_over(clips: int, size: int, sizes: list[int]) -> None:
    batches = dealt(clips, size)
    assert [len(rows) for rows in batches] == sizes
    assert sorted(row for rows in batches for row in rows) == list(range(clips))


def test_the_order_follows_from_seed_and_epoch() -> None:
    assert dealt(23, 4, epoch=3) == dealt(23, 4, epoch=3)
    assert dealt(23, 4, epoch=3) != dealt(23, 4, epoch=4)
    assert dealt(23, 4, epoch=3) != dealt(23, 4, epoch=3, seed=1)


def module(moves: Path, **train: object) -> Supervised:
    """An STTR with a linear layer, to be trained on all clips of the store, as they are."""
    store = ClipStore(moves)
    torch.manual_seed(0)
    encoder = STTR(ClipShape(store.layout, 8, 2), hidden=8, depth=1)
    settings = TrainConfig(
        **{"epochs": 1, "batch_size": 24, "device": "cpu", "precision": "float32", **train}
    )
    labels = store.index["label"].astype(np.int64)
    head = LinearHead(encoder.dim, 3)
    rows = np.arange(len(store))
    return Supervised(encoder, head, lambda clips, _: (clips.resize(8), None), settings, store, rows, labels)


def test_a_step_is_one_of_cross_entropy_on_encoder_and_layer(moves: Path) -> None:
    """One batch of all clips: the step of torch's SGD on the mean cross-entropy, written out."""
    trained, expected = module(moves, lr=0.1, weight_decay=0.0), module(moves)
    fit(trained, [])
    store = ClipStore(moves)
    clips = trained.clips.resize(8)
    logits = expected.head(expected.encoder(clips))
    labels = torch.from_numpy(store.index["label"].astype(np.int64))
    loss = (logits.logsumexp(dim=1) - logits[torch.arange(24), labels]).mean()
    loss.backward()
    for (name, parameter), after in zip(expected.named_parameters(), trained.parameters(), strict=True):
        assert parameter.grad is not None, name
        torch.testing.assert_close(
            after, parameter - 0.1 * parameter.grad, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_a_training_that_diverges_says_what_to_do(moves: Path) -> None:
    with pytest.raises(KinemeError, match=r"not finite; training stopped; lower `lr`"):
        fit(module(moves, lr=1e30, epochs=5), [])
