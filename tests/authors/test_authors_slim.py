"""The authors' SLiM layout, from the names of its tensors; there are no recorded numbers of their program."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import kineme
from kineme.__main__ import main
from kineme.authors.slim import authors_name, from_state
from kineme.authors.state import State, read_state
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS

HIDDEN, INNER, PROTOTYPES = 64, 176, 5
BLOCK = {
    "norm1.weight": (HIDDEN,),
    "norm1.bias": (HIDDEN,),
    "attn.qkv.weight": (3 * HIDDEN, HIDDEN),
    "attn.qkv.bias": (3 * HIDDEN,),
    "attn.proj.weight": (HIDDEN, HIDDEN),
    "attn.proj.bias": (HIDDEN,),
    "norm2.weight": (HIDDEN,),
    "norm2.bias": (HIDDEN,),
    "mlp.w12.weight": (2 * INNER, HIDDEN),
    "mlp.w12.bias": (2 * INNER,),
    "mlp.w3.weight": (HIDDEN, INNER),
    "mlp.w3.bias": (HIDDEN,),
}
BACKBONE = {
    "cls_token": (1, 1, HIDDEN),
    "register_tokens": (1, 4, HIDDEN),
    "mask_token": (1, HIDDEN),
    "pos_embed": (1, 26, HIDDEN),
    "patch_embed.proj.weight": (HIDDEN, 3, 8, 1),
    "patch_embed.proj.bias": (HIDDEN,),
    **{f"blocks.{depth}.{name}": shape for depth in range(2) for name, shape in BLOCK.items()},
    "norm.weight": (HIDDEN,),
    "norm.bias": (HIDDEN,),
}
HEAD = {
    "mlp.0.weight": (12, HIDDEN),
    "mlp.0.bias": (12,),
    "mlp.2.weight": (12, 12),
    "mlp.2.bias": (12,),
    "mlp.4.weight": (7, 12),
    "mlp.4.bias": (7,),
    "last_layer.weight_g": (PROTOTYPES, 1),
    "last_layer.weight_v": (PROTOTYPES, 7),
}


def filled(shapes: dict[str, tuple[int, ...]]) -> State:
    generator = torch.Generator().manual_seed(0)
    return {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def teacher() -> State:
    return filled(
        {f"backbone.{name}": shape for name, shape in BACKBONE.items()}
        | {f"{head}.{name}": shape for head in ("dino_head", "ibot_head") for name, shape in HEAD.items()}
    )


@pytest.fixture
def bare() -> State:
    return filled(BACKBONE)


def test_sizes_are_read_off_the_weights(teacher: State) -> None:
    method = from_state(teacher)
    encoder, shape = method.encoder, method.encoder.shape
    assert (shape.layout.name, shape.frames, shape.bodies) == ("ntu25", 64, 2)
    assert (encoder.hidden, encoder.heads, len(encoder.blocks), encoder.patch) == (64, 2, 2, 8)
    assert method.clip_head.direction.shape == (PROTOTYPES, 7)
    assert not method.training


def test_every_tensor_of_theirs_is_one_of_the_teacher_and_of_the_student(teacher: State) -> None:
    names = [*from_state(teacher).state_dict()]
    for part in (("teacher.", "teacher_"), ("encoder.", "clip_head.", "patch_head.")):
        assert sorted(authors_name(name) for name in names if name.startswith(part)) == sorted(teacher)


def test_weights_are_theirs(teacher: State) -> None:
    method = from_state(teacher)
    for encoder in (method.teacher, method.encoder):
        assert torch.equal(encoder.position, teacher["backbone.pos_embed"][0])
        assert torch.equal(encoder.registers, teacher["backbone.register_tokens"][0])
        assert torch.equal(encoder.blocks[1].linear12.weight, teacher["backbone.blocks.1.mlp.w12.weight"])
    assert torch.equal(method.teacher_patch_head.gain, teacher["ibot_head.last_layer.weight_g"])
    assert torch.equal(method.clip_head.mlp[2].weight, teacher["dino_head.mlp.2.weight"])


def test_a_patch_is_embedded_as_by_their_convolution(bare: State) -> None:
    clips = torch.randn(2, 3, 64, 25, 1)
    weight, bias = bare["patch_embed.proj.weight"], bare["patch_embed.proj.bias"]
    theirs = torch.nn.functional.conv2d(clips[..., 0], weight, bias, stride=(8, 1))  # (N, D, S, V)
    expected = theirs.flatten(2).mT + bare["pos_embed"][0, 1:].repeat(8, 1)
    ours = from_state(bare).encoder.embedded(clips)[:, 0]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_a_file_with_the_teacher_is_loaded_and_converted(tmp_path: Path, teacher: State) -> None:
    path = tmp_path / "checkpoint.pth"
    torch.save({"teacher": teacher}, path)
    model = kineme.load(path, system="slim")
    assert kineme.load(path).weights == model.weights  # no other system's
    assert (model.method, model.preprocessing.id, model.crop, model.shape.frames) == (
        "slim",
        "ctrgcn",
        0.95,
        64,
    )
    assert model.config["method"]["prototypes"] == PROTOTYPES
    clips = torch.randn(3, 3, 64, 25, 2)
    assert torch.equal(model.encoder(clips).clip, from_state(teacher).teacher(clips).clip)
    assert main(["convert", "slim", str(path), str(tmp_path / "run")]) == 0
    again = kineme.load(tmp_path / "run")
    assert again.weights == model.weights
    assert torch.equal(again.encoder(clips).clip, model.encoder(clips).clip)


def test_the_bare_safetensors_of_the_hub_are_loaded(tmp_path: Path, bare: State) -> None:
    save_file(bare, tmp_path / "model.safetensors")
    assert read_state(tmp_path / "model.safetensors").keys() == bare.keys()
    model = kineme.load(tmp_path / "model.safetensors", system="slim")
    expected = from_state({f"backbone.{name}": tensor for name, tensor in bare.items()})
    clips = torch.randn(3, 3, 64, 25, 2)
    assert torch.equal(model.encoder(clips).clip, expected.encoder(clips).clip)
    assert model.config["method"]["prototypes"] == 65536


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone.patch_embed.proj.weight": None}, r"missing: backbone\.patch_embed\.proj\.weight"),
        ({"backbone.blocks.1.mlp.w3.bias": None}, r"missing: backbone\.blocks\.1\.mlp\.w3\.bias"),
        ({"ibot_head.last_layer.weight_g": None}, r"missing: ibot_head\.last_layer\.weight_g"),
        ({"fc.weight": torch.zeros(2)}, r"unexpected: fc\.weight"),
        ({"backbone.norm.bias": torch.zeros(7)}, r"norm\.bias \(7,\) instead of \(64,\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    teacher: State, change: dict[str, Tensor | None], message: str
) -> None:
    state = teacher | change
    with pytest.raises(KinemeError, match=message):
        from_state({key: tensor for key, tensor in state.items() if tensor is not None})


def test_another_layout_than_the_weights_is_refused(bare: State) -> None:
    with pytest.raises(KinemeError, match="the checkpoint has 25 joints, layout 'coco17' 17"):
        from_state(bare, LAYOUTS["coco17"])


def test_a_damaged_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(KinemeError, match=r"model\.safetensors: cannot be read as a checkpoint"):
        kineme.load(tmp_path / "model.safetensors", system="slim")
