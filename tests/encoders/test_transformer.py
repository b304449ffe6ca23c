"""Pre-norm blocks, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kineme.encoders.transformer import PreNormBlock, drop_paths, make_blocks
from kineme.errors import KinemeError


@pytest.mark.parametrize("heads", [1, 4])
def test_a_block_is_torchs_pre_norm_layer(heads: int) -> None:
    torch.manual_seed(0)
    (ours,) = make_blocks(1, 8, heads)
    theirs = nn.TransformerEncoderLayer(
        8, heads, dim_feedforward=32, dropout=0, activation="gelu", batch_first=True, norm_first=True
    )
    names = (("attention.qkv.", "self_attn.in_proj_"), ("attention.out", "self_attn.out_proj"))
    state = {}
    for name, tensor in ours.state_dict().items():
        for one, other in names:
            name = name.replace(one, other)
        state[name] = tensor.normal_()
    theirs.load_state_dict(state)
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_blocks_begin_xavier_uniform_without_biases() -> None:
    torch.manual_seed(0)
    (block,) = make_blocks(1, 64, 4)
    for name, linear in block.named_modules():
        if isinstance(linear, nn.Linear):
            bound = (6 / (linear.in_features + linear.out_features)) ** 0.5
            assert 0.98 * bound < linear.weight.abs().max() <= bound, name
            assert not linear.bias.any()


def test_stochastic_depth_drops_branches_of_whole_rows_and_keeps_their_mean() -> None:
    torch.manual_seed(0)
    block = PreNormBlock(4, 2)
    block.drop_path = 0.25
    branch = torch.ones(4000, 3, 2)
    dropped = block._dropped(branch)
    rows = dropped[:, 0, 0]
    assert torch.equal(dropped, rows[:, None, None].expand(4000, 3, 2))
    assert rows.unique().tolist() == pytest.approx([0, 4 / 3])
    assert rows.mean().item() == pytest.approx(1, abs=0.03)
    assert block.eval()._dropped(branch) is branch


def test_stochastic_depth_rises_over_the_blocks() -> None:
    blocks = make_blocks(4, 4, 2)
    drop_paths([*blocks], 0.3)
    assert [block.drop_path for block in blocks] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(KinemeError, match="heads: 3 does not divide the hidden size 8"):
        PreNormBlock(8, 3)
