"""The authors' USDRL layout. That the weights give the published numbers: tests/methods/test_usdrl.py."""

from __future__ import annotations

import pytest
import torch
from golden_fill import load_filled

from kineme.authors.state import State
from kineme.authors.usdrl import from_state
from kineme.encoders.dste import DSTE
from kineme.encoders.sttr import STTR
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS


def authors_state(encoder: str) -> State:
    return load_filled(f"usdrl_{encoder}.keys.json")


@pytest.mark.parametrize(("name", "encoder"), [("sttr", STTR), ("dste", DSTE)])
def test_encoder_and_sizes_are_read_off_the_weights(name: str, encoder: type) -> None:
    found = from_state(authors_state(name)).encoder
    assert isinstance(found, encoder)
    assert (found.shape.layout.name, found.shape.frames, found.shape.bodies) == ("ntu25", 64, 2)
    assert (found.hidden, len(found.temporal.layers), len(found.spatial.layers)) == (64, 2, 2)


def test_every_tensor_arrives() -> None:
    state = authors_state("dste")
    ours = from_state(state).state_dict()
    assert torch.equal(ours["encoder.spatial.position"], state["backbone.spe"][0])
    assert torch.equal(
        ours["encoder.temporal.layers.1.convolutional.convolution.weight"],
        state["backbone.t_tr1.CA.conv1.weight"][..., 0],
    )
    assert torch.equal(
        ours["encoder.spatial.layers.0.attention.qkv.bias"], state["backbone.s_tr.DSA.attn.in_proj_bias"]
    )
    assert torch.equal(ours["instance_projector.norms.1.running_var"], state["i_proj.4.running_var"])


def test_stored_positions_are_ignored_and_a_single_listing_of_the_attention_is_enough() -> None:
    state = {key: tensor for key, tensor in authors_state("dste").items() if ".DSA.attn." not in key}
    state["backbone.tpe.pe"] = torch.zeros(1, 200, 64)
    full = from_state(authors_state("dste")).state_dict()
    for name, tensor in from_state(state).state_dict().items():
        assert torch.equal(tensor, full[name])


def test_heads_are_taken_as_told() -> None:
    method = from_state(authors_state("sttr"), heads=4)
    assert method.encoder.temporal.layers[0].attention.heads == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_proj.0.weight": None}, r"missing: t_proj\.0\.weight"),
        ({"backbone.spe": None}, r"missing: backbone\.spe"),
        ({"encoder_q.fc.weight": torch.zeros(2)}, r"unexpected: encoder_q\.fc\.weight"),
        ({"s_proj.6.bias": torch.zeros(7)}, r"s_proj\.6\.bias \(7,\) instead of \(128,\)"),
        ({"backbone.s_tr.DSA.attn.in_proj_bias": torch.zeros(192)}, "differs from that of CA"),
        ({"backbone.ske_emb.t_embedding.0.weight": torch.zeros(64, 149)}, "149 numbers a frame"),
        ({"backbone.ske_emb.s_embedding.0.weight": torch.zeros(64)}, "s_embedding"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, torch.Tensor | None], message: str) -> None:
    state = authors_state("dste") | change
    with pytest.raises(KinemeError, match=message):
        from_state({key: tensor for key, tensor in state.items() if tensor is not None})


def test_another_layout_than_the_weights_is_refused() -> None:
    with pytest.raises(KinemeError, match="layout 'coco17'"):
        from_state(authors_state("sttr"), LAYOUTS["coco17"])
    with pytest.raises(KinemeError, match="missing"):
        from_state({})
