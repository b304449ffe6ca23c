"""How a clip feature is computed from what the encoder has learned and from the course of the clip."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kineme.errors import KinemeError

SHRINKAGE = 5.0  # added to the variance of every direction, in mean variances: rare directions stay small
COURSE = 0.6  # of the course, the deviation beside that of what was learned
SHARE = 0.02  # of each observation in the running moments: some fifty count
EVERY = 10  # observations from one reading to the next; an eigendecomposition takes as long as some views
SMALLEST = 1e-6  # deviation of a dimension that does not vary


class Reading(nn.Module):
    """Running moments of evidence (N, D + K), and the linear reading (D + K, D) that follows from them.

    The first D numbers, which are learned, are standardised one by one and then whitened together, because
    a few directions hold most of their variance and would dominate the cosine between two clips. Shrinking
    the covariance keeps noise from counting as much as real variation. The course, K numbers in one unit, is
    added through a fixed random projection, which preserves distances. The feature thus retains what the
    views change and the learned part leaves out, such as amplitude and posture.

    Attributes:
        count: observations so far; a plain number, so that no device has to be waited for.

    Args:
        learned: D.
        course: K.
    """

    centre: Tensor
    covariance: Tensor
    energy: Tensor
    projection: Tensor

    def __init__(self, learned: int, course: int) -> None:
        super().__init__()
        self.learned = learned
        self.count = 0
        self.register_buffer("centre", torch.zeros(learned + course))
        self.register_buffer("covariance", torch.eye(learned))
        self.register_buffer("energy", torch.ones(()))  # variance of the course, summed over its numbers
        fixed = torch.Generator().manual_seed(0)
        self.register_buffer("projection", torch.randn(course, learned, generator=fixed), persistent=False)

    @torch.no_grad()
    def observe(self, evidence: Tensor) -> None:
        """Moves the moments towards those of a batch (N, D + K); at first they are the mean so far.

        Covariances are within the batch: while a network learns, means move by more than clips differ.
        """
        self.count += 1
        share = max(1 / self.count, SHARE)
        evidence = evidence.to(self.centre)
        apart = evidence - evidence.mean(0)
        learned, course = apart[:, : self.learned], apart[:, self.learned :]
        degrees = len(evidence) - 1
        self.centre.lerp_(evidence.mean(0), share)
        self.covariance.lerp_(learned.T @ learned / degrees, share)
        self.energy.lerp_(course.square().sum() / degrees, share)

    @property
    def due(self) -> bool:
        """Whether it is time for the next `matrix`: after the first observation, then every ten."""
        return self.count % EVERY == 1

    @torch.no_grad()
    def matrix(self) -> Tensor:
        """(D + K, D); features of the observed clips have a mean variance of 1 and `COURSE` squared."""
        deviation = self.covariance.diagonal().sqrt().clamp_min(SMALLEST)
        correlation = self.covariance / deviation[:, None] / deviation
        # `eigh` refuses NaN in its own words; the loss says it in ours, on a GPU only some steps later.
        variance, axes = torch.linalg.eigh(correlation.nan_to_num(0.0, 0.0, 0.0))
        variance = variance.clamp_min(0)
        shrunk = variance + SHRINKAGE
        unit = (self.learned / (variance / shrunk).sum().clamp_min(SMALLEST)).sqrt()
        whitening = (axes * shrunk.rsqrt()) @ axes.T * unit / deviation[:, None]
        return torch.cat((whitening, self.projection * COURSE / self.energy.sqrt().clamp_min(SMALLEST)))

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}count"] = torch.tensor(self.count)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if f"{prefix}count" not in state_dict:
            raise KinemeError(
                "the run began with an earlier version, which had no moments of the clip feature, and cannot "
                "go on; train from the start"
            )
        self.count = int(state_dict.pop(f"{prefix}count"))
        super()._load_from_state_dict(state_dict, prefix, *args)
