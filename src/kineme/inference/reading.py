"""What a taught classifier reads of a motion: the features of several crops of it, averaged.

The mean over crops was chosen on training people of UTD-MHAD who were held out in turn (docs/teach.md): with
three examples a class it is better than the whole motion alone by one to two points, and better than features
of halves and quarters beside it.
"""

from __future__ import annotations

import numpy as np
import torch

from kineme.clips.batches import Clips
from kineme.model import Model
from kineme.progress import Progress, silent
from kineme.typing import Array

CROPS = ((0.0, 1.0), (0.05, 0.95), (0.1, 0.9), (0.0, 0.85), (0.15, 1.0))  # shares of a motion's frames


def crops_of(clips: Clips) -> Clips:
    """(N) clips → (N·5) crops, those of a clip together; copies no frames.

    >>> clips = Clips(torch.zeros(30, 1, 1, 1), start=torch.tensor([10]), length=torch.tensor([20]))
    >>> crops_of(clips).start.tolist(), crops_of(clips).length.tolist()
    ([10, 11, 12, 10, 13], [20, 18, 16, 17, 17])
    """
    shares = torch.tensor(CROPS, dtype=torch.float64, device=clips.start.device)
    first, after = (clips.length[:, None] * shares.T[:, None]).round().to(torch.int64)
    length = (after - first).clamp_min(1)
    return Clips(clips.frames, (clips.start[:, None] + first).flatten(), length.flatten())


def read(
    model: Model,
    clips: Clips,
    *,
    batch_size: int = 256,
    device: str | None = None,
    progress: Progress = silent,
) -> Array:
    """Features of preprocessed clips for a taught classifier.

    Args:
        model: its encoder.
        clips: (N) in memory.
        batch_size: crops per pass of the encoder.
        device: of the encoder; default a GPU if there is one.
        progress: called with the clips done and in total.

    Returns:
        (N, D) float32.

    Raises:
        KinemeError: a feature is not finite.
    """
    views = len(CROPS)
    features = model.encode(
        crops_of(clips),
        batch_size=batch_size,
        device=device,
        progress=lambda done, total: progress(done // views, total // views),
    )
    mean: Array = features.reshape(-1, views, features.shape[1]).mean(axis=1, dtype=np.float64)
    return mean.astype(np.float32)
