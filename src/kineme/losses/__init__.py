"""Losses: pure functions of embeddings, one file per family."""

from kineme.losses.contrast import (
    batch_logits,
    contrast_logits,
    distribution_divergence,
    info_nce,
    mined_info_nce,
)
from kineme.losses.decorrelation import (
    consistency,
    cross_correlation,
    similarity,
    spread,
    variance_covariance,
)
from kineme.losses.prototypes import koleo, prototype_cross_entropy, sinkhorn
from kineme.losses.reconstruction import masked_reconstruction, standardised

__all__ = [
    "batch_logits",
    "consistency",
    "contrast_logits",
    "cross_correlation",
    "distribution_divergence",
    "info_nce",
    "koleo",
    "masked_reconstruction",
    "mined_info_nce",
    "prototype_cross_entropy",
    "similarity",
    "sinkhorn",
    "spread",
    "standardised",
    "variance_covariance",
]
