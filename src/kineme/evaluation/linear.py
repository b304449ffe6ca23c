"""Linear evaluation: how well one linear layer tells the classes apart from frozen features.

There are two probes. `sgd` is the published protocol: a linear layer trained by SGD with momentum 0.9,
without weight decay, with settings of the recipe that suit the scale of the method's features. `logistic` is
a logistic regression on standardised features, fitted until it converges: it does not depend on their scale,
so it is the fair one for comparing raw coordinates, a random encoder and a pre-trained one.

Deviation: the probes of MAMP and SLiM see randomly cropped and turned training clips, encoded again in each
epoch. Here, every probe sees the features of each clip's centre, which are computed once. SLiM's authors
choose the best of 13 learning rates on the test clips; here it is chosen on held-out training clips.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from kineme.clips.subsets import label_subset
from kineme.config import FinetuneConfig, LinearConfig
from kineme.errors import KinemeError, check_positive
from kineme.evaluation.logistic import fit
from kineme.metrics.accuracy import top_k
from kineme.progress import Progress, share, silent
from kineme.typing import Array

logger = logging.getLogger(__name__)

FITTED = 0.8  # share of the training clips of each class; by the others rates and weights are chosen
EVALUATE_EVERY = 5  # epochs, in all three papers
MOMENTUM = 0.9
NORM_EPS, NORM_SHARE = 1e-6, 0.1  # of the batch norm; the share of a batch in the running statistics
Settings = TypeVar("Settings", LinearConfig, FinetuneConfig)


def with_rate(config: Settings, section: str, lr: float | None, run: Path) -> Settings:
    """The recipe's settings of a protocol, with a learning rate: the one that is given, or the recipe's.

    Of rates to choose from, none is tried where one is given.

    Raises:
        KinemeError: there is none, or it is not above 0.
    """
    rate = config.lr if lr is None else lr
    if rate is None:
        raise KinemeError(f"{run}: the recipe sets no evaluate.{section}.lr; set it there, or pass `lr`")
    check_positive(lr=rate)
    if lr is not None and isinstance(config, LinearConfig):
        return replace(config, lr=rate, rates=())
    return replace(config, lr=rate)


@dataclass(frozen=True)
class Epoch:
    """The scores of the test clips after some epochs of training.

    Attributes:
        epoch: epochs trained, counted from 1.
        top1: per cent of test clips.
        scores: (N', classes) logits of the test clips.
        rate: learning rate at the beginning, given or chosen; None where that is not told.
    """

    epoch: int
    top1: float
    scores: Array
    rate: float | None = None


def sgd(
    train: Array,
    labels: Array,
    test: Array,
    test_labels: Array,
    classes: int,
    settings: LinearConfig,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> tuple[Epoch, Epoch]:
    """The published protocol on features computed once: an epoch is a few matrix products.

    The test clips are scored every five epochs and after the last.

    Args:
        train: (N, D) float32 features.
        labels: (N,) int64 classes.
        test: (N', D) float32 features.
        test_labels: (N',) int64 classes.
        classes: number of classes.
        settings: of the recipe; its `lr` is set.
        seed: of the initial weights and the order of the clips.
        device: where the layer is trained; all features are kept there.
        progress: called with the epochs done and in total.

    Returns:
        The last epoch and the best one. The best is chosen on the test clips, as the papers do, and is
        therefore optimistic: report the last first.
    """
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that every device sees the same draws
    x, y = torch.from_numpy(train).to(device), torch.from_numpy(labels).to(device)
    x_test = torch.from_numpy(test).to(device)
    if settings.rates:
        tried = len(settings.rates)
        searching = share(progress, 0, tried, tried + 1)
        rate = best_rate(train, labels, classes, settings, seed=seed, device=device, progress=searching)
        settings = replace(settings, lr=rate, rates=())
        progress = share(progress, tried, 1, tried + 1)
    layer = _Layer(x.shape[1], classes, settings.init_std, generator, device)
    norm = _Norm(x) if settings.norm else None
    lr, steps = settings.lr, settings.epochs * -(-len(x) // settings.batch_size)
    assert lr is not None, "see with_rate"
    best: Epoch | None = None
    step = 0
    for epoch in range(1, settings.epochs + 1):
        order = torch.randperm(len(x), generator=generator).to(device)
        for batch in torch.split(order, settings.batch_size):
            seen = x[batch] if norm is None else norm.step(x[batch])
            falling = settings.schedule == "cosine"
            rate = lr * (1 + math.cos(math.pi * step / steps)) / 2 if falling else lr
            layer.step(seen, y[batch], rate)
            step += 1
        progress(epoch, settings.epochs)
        if settings.schedule == "step" and epoch in settings.milestones:
            lr *= 0.1
        if epoch % EVALUATE_EVERY == 0 or epoch == settings.epochs:
            scores = layer(x_test if norm is None else norm(x_test)).cpu().numpy()
            last = Epoch(epoch, top_k(scores, test_labels), scores, settings.lr)
            if best is None or last.top1 > best.top1:
                best = last
    assert best is not None, "no epochs"
    return last, best


def best_rate(
    train: Array,
    labels: Array,
    classes: int,
    settings: LinearConfig,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> float:
    """The one of `settings.rates` that does best on held-out training clips after the last epoch.

    A fifth of the clips of each class is held out; of equally good rates the smallest is taken. Where no
    class has a clip to spare, as with the fewest labels, nothing tells them apart: the middle one is taken.
    """
    rates = sorted(settings.rates)
    fitted, held = held_out(labels, seed)
    if len(held) == 0:
        middle = rates[len(rates) // 2]
        logger.warning("too few training clips to choose a rate; using the middle one, %g", middle)
        return middle
    found: dict[float, float] = {}
    for number, rate in enumerate(rates):
        last, _ = sgd(
            train[fitted],
            labels[fitted],
            train[held],
            labels[held],
            classes,
            replace(settings, lr=rate, rates=()),
            seed=seed,
            device=device,
            progress=share(progress, number, 1, len(settings.rates)),
        )
        found[rate] = last.top1
    best = max(found, key=lambda rate: found[rate])
    logger.info("rate %g: %.1f %% of %d held-out training clips", best, found[best], len(held))
    return best


def held_out(labels: Array, seed: int) -> tuple[Array, Array]:
    """Places among (N,) training clips of those to fit to, and of those held out: a fifth of each class."""
    places = np.arange(len(labels))
    fitted = label_subset(places, labels, FITTED, seed)
    return fitted, np.setdiff1d(places, fitted)


class _Norm:
    """Batch norm without scale and shift, as torch.nn.BatchNorm1d(affine=False, eps=1e-6) does it.

    It stands before the only layer that learns, so no gradient passes through it.
    """

    def __init__(self, x: Tensor) -> None:
        self.mean, self.variance = torch.zeros_like(x[0]), torch.ones_like(x[0])

    def __call__(self, x: Tensor) -> Tensor:
        """(N, D) → (N, D), by the running statistics."""
        return (x - self.mean) * torch.rsqrt(self.variance + NORM_EPS)

    def step(self, x: Tensor) -> Tensor:
        """(N, D) → (N, D), by the batch's own statistics, which enter the running ones."""
        variance, mean = torch.var_mean(x, dim=0, correction=0)
        self.mean.lerp_(mean, NORM_SHARE)
        self.variance.lerp_(variance * len(x) / max(len(x) - 1, 1), NORM_SHARE)
        return (x - mean) * torch.rsqrt(variance + NORM_EPS)


class _Layer:
    """A linear layer with cross-entropy and SGD with momentum, as torch.nn and torch.optim do it.

    The gradient is written out, (softmax - one-hot) / N times the input: with layers this small, autograd and
    an optimiser object would take ten times as long as the arithmetic.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        std: float | None,
        generator: torch.Generator,
        device: torch.device | str,
    ) -> None:
        """Weights N(0, std) and biases 0, or, where std is None, as torch.nn.Linear draws them by default."""
        if std is None:
            bound = dim**-0.5
            weight = torch.empty(dim, classes).uniform_(-bound, bound, generator=generator)
            bias = torch.empty(classes).uniform_(-bound, bound, generator=generator)
        else:
            weight = torch.empty(dim, classes).normal_(0, std, generator=generator)
            bias = torch.zeros(classes)
        self.weight, self.bias = weight.to(device), bias.to(device)
        self._momentum = (torch.zeros_like(self.weight), torch.zeros_like(self.bias))

    def __call__(self, x: Tensor) -> Tensor:
        """(N, D) → (N, classes) logits."""
        return torch.addmm(self.bias, x, self.weight)

    def step(self, x: Tensor, y: Tensor, lr: float) -> None:
        """One step on the mean cross-entropy of a batch, momentum 0.9."""
        residual = self(x).softmax(dim=1)
        residual.scatter_add_(1, y[:, None], residual.new_full((len(y), 1), -1.0))
        residual /= len(y)
        velocity, bias_velocity = self._momentum
        velocity.mul_(MOMENTUM).addmm_(x.T, residual)
        bias_velocity.mul_(MOMENTUM).add_(residual.sum(dim=0))
        self.weight.sub_(velocity, alpha=lr)
        self.bias.sub_(bias_velocity, alpha=lr)


def logistic(
    train: Array,
    labels: Array,
    test: Array,
    classes: int,
    *,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Array:
    """Multinomial logistic regression, L2 penalty 1, on standardised features.

    Each feature is standardised by itself, so joints that hardly move count as much as those that do: raw
    coordinates lose by it (UTD-MHAD 78.4 %, with one scale for all 87.7 %), and kNN is their better measure.

    Args:
        train: (N, D) features.
        labels: (N,) classes, at least two different ones.
        test: (N', D) features.
        classes: number of classes; one that no training clip has is never predicted.
        device: where it is fitted.
        progress: as of `logistic.fit`.

    Returns:
        (N', classes) log-probabilities of the test clips.
    """
    mean, deviation = moments(train.astype(np.float64))
    x, x_test = (
        torch.from_numpy(((features.astype(np.float64) - mean) / deviation).astype(np.float32)).to(device)
        for features in (train, test)
    )
    known, y = np.unique(labels, return_inverse=True)
    fitted = fit(x, torch.from_numpy(y).to(device), len(known), progress=progress)
    scores = np.full((len(test), classes), -np.inf)
    scores[:, known] = fitted(x_test).log_softmax(dim=1).cpu().numpy()
    return scores


def moments(features: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each of (N, D) float64 features; 1 where it is zero but for rounding.

    The same numbers as scikit-learn's `StandardScaler`, to the last bit; importing that takes over a second.
    """
    count, rounding = len(features), np.finfo(np.float64).eps
    mean = features.sum(axis=0) / count
    centred = features - mean
    left = centred.sum(axis=0)  # of the mean's rounding
    centred **= 2
    variance = (centred.sum(axis=0) - left**2 / count) / count
    constant = variance <= count * rounding * variance + (count * mean * rounding) ** 2
    return mean, np.where(constant, 1.0, np.sqrt(variance))
