"""The authors' MAMP layout. That the weights give the published numbers: tests/methods/test_mamp.py."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import golden_inputs, load_filled, load_golden
from torch import Tensor

import kineme
from kineme.__main__ import main
from kineme.authors.mamp import authors_name, from_state, resized
from kineme.authors.state import State, load_renamed, read_state
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.training.heads import JointHead


@pytest.fixture
def authors_state() -> State:
    return load_filled("mamp.keys.json")


def test_sizes_are_read_off_the_weights(authors_state: State) -> None:
    method = from_state(authors_state)
    encoder, shape = method.encoder, method.encoder.shape
    assert (shape.layout.name, shape.frames, shape.bodies) == ("ntu25", 120, 2)
    assert (encoder.hidden, encoder.heads, len(encoder.blocks), encoder.patch) == (64, 2, 2, 4)
    assert (method.decoder.head.in_features, len(method.decoder.blocks)) == (32, 1)
    assert not method.training


def test_every_tensor_of_theirs_is_one_of_ours(authors_state: State) -> None:
    assert sorted(map(authors_name, from_state(authors_state).state_dict())) == sorted(authors_state)


def golden_clips() -> tuple[Tensor, dict[str, np.ndarray]]:
    golden = load_golden("mamp_downstream.npz")
    (clips,) = golden_inputs(golden, (4, 3, 120, 25, 2))
    clip, slot = golden["empty_body"]
    clips[clip, ..., slot] = 0
    return clips, golden


def assert_agrees(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6 * np.abs(theirs).max())


def test_a_fine_tuned_classifier_gives_the_published_logits() -> None:
    state = load_filled("mamp_finetune.keys.json")
    encoder = from_state(state).encoder
    head = JointHead(encoder, 60, dropout=0.3).eval()
    names = {"linear1": "fc1", "norm": "bn", "linear2": "fc2"}
    theirs = {key.removeprefix("head."): value for key, value in state.items() if key.startswith("head.")}

    def rename(name: str) -> str:
        part, _, rest = name.partition(".")
        return f"{names[part]}.{rest}"

    load_renamed(head, theirs, rename, "MAMP's head")
    clips, golden = golden_clips()
    assert_agrees(head(encoder(clips)), golden["finetune_logits"])


def test_the_feature_gives_the_published_logits_of_the_linear_probe() -> None:
    state = load_filled("mamp.keys.json")
    probe = load_filled("mamp_linear.keys.json")
    clips, golden = golden_clips()
    feature = from_state(state).encoder(clips).clip
    standard = (feature - probe["head.fc.0.running_mean"]) / (probe["head.fc.0.running_var"] + 1e-6).sqrt()
    logits = standard @ probe["head.fc.1.weight"].T + probe["head.fc.1.bias"]
    assert_agrees(logits, golden["linear_logits"])


def write_checkpoint(path: Path, state: State) -> Path:
    """As the authors save them."""
    whole = {
        "model": state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
        "epoch": 399,
        "scaler": {"scale": 65536.0},
        "args": argparse.Namespace(model="mamp", mask_ratio=0.9, output_dir="out", distributed=True),
    }
    torch.save(whole, path)
    return path


def test_a_published_file_is_loaded_and_converted(tmp_path: Path, authors_state: State) -> None:
    path = write_checkpoint(tmp_path / "checkpoint-399.pth", authors_state)
    model = kineme.load(path, system="mamp")
    assert kineme.load(path).weights == model.weights  # no other system's
    assert (model.preprocessing.id, model.crop, model.shape.frames) == ("ctrgcn", 0.95, 120)
    assert model.config["method"]["decoder_hidden"] == 32
    clips, _ = golden_clips()
    assert_agrees(model.encoder(clips).clip, load_golden("mamp.npz")["feature"])
    assert main(["convert", "mamp", str(path), str(tmp_path / "run")]) == 0
    again = kineme.load(tmp_path / "run")
    assert again.weights == model.weights
    assert torch.equal(again.encoder(clips).clip, model.encoder(clips).clip)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, authors_state: State) -> None:
    torch.save({"model": authors_state, "args": Path("x")}, tmp_path / "other.pth")
    with pytest.raises(KinemeError, match="holds more than tensors"):
        read_state(tmp_path / "other.pth")


def test_positions_are_resized_bicubically_for_clips_of_another_length(authors_state: State) -> None:
    method = from_state(authors_state, frames=60)
    assert method.encoder.shape.frames == 60
    ramp = torch.arange(30.0)[:, None]
    inner = resized(ramp, 15)[2:-2, 0]
    torch.testing.assert_close(inner, 2 * torch.arange(2.0, 13.0) + 0.5)  # half-pixel centres
    temporal = authors_state["temp_embed"][0, :, 0]
    torch.testing.assert_close(method.encoder.segment_position.data, resized(temporal, 15))
    assert method.encoder(torch.randn(1, 3, 60, 25, 2)).tokens.shape == (1, 2, 15 * 25, 64)
    whole = from_state(authors_state)
    assert torch.equal(whole.encoder.segment_position.data, temporal)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints_embed.proj.weight": None}, r"missing: joints_embed\.proj\.weight"),
        ({"blocks.1.mlp.fc2.bias": None}, r"missing: blocks\.1\.mlp\.fc2\.bias"),
        ({"decoder_pos_embed": None}, r"missing: decoder_pos_embed"),
        ({"fc.weight": torch.zeros(2)}, r"unexpected: fc\.weight"),
        ({"norm.bias": torch.zeros(7)}, r"norm\.bias \(7,\) instead of \(64,\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    authors_state: State, change: dict[str, Tensor | None], message: str
) -> None:
    state = authors_state | change
    with pytest.raises(KinemeError, match=message):
        from_state({key: tensor for key, tensor in state.items() if tensor is not None})


def test_another_layout_than_the_weights_is_refused(authors_state: State) -> None:
    with pytest.raises(KinemeError, match="the checkpoint has 25 joints, layout 'coco17' 17"):
        from_state(authors_state, LAYOUTS["coco17"])
