"""The classifier of frames: one layer, or two, on the features of a frame and, if wanted, of its neighbours.

With neighbours the first is a dilated convolution in time. Beyond its ends a recording is held still. The
probabilities of neighbouring frames may be smoothed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.evaluation.options import Rule
from kineme.progress import Progress, silent
from kineme.typing import Array

BLOCK = 4096  # frames that are in memory together
HIDDEN = 128  # units for rule C
NETWORKS = 3  # for rule C


@dataclass(frozen=True)
class Context:
    """Which frames a class is read from.

    Attributes:
        neighbours: on each side.
        spacing: frames from one to the next.
        smoothing: deviation, in frames, of the Gaussian by which probabilities are smoothed; 0: none.
    """

    neighbours: int = 0
    spacing: int = 16
    smoothing: float = 0.0

    @property
    def offsets(self) -> Array:
        """(S,) frames from the one that is classified."""
        return np.arange(-self.neighbours, self.neighbours + 1) * self.spacing


def context_for(window: int, neighbours: int, rule: Rule) -> Context:
    """Neighbours a quarter of a window apart; for rule C smoothed, by a sixteenth of a window.

    The published rules A and B take probabilities as they are.
    """
    spacing = max(window // 4, 1)
    return Context(neighbours, spacing, spacing / 4 if rule == "C" else 0.0)


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is trained: AdamW on standardised features, with a cosine schedule.

    There are few subjects to learn from, and a frame has thousands of numbers. So recordings are also shown
    slower and faster, most numbers are dropped in each step, and there are few epochs; for few recordings
    there are as many as make up the least number of steps.

    Attributes:
        epochs: passes over all frames, at all speeds.
        least_steps: of the optimiser.
        batch_size: frames a step.
        lr: learning rate.
        weight_decay: of AdamW.
        seen: numbers of each frame that a step sees; of more, others are dropped.
        hidden: units of a hidden layer; 0: the classifier is linear.
        kept: share of the hidden units that a step sees.
        networks: with a hidden layer, each trained from a seed of its own, that are averaged.
        speeds: at which the training recordings are played.
    """

    epochs: int = 10
    least_steps: int = 400
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.1
    seen: int = 512
    hidden: int = 0
    kept: float = 0.7
    networks: int = 1
    speeds: tuple[float, ...] = (0.7, 1.0, 1.4)


def classifier_for(rule: Rule, *, linear: bool = False) -> ClassifierSettings:
    """A linear layer; for rule C several networks with one hidden layer, unless it is to be linear too."""
    if linear or rule != "C":
        return ClassifierSettings()
    return ClassifierSettings(hidden=HIDDEN, networks=NETWORKS)


@dataclass(frozen=True)
class FrameNetwork:
    """A trained linear layer, perhaps on a hidden one, with K outputs for each frame.

    Attributes:
        layers: weight (K, S·D) and bias (K,); with a hidden layer its (H, S·D) and (H,), then (K, H) and
            (K,). The features' standardisation is folded into the first.
        context: which frames it reads.
    """

    layers: tuple[Tensor, ...]
    context: Context

    def logits(self, x: Tensor) -> Tensor:
        """(n, S·D) what is read of some frames → (n, K)."""
        if len(self.layers) > 2:
            x = F.gelu(F.linear(x, *self.layers[:2]))
        return F.linear(x, *self.layers[-2:])

    def outputs(self, features: Array) -> Array:
        """(T, D) features of one recording → (T, K) float32."""
        found = np.empty((len(features), len(self.layers[-1])), dtype=np.float32)
        ends = np.array([0, len(features)])
        for start in range(0, len(features), BLOCK):
            frames = np.arange(start, min(start + BLOCK, len(features)))
            x = gather(features, ends, frames, self.context).to(self.layers[0].device)
            found[frames] = self.logits(x).cpu().numpy()
        return found

    def probabilities(self, features: Array) -> Array:
        """(T, D) features of one recording → (T, K) float16, the outputs being logits."""
        found = torch.from_numpy(self.outputs(features)).softmax(dim=1).numpy().astype(np.float16)
        return smoothed(found, self.context.smoothing)


def smoothed(probabilities: Array, deviation: float) -> Array:
    """(T, K) smoothed over frames by a Gaussian; the first and last frames go on beyond the ends.

    >>> smoothed(np.eye(3)[[0, 0, 0, 1, 1, 1]], 1.0)[[0, 2, 3]].round(2)
    array([[1. , 0. , 0. ],
           [0.7, 0.3, 0. ],
           [0.3, 0.7, 0. ]])
    """
    if not deviation:
        return probabilities
    from scipy.ndimage import gaussian_filter1d

    mean = gaussian_filter1d(probabilities.astype(np.float32), deviation, axis=0, mode="nearest")
    found: Array = mean.astype(probabilities.dtype)
    return found


