"""Classifiers on features. That MAMP's gives the published logits: tests/authors/test_authors_mamp.py."""

from __future__ import annotations

import pytest
import torch

from kineme.config import FinetuneConfig
from kineme.encoders import STTR, ClipShape, Features, JointTransformer
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.training.heads import JointHead, LinearHead, make_head

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
PATCHES = JointTransformer(ClipShape(STICK, 8, 2), hidden=4, heads=2, depth=1)


def test_the_linear_head_reads_the_clip_feature() -> None:
    head = LinearHead(5, 3)
    x = torch.randn(2, 5)
    assert torch.equal(head(Features(x)), x @ head.linear.weight.T + head.linear.bias)
    assert head.linear.weight.std() < 0.03
    assert not head.linear.bias.any()


def test_the_joint_head_averages_segments_and_bodies_and_keeps_joints() -> None:
    """With the identity for its layers, what is left is the mean token of each joint."""
    head = JointHead(PATCHES, 12).eval()
    with torch.no_grad():
        head.linear1.weight.zero_()[:12] = torch.eye(12)
        head.linear2.weight.zero_()[:, :12] = torch.eye(12)
    tokens = torch.rand(5, 2, 2 * 3, 4)  # N, M, segments · joints, D
    expected = tokens.view(5, 2, 2, 3, 4).mean((1, 2)).view(5, 12)  # positive: ReLU lets them through
    torch.testing.assert_close(head(Features(torch.empty(5, 4), tokens=tokens)), expected, rtol=1e-4, atol=0)


def test_dropout_acts_on_tokens_in_training_only() -> None:
    torch.manual_seed(0)
    head = JointHead(PATCHES, 3, dropout=0.5)
    features = Features(torch.empty(4, 4), tokens=torch.randn(4, 2, 6, 4))
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_the_settings_choose_and_refuse() -> None:
    assert isinstance(make_head(PATCHES, 3, FinetuneConfig()), LinearHead)
    joints = make_head(PATCHES, 3, FinetuneConfig(head="joints", dropout=0.3))
    assert isinstance(joints, JointHead)
    assert joints.dropout.p == 0.3
    with pytest.raises(KinemeError, match="head: joints is for encoders of patches, such as mamp"):
        make_head(STTR(ClipShape(STICK, 8, 2), hidden=8), 3, FinetuneConfig(head="joints"))
