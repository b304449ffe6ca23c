"""Methods train on clips that lack joints, and what the clips hold in their place is no matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from stepping import ragged_clips, small_method
from torch import Tensor

from kineme.layouts import get_layout
from kineme.methods import Method

PAIRS = [("usdrl", "sttr"), ("usdrl", "dste"), ("mpct", "sttr"), ("mamp", "mamp"), ("slim", "slim")]


def make(method: str, encoder: str) -> Method:
    torch.manual_seed(0)
    # A method that needs no randomness of the global generator, so that two passes can be compared.
    return small_method(method, encoder, layout="coco17").eval()


@pytest.mark.parametrize(("method_name", "encoder_name"), PAIRS)
def test_the_loss_does_not_depend_on_absent_joints(method_name: str, encoder_name: str) -> None:
    method = make(method_name, encoder_name)
    torch.manual_seed(1)
    clips = ragged_clips("coco17", 2)
    present = torch.ones(8, 17, dtype=torch.bool)
    present[::2, [9, 10]] = False
    views = method.views(replace(clips, present=present), torch.Generator().manual_seed(0))
    assert all(view.present is not None for view in views)

    def spoilt(x: Tensor, lacking: Tensor) -> Tensor:
        return x.masked_fill(~lacking[:, None, None, :, None], 5.0)

    others = [replace(view, clips=spoilt(view.clips, view.present)) for view in views]  # type: ignore[arg-type]
    losses, again = method.loss(views, 0.5), method.loss(others, 0.5)
    for name, value in losses.items():
        assert value.isfinite().all(), name
        torch.testing.assert_close(value, again[name])


def test_mirrored_views_lack_the_other_side() -> None:
    method = make("slim", "slim")
    clips = ragged_clips("coco17", 1)
    left = torch.tensor(get_layout("coco17").mirrored)[:, 0]
    present = torch.ones(8, 17, dtype=torch.bool)
    present[:, left] = False
    views = method.views(replace(clips, present=present), torch.Generator().manual_seed(0))
    lacking = {tuple((~row).nonzero()[:, 0].tolist()) for view in views for row in view.present}  # type: ignore[union-attr]
    right = torch.tensor(get_layout("coco17").mirrored)[:, 1]
    assert lacking == {tuple(sorted(left.tolist())), tuple(sorted(right.tolist()))}


def test_of_absent_patches_mamp_sees_and_predicts_none() -> None:
    method = make("mamp", "mamp")
    clips = ragged_clips("coco17", 2)
    present = torch.ones(8, 17, dtype=torch.bool)
    present[:, :5] = False
    (view,) = method.views(replace(clips, present=present), torch.Generator().manual_seed(0))
    assert view.kept is not None
    assert (view.kept.tokens % 17 >= 5).all()
