"""The authors' SCD-Net layout. That the weights give the published numbers: tests/methods/test_scdnet.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden_fill import load_filled

from kineme.authors.scdnet import authors_name, from_state, members
from kineme.authors.state import State, read_state
from kineme.encoders.base import ClipShape
from kineme.encoders.disentangled import Disentangled
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.methods.scdnet import SCDNet


@pytest.fixture(scope="module")
def authors_state() -> State:
    return load_filled("scdnet.keys.json")


def test_sizes_are_read_off_the_weights(authors_state: State) -> None:
    method = from_state(authors_state)
    shape = method.encoder.shape
    assert (shape.layout.name, shape.frames, shape.bodies) == ("ntu25", 64, 2)
    assert method.encoder.hidden == 64
    assert [len(unit.graph_norm.weight) for unit in method.encoder.spatial_stem.units] == [64, 256, 64]
    assert method.queues["spatial"].keys.shape == (512, 128)
    assert not method.training


def test_tensors_of_one_role_are_joined(authors_state: State) -> None:
    ours, theirs = from_state(authors_state).state_dict(), authors_state
    unit, unit_theirs = "key_encoder.spatial_stem.units.2", "encoder_k.encoder.gcn_s.l3"
    assert torch.equal(
        ours[f"{unit}.graph.relation.weight"][4 * 32 : 5 * 32],  # of x2, subset 1
        theirs[f"{unit_theirs}.gcn1.convs.1.conv2.weight"],
    )
    assert torch.equal(
        ours[f"{unit}.graph.value.bias"][:64], theirs[f"{unit_theirs}.gcn1.convs.0.conv3.bias"]
    )
    assert torch.equal(
        ours[f"{unit}.temporal.norm.running_var"][32:48],
        theirs[f"{unit_theirs}.tcn1.branches.2.4.running_var"],
    )
    assert torch.equal(
        ours[f"{unit}.temporal.convolutions.1.weight"][:, :, 0],
        theirs[f"{unit_theirs}.tcn1.branches.1.3.conv.weight"][..., 0],
    )
    assert torch.equal(ours["queues.instance.keys"], theirs["i_queue"].T)


def test_every_tensor_of_theirs_is_a_part_of_one_of_ours(authors_state: State) -> None:
    names = [part for ours in from_state(authors_state).state_dict() for part in members(authors_name(ours))]
    assert sorted(names) == sorted(authors_state)


def test_a_published_file_is_a_dict_of_epoch_state_dict_and_optimizer(
    tmp_path: Path, authors_state: State
) -> None:
    wrapped = {f"module.{key}": tensor for key, tensor in authors_state.items()}
    torch.save({"epoch": 450, "state_dict": wrapped, "optimizer": {"state": {}}}, tmp_path / "450.pth.tar")
    ours = from_state(read_state(tmp_path / "450.pth.tar")).state_dict()
    for name, tensor in from_state(authors_state).state_dict().items():
        assert torch.equal(ours[name], tensor)


def test_another_layout_and_one_body() -> None:
    """Ours taken apart into theirs and read again."""
    torch.manual_seed(0)
    encoder = Disentangled(ClipShape(LAYOUTS["coco17"], 16, 1), hidden=24, heads=2, stem=(8, 16))
    method = SCDNet(encoder, queue=32, projection=8)
    state: State = {}
    for name, tensor in method.state_dict().items():
        parts = members(authors_name(name))
        pieces = tensor.chunk(len(parts)) if tensor.ndim else [tensor] * len(parts)
        for part, piece in zip(parts, pieces, strict=True):
            state[part] = piece.T if part.endswith("_queue") else piece.mT if piece.ndim == 4 else piece
    found = from_state(state, LAYOUTS["coco17"], heads=2)
    assert found.encoder.shape == encoder.shape
    for name, tensor in method.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_queue": None}, "missing: t_queue"),
        ({"encoder_q.encoder.gcn_t.l1.gcn1.PA": None}, r"missing: encoder_q\.encoder\.gcn_t\.l1\.gcn1\.PA"),
        ({"encoder_k.s_proj.2.bias": None}, r"missing: encoder_k\.s_proj\.2\.bias"),
        ({"encoder_q.fc.weight": torch.zeros(2)}, r"unexpected: encoder_q\.fc\.weight"),
        ({"encoder_q.i_proj.0.bias": torch.zeros(7)}, r"i_proj\.0\.bias \(7,\) instead of \(64,\)"),
        (
            {"encoder_q.encoder.gcn_s.l2.gcn1.convs.1.conv3.bias": None},
            r"missing: encoder_q\.encoder\.gcn_s\.l2\.gcn1\.convs\.\{0,1,2\}\.conv3\.bias",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    authors_state: State, change: dict[str, torch.Tensor | None], message: str
) -> None:
    state = authors_state | change
    with pytest.raises(KinemeError, match=message):
        from_state({key: tensor for key, tensor in state.items() if tensor is not None})


def test_another_layout_than_the_weights_is_refused(authors_state: State) -> None:
    with pytest.raises(KinemeError, match="the checkpoint has 25 joints, layout 'coco17' 17"):
        from_state(authors_state, LAYOUTS["coco17"])
