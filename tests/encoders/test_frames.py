"""Convolutions over frames: the spectral form and the folded batch norm against PyTorch's layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.encoders.frames import LONG, WIDE, convolve_frames, normed, spectrum


def direct(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """The same by PyTorch's convolution of (B, C, T, V)."""
    padding = (weight.shape[2] // 2, 0)
    y = F.conv2d(x.permute(1, 3, 0, 2), weight, bias, stride=(stride, 1), padding=padding)
    return y.permute(2, 0, 3, 1)


def layer(kernel: int, channels: int = 8) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(WIDE, channels, (kernel, 1))


@pytest.mark.parametrize(("frames", "kernel"), [(13, 9), (12, 9), (1, 9), (2, 3), (30, 5), (7, 1), (LONG, 9)])
def test_the_spectral_form_is_the_convolution_with_its_gradients(frames: int, kernel: int) -> None:
    convolution = layer(kernel)
    assert convolution.bias is not None
    x = torch.randn(frames, 2, 3, WIDE, requires_grad=True)
    inputs = [x, convolution.weight, convolution.bias]
    y, expected = (form(x, convolution.weight, convolution.bias) for form in (convolve_frames, direct))
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(y)
    for ours, theirs in zip(
        torch.autograd.grad(y, inputs, upstream), torch.autograd.grad(expected, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.abs().max().item())


def test_the_spectral_form_needs_a_quarter_of_the_products() -> None:
    of_frames, of_taps, back = spectrum(13, 9)
    assert of_frames.shape[1] == back.shape[0] == 13
    assert len(of_frames) == len(of_taps) < 9 * 13 / 4


@pytest.mark.parametrize(("channels", "frames", "stride"), [(8, 13, 1), (WIDE, 13, 2), (WIDE, LONG + 1, 1)])
def test_narrow_strided_and_long_ones_are_pytorch_s(channels: int, frames: int, stride: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(channels, 4, (9, 1))
    assert convolution.bias is not None
    x = torch.randn(frames, 2, 3, channels)
    with torch.no_grad():
        ours = convolve_frames(x, convolution.weight, convolution.bias, stride)
        torch.testing.assert_close(ours, direct(x, convolution.weight, convolution.bias, stride))


def test_in_bfloat16_it_is_about_as_exact_as_pytorch_s() -> None:
    convolution = layer(9, channels=64)
    assert convolution.bias is not None
    x = torch.randn(13, 4, 5, WIDE)
    with torch.no_grad():
        exact = direct(x, convolution.weight, convolution.bias)
        with torch.autocast("cpu", torch.bfloat16):
            off = [
                (form(x.bfloat16(), convolution.weight, convolution.bias).float() - exact).norm()
                / exact.norm()
                for form in (convolve_frames, direct)
            ]
    assert off[0] < 2 * off[1]


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_norm_is_folded_in_evaluation_only(training: bool) -> None:
    convolution, norm = layer(9), nn.BatchNorm2d(8).train(training)
    assert convolution.bias is not None
    for each in (norm.weight, norm.running_var):
        nn.init.uniform_(each, 0.5, 2)
    for each in (norm.bias, norm.running_mean):
        nn.init.normal_(each)
    x = torch.randn(5, 2, 3, WIDE)
    weights = []

    def counted(weight: Tensor, bias: Tensor) -> Tensor:
        weights.append(weight)
        return convolve_frames(x, weight, bias)

    ours = normed(norm, convolution.weight, convolution.bias, counted)
    expected = norm(direct(x, convolution.weight, convolution.bias).permute(0, 3, 1, 2))
    torch.testing.assert_close(ours, expected.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-5)
    assert (weights[0] is convolution.weight) == training
