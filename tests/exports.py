"""Exports need a newer PyTorch than the rest of Kineme; the tests that export skip where it is older."""

from __future__ import annotations

import pytest
import torch

from kineme.inference.exporting.graphs import TORCH, too_old

WHY = "exports need PyTorch {}.{} or newer, and this is {}".format(*TORCH, torch.__version__)
needs_newer_torch = pytest.mark.skipif(too_old(torch.__version__), reason=WHY)
