"""MPCT: which view shows what, the loss by hand, and an encoder of three streams or any of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from stepping import step
from torch import Tensor

import kineme
from kineme.checkpoints import build_encoder
from kineme.clips.batches import Clips
from kineme.config import Config
from kineme.encoders.base import ClipShape, Kept
from kineme.encoders.dste import DSTE
from kineme.encoders.sttr import STTR
from kineme.encoders.tokens import FusedEmbedding
from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.losses import consistency, variance_covariance
from kineme.methods.mpct import MPCT, decomposed, of_streams, projectors
from kineme.methods.usdrl import USDRL
from kineme.model import with_stream
from kineme.protocols import TaskOptions, knn, open_task
from kineme.settings import config_from_dict
from kineme.streams import STREAMS, TOGETHER, to_stream

STICK = Layout.from_names("stick3", ["hip", "neck", "head"], [None, "hip", "neck"])
SHAPE = ClipShape(STICK, 8, 2, TOGETHER)


def small(encoder: type[STTR] | type[DSTE] = STTR, **settings: float) -> MPCT:
    torch.manual_seed(0)
    return MPCT(encoder(SHAPE, hidden=8), **settings)


def clips(bodies: int = 2) -> Clips:
    length = torch.tensor([9, 30, 12, 8, 50])
    frames = torch.randn(int(length.sum()), bodies, 3, 3, generator=torch.Generator().manual_seed(1))
    return Clips(frames, length.cumsum(0) - length, length)


def test_each_view_shows_its_stream_of_the_joints_that_usdrl_would_show() -> None:
    views = small().views(clips(bodies=1), torch.Generator().manual_seed(3))
    joints = USDRL(STTR(ClipShape(STICK, 8, 2), hidden=8)).views(
        clips(bodies=1), torch.Generator().manual_seed(3)
    )
    assert [view.stream for view in views] == ["joint", "bone", "motion", TOGETHER]
    for view, joint, stream in zip(views, joints, (*STREAMS, "joint"), strict=True):
        assert torch.equal(view.clips, to_stream(joint.clips, stream, STICK))


def test_an_embedding_of_several_streams_is_the_mean_of_their_own_through_a_linear_layer() -> None:
    """Embeddings that give 1, 3 and 5 everywhere, and a layer that doubles."""
    fused = FusedEmbedding(STREAMS, width=4, hidden=2)
    with torch.no_grad():
        for value, stream in zip((1.0, 3.0, 5.0), STREAMS, strict=True):
            fused.of[stream][3].weight.zero_()
            fused.of[stream][3].bias.fill_(value)
        fused.fuse.weight.copy_(2 * torch.eye(2))
    tokens = torch.randn(2, 6, 3, 4)
    assert torch.equal(fused(tokens, STREAMS), torch.full((2, 6, 2), 6.0))
    assert torch.equal(fused(tokens[:, :, :2], ("joint", "motion")), torch.full((2, 6, 2), 6.0))
    assert torch.equal(fused(tokens[:, :, :2], ("bone", "motion")), torch.full((2, 6, 2), 8.0))
    assert torch.equal(fused(tokens[:, :, :1], ("motion",)), torch.full((2, 6, 2), 5.0))  # without the layer


@pytest.mark.parametrize("kind", [STTR, DSTE])
def test_the_encoder_takes_each_stream_from_joints(kind: type[STTR] | type[DSTE]) -> None:
    """One stream alone is what an encoder of that stream gives, with the same weights."""
    several = small(kind).eval().encoder
    joints = torch.randn(3, 3, 8, 3, 2)
    for stream in STREAMS:
        alone = kind(ClipShape(STICK, 8, 2, stream), hidden=8).eval()
        state = several.state_dict()
        own = {name.replace(f"of.{stream}.", ""): value for name, value in state.items()}
        alone.load_state_dict({name: own[name] for name in alone.state_dict()})
        taken = to_stream(joints, stream, STICK)
        torch.testing.assert_close(several(taken, stream=stream).clip, alone(taken).clip)
    with pytest.raises(KinemeError, match="bones: no such stream"):
        several(joints, stream="bones")
    with pytest.raises(KinemeError, match="motion: the encoder was built for joint; choose of these"):
        kind(ClipShape(STICK, 8, 2), hidden=8)(joints, stream="motion")


def test_kept_tokens_are_those_of_all_streams() -> None:
    encoder = small().eval().encoder
    joints = torch.randn(3, 3, 8, 3, 2)
    every = Kept(torch.arange(8).expand(3, -1), torch.arange(6).expand(3, -1))
    torch.testing.assert_close(encoder(joints, every).clip, encoder(joints).clip)
    assert encoder(joints, Kept(temporal=torch.tensor([[1, 5]] * 3))).temporal.shape == (3, 2, 8)


def test_consistency_of_streams_by_hand() -> None:
    """Streams 0, 3, 6; their fusion seen as them 1, 1, 8: 1 + 4 + 4 to the fusion, 9 + 0 + 9 to the mean."""
    z = torch.tensor([0.0, 3.0, 6.0, 1.0, 1.0, 8.0]).view(6, 1, 1)
    assert of_streams(z).item() == 9 + 18


def test_the_fusion_is_seen_by_the_projector_of_each_stream() -> None:
    torch.manual_seed(0)
    by_stream, features = projectors(4, 5, 6).eval(), torch.randn(4, 7, 4)
    z = decomposed(features, by_stream)
    assert z.shape == (6, 7, 6)
    for number, stream in enumerate(STREAMS):
        torch.testing.assert_close(z[number], by_stream[stream](features[number : number + 1])[0])
        torch.testing.assert_close(z[3 + number], by_stream[stream](features[3:])[0])


def test_loss_is_the_weighted_sum_over_grains() -> None:
    method = small(similarity=2.0, variance=3.0, grain=0.25)
    views = method.views(clips(), torch.Generator().manual_seed(0))
    out = step(method, views)
    method = small(similarity=2.0, variance=3.0, grain=0.25)  # the same, as batch norms have moved
    with torch.no_grad():
        z = method.project(torch.stack([method.encoder(v.clips, stream=v.stream).clip for v in views]))

    def total(term: Callable[[Tensor], Tensor]) -> float:
        found = {grain: float(term(each)) for grain, each in z.items()}
        return found["instance"] + 0.25 * (found["temporal"] + found["spatial"])

    similar = total(lambda each: consistency(each[:3], each[3:]))
    varied = total(variance_covariance)
    assert out["similarity"].item() == pytest.approx(similar, rel=1e-5)
    assert out["loss"].item() == pytest.approx(2 * similar + 3 * varied, rel=1e-5)
    assert "cross_correlation" not in out
    crossed = step(small(cross=0.1), views)
    terms = 5 * crossed["similarity"] + crossed["variance_covariance"] + 0.1 * crossed["cross_correlation"]
    assert crossed["loss"].item() == pytest.approx(terms.item(), rel=1e-5)


def test_it_needs_the_three_streams() -> None:
    with pytest.raises(
        KinemeError, match=r"data\.stream is bone, .*; set data\.stream to joint\+bone\+motion"
    ):
        MPCT(STTR(ClipShape(STICK, 8, 2, "bone"), hidden=8))


def test_a_batch_of_one_clip_is_refused() -> None:
    method = small()
    with pytest.raises(KinemeError, match="at least 2 clips"):
        step(method, method.views(clips()[:1], torch.Generator().manual_seed(0)))


def run_settings(store: Path) -> Config:
    sections = {
        "data": {"store": str(store), "frames": 8, "split": "odd-even", "stream": TOGETHER},
        "train": {"epochs": 2, "batch_size": 4, "optimizer": "adam", "lr": 1e-3, "device": "cpu"},
        "method": {"name": "mpct"},
        "encoder": {"name": "sttr", "hidden": 8, "depth": 1},
    }
    return config_from_dict(sections, "test")


class Interrupt(L.Callback):
    """Stops in the second epoch of three batches each."""

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == 4:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_as_one_that_was_not(moves: Path, tmp_path: Path) -> None:
    config = run_settings(moves)
    whole = kineme.pretrain(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        kineme.pretrain(config, tmp_path / "stopped", callbacks=[Interrupt()])
    assert kineme.load(tmp_path / "stopped").epochs == 1
    again = kineme.pretrain(out=tmp_path / "stopped", resume=True)
    assert (again.epochs, again.weights) == (2, whole.weights)


def test_a_run_embeds_and_measures_all_streams_or_some(moves: Path, tmp_path: Path) -> None:
    model = kineme.pretrain(run_settings(moves), tmp_path / "run")
    assert model.stream == TOGETHER
    joints = np.random.default_rng(0).normal(size=(12, 3, 3)).astype(np.float32)
    batch = model.shape.take(model.clips([joints]).resize(8))
    with torch.inference_mode():
        together = model.encoder(batch).clip
        alone = model.encoder(to_stream(batch, "bone", model.shape.layout), stream="bone").clip
    bones = with_stream(model, "bone")
    np.testing.assert_allclose(model.embed([joints]), together, atol=1e-6)
    np.testing.assert_allclose(bones.embed([joints]), alone, atol=1e-6)
    assert (together - alone).abs().max() > 1e-3
    assert bones.weights == model.weights
    task = open_task(tmp_path / "run", TaskOptions(stream="joint+bone", device="cpu"))
    assert knn(task)[0].stream == "joint+bone"
    assert task.result_path("knn").name == "knn-joint+bone.json"


def test_a_model_of_one_stream_is_shown_no_other(moves: Path, tmp_path: Path) -> None:
    config = run_settings(moves)
    config.data.stream, config.method = "joint", {"name": "usdrl"}
    joint = kineme.pretrain(config, tmp_path / "joint")
    with pytest.raises(KinemeError, match="`stream`: the encoder was trained on joint, not on bone"):
        with_stream(joint, "bone")


def test_encoders_of_one_stream_refuse_several() -> None:
    wanted = (
        r"encoder stgcn takes one stream, not joint\+bone\+motion; set encoder\.name to sttr or dste or canon"
    )
    with pytest.raises(KinemeError, match=wanted):
        build_encoder({"name": "stgcn"}, SHAPE)
