"""Arguments of the wrong shape are refused by name, where PyTorch would broadcast them or name none."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch

from kineme import losses
from kineme.errors import KinemeError

Z = torch.zeros


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            lambda: losses.contrast_logits(Z(4, 8), Z(4, 8), Z(5, 6), 0.1),
            "`queue`: has the shape (5, 6); it must be (K, D=8)",
        ),
        (
            lambda: losses.contrast_logits(Z(4, 8), Z(1, 8), Z(5, 8), 0.1),
            "`key`: has the shape (1, 8); it must be (N=4, D=8)",
        ),
        (
            lambda: losses.batch_logits(Z(4, 8), Z(3, 8), 0.1),
            "`key`: has the shape (3, 8); it must be (N=4, D=8)",
        ),
        (lambda: losses.info_nce(Z(4)), "`logits`: has the shape (4,); it must be (N, 1+K)"),
        (
            lambda: losses.distribution_divergence(Z(4, 6), Z(4, 7)),
            "`logits`: has the shape (4, 7); it must be (N=4, 1+K=6)",
        ),
        (
            lambda: losses.mined_info_nce([Z(4, 6), Z(4, 5)], 1),
            "`logits[1]`: has the shape (4, 5); it must be (N=4, 1+K=6)",
        ),
        (
            lambda: losses.mined_info_nce([Z(4, 6)], 6),
            "`k`: is 6; it must be at least 1 and at most 5, the entries of the queue",
        ),
        (lambda: losses.similarity(Z(4, 8)), "`z`: has the shape (4, 8); it must be (K, B, P)"),
        (
            lambda: losses.consistency(Z(2, 4, 8), Z(2, 1, 8)),
            "`targets`: has the shape (2, 1, 8); it must be (K=2, B=4, P=8)",
        ),
        (lambda: losses.variance_covariance(Z(4, 8)), "`z`: has the shape (4, 8); it must be (K, B, P)"),
        (lambda: losses.cross_correlation(Z(8)), "`z`: has the shape (8,); it must be (K, B, P)"),
        (lambda: losses.spread(Z(4, 8)), "`z`: has the shape (4, 8); it must be (K, B, P)"),
        (lambda: losses.sinkhorn(Z(8), 0.1), "`logits`: has the shape (8,); it must be (N, K)"),
        (lambda: losses.koleo(Z(2, 4, 8)), "`features`: has the shape (2, 4, 8); it must be (N, D)"),
        (
            lambda: losses.prototype_cross_entropy(Z(4, 6), Z(4, 8), Z(5, 8), 0.1, Z(4)),
            "`prototypes`: has the shape (5, 8); it must be (K=6, D=8)",
        ),
        (
            lambda: losses.masked_reconstruction(Z(1, 3, 2), Z(1, 3, 2), Z(3, 2)),
            "`prediction`, `target`, `hidden`: are (1, 3, 2), (1, 3, 2), (3, 2), "
            "not (..., L, P), (..., L, P), (..., L)",
        ),
    ],
)
def test_other_shapes_are_refused(compute: Callable[[], object], message: str) -> None:
    with pytest.raises(KinemeError, match=f"^{re.escape(message)}$"):
        compute()
