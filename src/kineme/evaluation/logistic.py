"""Multinomial logistic regression, by Newton's method with conjugate gradients.

Features of motion are badly conditioned: neighbouring joints and frames say nearly the same, so a few
directions hold nearly all the variance. First-order solvers, L-BFGS among them, take thousands of steps.
Here the features are turned onto their principal axes, where the Hessian is nearly diagonal, and its diagonal
is the preconditioner (Nocedal and Wright, Numerical Optimization, algorithm 7.1).

Objective and gradient are float64. Axes and products with the Hessian are float32: they decide how fast the
optimum is found, not where it is.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kineme.progress import Progress, silent

ROWS = 1 << 13  # of the features that are held in float64 at a time
STEPS, PRODUCTS = 100, 250  # Newton steps, and products with the Hessian in each, at most
SUFFICIENT = 1e-4  # share of the predicted decrease that a step must bring (Armijo)
FLAT = 1e-3  # curvature of a bias, at least: a class that is never likely has none
SHORTEST = 2.0**-20  # of the steps that are tried


@dataclass(frozen=True)
class Regression:
    """A fitted regression; logits are `x @ weight + bias`.

    Attributes:
        weight: (D, K) float64.
        bias: (K,) float64.
        objective: the sum of cross-entropies, and half the penalty times the squared weights.
    """

    weight: Tensor
    bias: Tensor
    objective: float

    def __call__(self, x: Tensor) -> Tensor:
        """(N, D) features → (N, K) float64 logits."""
        parts = [part.double() @ self.weight for part in torch.split(x, ROWS)]
        return torch.cat(parts) + self.bias


def fit(
    x: Tensor,
    y: Tensor,
    classes: int,
    *,
    penalty: float = 1.0,
    tolerance: float = 1e-6,
    progress: Progress = silent,
) -> Regression:
    """Minimises Σ cross-entropy(x·W + b, y) + penalty/2 · ‖W‖².

    Args:
        x: (N, D) features of about equal scale; the device of the computation is theirs.
        y: (N,) int64 classes.
        classes: K.
        penalty: of the weights; the bias has none.
        tolerance: it stops at a step that is predicted to lower the objective by less than this share.
        progress: called with the powers of ten by which the predicted decrease has fallen, in hundredths, and
            how many it takes.
    """
    axes = _principal_axes(x)
    z = x.float() @ axes.float()
    problem = _Problem(z, y, classes, penalty)
    weight = torch.zeros(z.shape[1], classes, dtype=torch.float64, device=x.device)
    bias = torch.zeros(classes, dtype=torch.float64, device=x.device)
    logits = torch.zeros(len(z), classes, dtype=torch.float64, device=x.device)
    objective = problem.objective(logits, weight)
    first = None
    for _ in range(STEPS):
        step, bias_step, logits_step, predicted = problem.newton_step(logits, weight)
        length = 1.0
        while True:
            value = problem.objective(logits + length * logits_step, weight + length * step)
            if value <= objective - SUFFICIENT * length * predicted:
                break
            length /= 2
            if length < SHORTEST:  # no step lowers it in float64: this is the optimum
                return Regression(axes @ weight, bias, objective)
        weight += length * step
        bias += length * bias_step
        logits, objective = problem.logits(weight, bias), value
        first = first or predicted / objective
        done, needed = _decades(first, predicted / objective), _decades(first, tolerance)
        progress(min(done, needed), needed)
        if length == 1.0 and predicted <= tolerance * objective:
            break
    return Regression(axes @ weight, bias, objective)


def _decades(first: float, now: float) -> int:
    """Hundredths of the powers of ten from one number down to a smaller one."""
    return round(100 * math.log10(max(first / max(now, sys.float_info.min), 1.0)))


def _principal_axes(x: Tensor) -> Tensor:
    """(D, R) float64 orthonormal directions, along which the features are nearly uncorrelated.

    The penalty is the same in any rotation, so the regression in these directions is the same, however exact
    they are. N clips span N directions at most, and weights are zero where no feature lies.
    """
    axes: Tensor
    if len(x) >= x.shape[1]:
        _, axes = torch.linalg.eigh((x.T @ x).double())
        return axes
    rows = x.double()
    squares, vectors = torch.linalg.eigh(rows @ rows.T)
    there = squares > squares[-1] * 1e-12
    axes = rows.T @ (vectors[:, there] / squares[there].sqrt())
    return axes


class _Problem:
    """The objective of features z (N, R) on their principal axes, and steps towards its minimum."""

    def __init__(self, z: Tensor, y: Tensor, classes: int, penalty: float) -> None:
        self.z, self.y, self.penalty = z, y, penalty
        self.squared = z.square()
        self.target = F.one_hot(y, classes)

    def objective(self, logits: Tensor, weight: Tensor) -> float:
        loss = F.cross_entropy(logits, self.y, reduction="sum")
        return float(loss + self.penalty / 2 * weight.square().sum())

    def logits(self, weight: Tensor, bias: Tensor) -> Tensor:
        """(N, K) float64."""
        return torch.cat([part.double() @ weight for part in torch.split(self.z, ROWS)]) + bias

    def newton_step(self, logits: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        """Steps of weights, biases and logits, and by how much they are predicted to lower the objective."""
        probability = logits.softmax(dim=1)
        residual = probability - self.target
        gradient = self.penalty * weight
        for part, rows in zip(torch.split(residual, ROWS), torch.split(self.z, ROWS), strict=True):
            gradient += rows.double().T @ part
        p = probability.float()
        spread = p * (1 - p)
        curvature = torch.cat(
            (self.squared.T @ spread + self.penalty, spread.sum(dim=0, keepdim=True) + FLAT)
        )
        slope = torch.cat((gradient, residual.sum(dim=0, keepdim=True))).float()
        step, logits_step, product = self._conjugate_gradients(p, slope, curvature)
        predicted = -float((slope * step).sum() + (step * product).sum() / 2)
        step, logits_step = step.double(), logits_step.double()
        return step[:-1], step[-1], logits_step, predicted

    def _conjugate_gradients(
        self, p: Tensor, slope: Tensor, curvature: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Solves H·step = -slope to a tenth; with the step, what it adds to the logits, and H·step.

        Weights and biases are one array (R + 1, K), biases last.
        """
        step, logits_step = torch.zeros_like(slope), torch.zeros_like(p)
        remainder = -slope
        scaled = remainder / curvature
        direction = scaled.clone()
        size = start = (remainder * scaled).sum()
        for _ in range(PRODUCTS):
            along = self.z @ direction[:-1] + direction[-1]
            product = self._hessian(p, along, direction)
            length = size / (direction * product).sum()
            step += length * direction
            logits_step += length * along
            remainder -= length * product
            scaled = remainder / curvature
            previous, size = size, (remainder * scaled).sum()
            if size <= 1e-2 * start:
                break
            direction = scaled + size / previous * direction
        return step, logits_step, -slope - remainder

    def _hessian(self, p: Tensor, along: Tensor, direction: Tensor) -> Tensor:
        """H·direction, from what the direction adds to the logits."""
        change = p * along
        change -= p * change.sum(dim=1, keepdim=True)
        weights = self.z.T @ change + self.penalty * direction[:-1]
        return torch.cat((weights, change.sum(dim=0, keepdim=True)))
