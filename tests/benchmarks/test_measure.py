"""FLOPs are those of the products, and a part that runs at the product's rate has a share of 1."""

import torch

from benchmarks.measure import Result, counted
from benchmarks.timing import FLOPS, Timing


def test_a_product_and_a_convolution_are_counted() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert counted(lambda: a @ b) == 2 * 3 * 5 * 7
    clips, kernel = torch.ones(2, 4, 10), torch.ones(6, 4, 3)
    assert counted(lambda: torch.conv1d(clips, kernel)) == 2 * (2 * 6 * 8) * (4 * 3)


def test_the_products_of_attention_are_counted() -> None:
    q, k = torch.ones(2, 4, 10, 8), torch.ones(2, 4, 6, 8)
    assert counted(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, k)) == 2 * 2 * (
        8 * 10 * 6 * 8
    )


def test_the_share_is_of_the_product_s_rate_in_the_same_precision() -> None:
    product = {"float32": 2.0, "bfloat16": 0.5}
    timing = Timing(4.0, (2.0,))
    full = Result("case", "step", "float32", timing, 8, product, flops=FLOPS)
    half = Result("case", "step", "bfloat16", timing, 8, product, flops=FLOPS)
    assert (full.share, half.share, full.clips_per_second) == (0.5, 0.125, 2.0)
    assert Result("case", "views", "float32", timing, 8, product, flops=None).share is None


def test_the_gain_is_over_the_plain_form_of_the_same_run() -> None:
    plain, timing = Timing(6.0, (3.0,)), Timing(2.0, (1.0,))
    assert Result("case", "step", "float32", timing, 8, {}, flops=None, plain=plain).gain == 3
    assert Result("case", "encoding", "float32", timing, 8, {}, flops=None).gain is None
