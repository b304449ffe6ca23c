"""The contract of methods carries what none of the built-in ones needs yet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kineme.clips.batches import Clips
from kineme.encoders import STGCN, ClipShape, MapEncoder, View
from kineme.layouts import get_layout
from kineme.loading import load_run
from kineme.methods import METHODS, Method
from kineme.settings import config_from_dict
from kineme.streams import to_stream
from kineme.training.run import train


class Unlike(Method):
    """Joints of a short view agree with bones of a long one in which joints are missing.

    Args:
        encoder: takes clips of any length.
        long: Frames of the long view.
    """

    encoder_type: ClassVar[type] = MapEncoder
    seen: ClassVar[list[tuple[View, ...]]] = []

    def __init__(self, encoder: MapEncoder, *, long: int = 12) -> None:
        super().__init__()
        self.encoder, self.long = encoder, long
        self.heads = nn.ModuleDict({stream: nn.Linear(encoder.dim, 4) for stream in ("joint", "bone")})

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        shape = self.encoder.shape
        bones = to_stream(clips.resize(self.long), "bone", shape.layout)
        mask = torch.rand(bones[:, 0].shape, generator=generator) < 0.7
        return View(shape.take(clips.resize(shape.frames))), View(bones, mask, "bone")

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        self.seen.append(tuple(views))
        embedded = []
        for view in views:
            clips = view.clips if view.mask is None else view.clips * view.mask[:, None]
            embedded.append(self.heads[view.stream or self.encoder.shape.stream](self.encoder(clips).clip))
        return {"loss": (1 - F.cosine_similarity(*embedded)).mean()}


def test_all_parameters_are_trained_alike_and_clipped_together_unless_a_method_says_otherwise() -> None:
    method = Unlike(STGCN(ClipShape(get_layout("coco17"), 12, 1), channels=(8,), strided=()))
    ((share, trained),) = method.shares()
    assert share == 1.0
    (together,) = method.clipped_together()
    for group in (trained, together):
        assert {id(each) for each in group} == {id(each) for each in method.parameters()}


def test_views_may_differ_in_length_carry_masks_and_be_of_several_streams(
    moves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS._registered, "unlike", Unlike)
    monkeypatch.setattr(Unlike, "seen", [])
    sections = {
        "data": {"store": str(moves), "frames": 8},
        "train": {"epochs": 1, "batch_size": 12, "device": "cpu", "precision": "float32", "knn_every": 0},
        "method": {"name": "unlike", "long": 10},
        "encoder": {"name": "stgcn", "channels": [8], "strided": []},
    }
    train(config_from_dict(sections, "test"), tmp_path / "run")

    assert len(Unlike.seen) == 2  # of 24 clips in batches of 12
    for short, long in Unlike.seen:
        assert (short.clips.shape, short.mask, short.stream) == ((12, 3, 8, 3, 2), None, None)
        assert (long.clips.shape, long.stream) == ((12, 3, 10, 3, 2), "bone")
        assert long.mask is not None
        assert long.mask.shape == (12, 10, 3, 2)
        assert long.mask.float().mean().item() == pytest.approx(0.7, abs=0.06)
        assert not long.clips[:, :, :, 0].any()  # the root has no bone
    assert not torch.equal(Unlike.seen[0][1].mask, Unlike.seen[1][1].mask)

    run = load_run(tmp_path / "run")
    state = torch.load(tmp_path / "run" / "state.ckpt", weights_only=True)["state_dict"]
    torch.manual_seed(0)
    before = Unlike(type(run.encoder)(run.shape, channels=[8], strided=[])).state_dict()
    for name in ("heads.joint.weight", "heads.bone.weight", "encoder.blocks.0.spatial.weight"):
        assert not torch.equal(state[f"method.{name}"], before[name]), name
    (row,) = csv.DictReader((tmp_path / "run" / "history.csv").open())
    assert 0 < float(row["loss"]) < 2
