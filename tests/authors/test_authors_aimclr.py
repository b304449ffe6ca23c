"""The authors' AimCLR layout. That the weights give the published numbers: tests/methods/test_aimclr.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden_fill import load_filled

from kineme.authors.aimclr import authors_name, from_state
from kineme.authors.state import State
from kineme.checkpoints import from_authors
from kineme.encoders.stgcn import CHANNELS
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, spatial_partitions

HEAD = "encoder_q.fc.0.weight"


@pytest.fixture(scope="module")
def state() -> State:
    return load_filled("aimclr.keys.json")


def test_sizes_are_read_off_the_weights(state: State) -> None:
    method = from_state(state)
    shape = method.encoder.shape
    assert (shape.layout.name, shape.frames, shape.bodies) == ("ntu25", 50, 2)
    assert [block.spatial.channels for block in method.encoder.blocks] == list(CHANNELS)
    assert tuple(method.queue.keys.shape) == (512, 128)


def test_every_tensor_arrives(state: State) -> None:
    ours = from_state(state).state_dict()
    assert len({authors_name(name) for name in ours}) == len(ours) == len(state)
    convolution = state["encoder_q.st_gcn_networks.3.gcn.conv.weight"]  # (3·C, C_in, 1, 1)
    assert torch.equal(ours["encoder.blocks.3.spatial.weight"].flatten(0, 1), convolution[:, :, 0, 0])
    assert torch.equal(ours["encoder.blocks.4.residual.1.running_var"],
                       state["encoder_q.st_gcn_networks.4.residual.1.running_var"])  # fmt: skip
    assert torch.equal(ours["key_encoder.input_norm.bias"], state["encoder_k.data_bn.bias"])
    assert torch.equal(ours["encoder.blocks.9.spatial.importance"], state["encoder_q.edge_importance.9"])
    assert torch.equal(ours["queue.keys"], state["queue"].T)


def test_every_way_to_hand_over_a_checkpoint_gives_the_same_weights(state: State, tmp_path: Path) -> None:
    parallel = {f"module.{key}": tensor for key, tensor in state.items()}
    torch.save({"epoch": 300, "state_dict": parallel}, tmp_path / "aimclr.pt")
    expected = from_authors("aimclr", state).state_dict()
    for source in (parallel, {"state_dict": state}, tmp_path / "aimclr.pt", str(tmp_path / "aimclr.pt")):
        found = from_authors("aimclr", source).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_stored_graph_is_checked_against_the_layout(state: State) -> None:
    graph = torch.from_numpy(spatial_partitions(LAYOUTS["ntu25"]))
    from_state(state | {"encoder_q.A": graph, "encoder_k.A": graph})
    with pytest.raises(KinemeError, match=r"encoder_k\.A is not that of layout 'ntu25'"):
        from_state(state | {"encoder_k.A": graph.flip(0)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({HEAD: None}, r"missing: encoder_q\.fc\.0\.weight"),
        ({"queue": None}, "missing: queue"),
        ({"queue_ptr": None}, "missing: queue_ptr"),
        ({"encoder_q.data_bn.weight": None}, r"missing: encoder_q\.data_bn\.weight"),
        ({"encoder_q.st_gcn_networks.2.tcn.2.weight": None}, r"missing: .*networks\.2\.tcn\.2\.weight"),
        ({"encoder_q.fc.4.weight": torch.zeros(2)}, r"unexpected: encoder_q\.fc\.4\.weight"),
        ({HEAD: torch.zeros(3, 256)}, r"encoder_q\.fc\.0\.weight \(3, 256\) instead of \(256, 256\)"),
        ({"encoder_q.st_gcn_networks.0.gcn.conv.bias": torch.zeros(4)}, r"gcn\.conv\.bias \(4,\) instead of"),
        ({"queue": torch.zeros(7)}, "missing: queue"),
        ({"queue": torch.zeros(64, 512)}, r"queue \(512, 64\) instead of \(512, 128\)"),
        ({"encoder_k.st_gcn_networks.0.gcn.conv.bias": torch.zeros(())}, r"gcn\.conv\.bias \(\) instead of"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    state: State, change: dict[str, torch.Tensor | None], message: str
) -> None:
    changed = state | change
    with pytest.raises(KinemeError, match=f"not a checkpoint of AimCLR: .*{message}"):
        from_state({key: tensor for key, tensor in changed.items() if tensor is not None})


def test_an_empty_state_and_another_layout_are_refused(state: State) -> None:
    with pytest.raises(KinemeError, match="missing: encoder_q"):
        from_state({})
    with pytest.raises(KinemeError, match="the checkpoint has 25 joints, layout 'coco17' 17"):
        from_state(state, LAYOUTS["coco17"])
