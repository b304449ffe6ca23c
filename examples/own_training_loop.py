"""Train a method in your own loop: clips, views, loss and hooks, without Lightning or a run directory.

python examples/own_training_loop.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

import kineme
from kineme.clips.batches import resident
from kineme.metrics.neighbours import nearest_label

EPOCHS, BATCH = 25, 32


def main() -> None:
    """Trains USDRL on generated motion and measures its features before and after."""
    torch.manual_seed(0)
    with TemporaryDirectory() as folder:
        store = kineme.generate_store(Path(folder, "store"), subjects=8, repetitions=1, cameras=[2])
        train, test = (kineme.split_rows(store, "odd-even", part) for part in ("train", "test"))
        shape = kineme.ClipShape(store.layout, frames=32, bodies=store.bodies)
        encoder = kineme.STTR(shape, hidden=64)
        method = kineme.USDRL(encoder, min_crop=0.5, shear=0.5)
        print(f"before training: kNN {knn(encoder, store, train, test):.1f} %")

        clips = resident(store, train)
        optimizer = torch.optim.Adam(method.parameters(), lr=2e-3)
        generator = torch.Generator().manual_seed(0)
        steps = EPOCHS * (len(clips) // BATCH)
        method.train()
        for step in range(steps):
            progress = step / steps
            rows = torch.randperm(len(clips), generator=generator)[:BATCH]
            method.before_step(progress)  # a key encoder moves
            outputs = method.loss(method.views(clips[rows], generator), progress)
            optimizer.zero_grad()
            outputs["loss"].backward()
            optimizer.step()
            kept = {name: value.detach() for name, value in outputs.items() if value.ndim}
            method.after_step(kept, progress)  # a queue is filled
        print(f"loss after {steps} steps: {outputs['loss'].item():.2f}")
        print(f"after training: kNN {knn(encoder, store, train, test):.1f} %")


@torch.inference_mode()
def knn(encoder: kineme.Encoder, store: kineme.ClipStore, train: np.ndarray, test: np.ndarray) -> float:
    """Accuracy, in per cent, of the nearest training clip's class."""
    encoder.eval()
    features = [
        encoder(encoder.shape.take(resident(store, rows).resize(encoder.shape.frames))).clip.numpy()
        for rows in (train, test)
    ]
    predicted = nearest_label(features[0], store.labels[train], features[1])
    return float(100 * (predicted == store.labels[test]).mean())


if __name__ == "__main__":
    main()