def gather(features: Array, offsets: Array, frames: Array, context: Context) -> Tensor:
    """What the classifier reads of some frames.

    Args:
        features: (F, D) of recordings one after another; recording r has offsets[r] .. offsets[r + 1].
        offsets: (R + 1,).
        frames: (n,) which.
        context: the frames around each that are read, of its own recording.

    Returns:
        (n, S·D) float32.
    """
    recording = np.searchsorted(offsets, frames, "right") - 1
    first, last = offsets[recording][:, None], offsets[recording + 1][:, None] - 1
    rows = np.clip(frames[:, None] + context.offsets, first, last)
    return torch.from_numpy(features[rows.ravel()]).float().view(len(frames), -1)


def fit(
    features: Array,
    offsets: Array,
    targets: Array,
    outputs: int,
    context: Context,
    settings: ClassifierSettings,
    *,
    frames: Array | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> FrameNetwork:
    """Trains the classifier, or another network of frames, in memory for one batch of frames.

    Several networks become one, `averaged`.

    Args:
        features: (F, D) of the training recordings' frames, perhaps a memory map.
        offsets: (R + 1,) where each recording begins, and the end.
        targets: (F, ...) what it is to say of each frame; of a classifier the class, 0 the background.
        outputs: K, how many; of a classifier the classes.
        context: which frames it reads.
        settings: how it is trained.
        frames: (n,) those it is trained on; None: all.
        loss: of outputs (n, K) and targets (n, ...); of a classifier the cross-entropy.
        seed: of the order of frames, of what is dropped, and of the hidden layer.
        device: where it is trained.
        progress: called after each step with the steps done and in total, of all networks.
    """
    if settings.networks > 1:
        one, count = replace(settings, networks=1), settings.networks

        def trained(number: int) -> FrameNetwork:
            def hook(done: int, steps: int) -> None:
                progress(number * steps + done, count * steps)

            own: dict[str, Any] = {"seed": count * seed + number, "device": device, "progress": hook}
            return fit(features, offsets, targets, outputs, context, one, frames=frames, loss=loss, **own)

        return averaged([trained(number) for number in range(count)])
    mean, std = (each.repeat(2 * context.neighbours + 1).to(device) for each in _moments(features))
    generator = np.random.default_rng(seed)
    drops = torch.Generator(device).manual_seed(seed)
    layers = _untrained(len(mean), settings.hidden, outputs, drops)
    optimiser = torch.optim.AdamW(layers, settings.lr, weight_decay=settings.weight_decay)
    share = min(settings.seen / len(mean), 1.0)
    rows = np.arange(len(targets)) if frames is None else frames
    batches = -(-len(rows) // settings.batch_size)
    steps = batches * max(settings.epochs, -(-settings.least_steps // batches))
    for step in range(steps):
        if step % batches == 0:
            order = np.array_split(generator.permutation(rows), batches)
        batch = order[step % batches]
        x = gather(features, offsets, batch, context).to(device).sub_(mean).div_(std)
        x = _dropped(x, share, drops)
        if settings.hidden:
            x = _dropped(F.gelu(F.linear(x, *layers[:2])), settings.kept, drops)
        error = loss(F.linear(x, *layers[-2:]), torch.from_numpy(targets[batch]).to(device))
        optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        rate = settings.lr * (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        progress(step + 1, steps)
    first, bias, *rest = (each.detach() for each in layers)
    folded = first / std
    return FrameNetwork((folded, bias - folded @ mean, *rest), context)


def averaged(networks: Sequence[FrameNetwork]) -> FrameNetwork:
    """One network whose outputs are the mean of theirs: it has all their hidden units side by side.

    Args:
        networks: with a hidden layer, of the same context.
    """
    weights, biases, outs, last = zip(*(network.layers for network in networks), strict=True)
    hidden = torch.cat(weights), torch.cat(biases)
    mean = torch.cat(outs, dim=1) / len(networks), torch.stack(last).mean(dim=0)
    return FrameNetwork((*hidden, *mean), networks[0].context)


def _untrained(numbers: int, hidden: int, classes: int, generator: torch.Generator) -> list[Tensor]:
    """Weight and bias of each layer: zeros for the last, uniform for a hidden one before it."""
    device = generator.device
    sizes = [(classes, hidden or numbers), (classes,)]
    layers = [torch.zeros(size, device=device, requires_grad=True) for size in sizes]
    if not hidden:
        return layers
    bound = numbers**-0.5
    drawn = [torch.empty(size, device=device) for size in ((hidden, numbers), (hidden,))]
    return [each.uniform_(-bound, bound, generator=generator).requires_grad_() for each in drawn] + layers


def _dropped(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """`x`, in place, with this share of its numbers kept and scaled up, and the others zero."""
    if share < 1:
        x.mul_(torch.rand(x.shape, generator=generator, device=x.device) < share).div_(share)
    return x


def _moments(features: Array) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (1 where it is zero) of each of the (F, D) features, block by block."""

    def average(of: Callable[[Tensor], Tensor]) -> Tensor:
        total = torch.zeros(features.shape[1], dtype=torch.float64)
        for start in range(0, len(features), BLOCK):
            total += of(torch.from_numpy(np.array(features[start : start + BLOCK])).double()).sum(dim=0)
        return total / len(features)

    mean = average(lambda block: block)
    std = average(lambda block: (block - mean).square()).sqrt()
    return mean.float(), torch.where(std == 0, 1.0, std).float()
