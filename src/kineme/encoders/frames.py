"""Convolutions over the frames of activations (T, B, V, C), whose frames come first and channels last."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.typing import Array

WIDE = 64  # channels from which the spectrum pays on a CPU
LONG = 128  # frames up to which its transforms, which are matrix products, are cheap


def convolve_frames(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """(T, B, V, C_in), weights (C_out, C_in, K, 1) and bias → (T', B, V, C_out); K is odd, ends are padded.

    On a CPU wide convolutions are taken in the spectrum of frames, which needs a quarter of the arithmetic.
    """
    t, b, v, c = x.shape
    on_cpu = x.device.type == "cpu" and not torch.compiler.is_compiling()
    if on_cpu and stride == 1 and c >= WIDE and t <= LONG:
        y = _by_spectrum(x, weight)
        return y.add_(bias.to(y.dtype))
    # As one picture of T × B·V points, in channels-last memory.
    picture = x.view(1, t, b * v, c).permute(0, 3, 1, 2)
    y = F.conv2d(picture, weight, bias, stride=(stride, 1), padding=(weight.shape[2] // 2, 0))
    return y.permute(0, 2, 3, 1).view(-1, b, v, len(weight))


def normed(
    norm: nn.Module, weight: Tensor, bias: Tensor | None, layer: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """`layer(weight, bias)`, (T, B, V, C), batch-normalised; in evaluation the norm is folded into the two.

    Args:
        norm: of C channels.
        weight, bias: of the layer, linear in both: (C, ...) and (..., C).
    """
    assert bias is not None
    if norm.training:
        normed: Tensor = norm(layer(weight, bias).permute(0, 3, 1, 2))
        return normed.permute(0, 2, 3, 1)
    assert isinstance(norm, nn.modules.batchnorm._BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return layer(
        weight * scale.view(-1, *[1] * (weight.ndim - 1)), (bias - norm.running_mean) * scale + norm.bias
    )


def _by_spectrum(x: Tensor, weight: Tensor) -> Tensor:
    """As `convolve_frames`, with stride 1 and without bias."""
    t, b, v, c = x.shape
    channels, _, kernel, _ = weight.shape
    frames, taps, back = (torch.from_numpy(each) for each in spectrum(t, kernel))
    with torch.autocast(x.device.type, enabled=False):  # the taps' sums would lose digits in bfloat16
        mixing = taps @ weight.permute(2, 1, 0, 3).reshape(kernel, -1)
    product = torch.bmm((frames @ x.view(t, -1)).view(-1, b * v, c), mixing.view(-1, c, channels))
    return (back @ product.view(len(product), -1)).view(t, b, v, channels)


@cache
def spectrum(frames: int, kernel: int) -> tuple[Array, Array, Array]:
    """Matrices (P, T), (P, K) and (T, P), float32, that turn a correlation over frames into P products.

    y[t] = Σ_k w[k] x[t + k - K // 2] = back @ ((of_frames @ x) · (of_taps @ w)): the discrete Fourier
    transform over a period just long enough that ends do not meet. A complex product takes three real ones
    (Gauss): of real parts, of imaginary parts, and of their sums.

    >>> of_frames, of_taps, back = spectrum(13, 9)
    >>> of_frames.shape  # 25 products where the sum above has 9 · 13
    (25, 13)
    >>> x, w = np.arange(13), np.eye(9)[0]  # the first tap only: four frames ago
    >>> np.round(back @ ((of_frames @ x) * (of_taps @ w)), 3)[:7] + 0
    array([0., 0., 0., 0., 0., 1., 2.])
    """
    period = frames + kernel // 2
    frequency = np.arange(period // 2 + 1)
    single = (2 * frequency) % period == 0  # their waves are real
    turn = 2 * np.pi / period
    of_frames = np.exp(-1j * turn * np.outer(frequency, np.arange(frames)))
    of_taps = np.exp(1j * turn * np.outer(frequency, np.arange(kernel) - kernel // 2))

    def parts(wave: Array) -> Array:
        real, imaginary = wave[~single].real, wave[~single].imag
        return np.concatenate([wave[single].real, real, imaginary, real + imaginary]).astype(np.float32)

    cosine, sine = of_frames.real.T / period, -of_frames.imag.T / period
    even, odd = 2 * cosine[:, ~single], 2 * sine[:, ~single]
    back = np.concatenate([cosine[:, single], even + odd, odd - even, -odd], axis=1)
    return parts(of_frames), parts(of_taps), back.astype(np.float32)
