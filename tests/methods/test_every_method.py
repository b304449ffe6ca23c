"""Every method trains every encoder that fits it, on two layouts, by nothing but the common contract."""

import pytest
import torch
from stepping import PAIRS, SMALL, ragged_clips, small_method, step

from kineme.checkpoints import build_encoder, build_method
from kineme.encoders import ENCODERS, ClipShape
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.methods import METHODS

BATCH = 4


def test_every_registered_class_has_a_partner() -> None:
    assert {method for method, _ in PAIRS} == set(METHODS)
    assert {encoder for _, encoder in PAIRS} == set(ENCODERS)


@pytest.mark.parametrize(("layout", "bodies", "stream"), [("ntu25", 2, "joint"), ("coco17", 1, "bone")])
@pytest.mark.parametrize(("method_name", "encoder_name"), PAIRS)
def test_two_steps_move_all_weights(
    method_name: str, encoder_name: str, layout: str, bodies: int, stream: str
) -> None:
    torch.manual_seed(0)
    method = small_method(method_name, encoder_name, layout=layout, bodies=bodies, stream=stream)
    encoder = method.encoder
    clips, generator = ragged_clips(layout, bodies), torch.Generator().manual_seed(0)
    learning = {name: p for name, p in method.named_parameters() if p.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in learning.items()}
    optimizer = torch.optim.Adam(learning.values(), lr=1e-3)
    for number in range(2):
        views = method.views(clips[torch.arange(BATCH) + number * BATCH], generator)
        assert views[0].clips.shape[:4] == (BATCH, 3, 16, encoder.shape.layout.num_joints)
        for view in views:
            assert view.clips.shape[:2] == (BATCH, 3)
            assert view.clips.shape[3] == encoder.shape.layout.num_joints
            assert view.clips.shape[2] <= 16
            assert view.clips.shape[4] <= bodies
            assert view.mask is None or view.mask.shape == view.clips[:, 0].shape
        losses = step(method, views, progress=number / 2)
        assert all(torch.isfinite(value) for value in losses.values())
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    still = [name for name, parameter in learning.items() if torch.equal(parameter, before[name])]
    assert not still, f"no gradient reaches {still}"
    features = method.eval().encoder(views[0].clips)
    assert features.clip.shape == (BATCH, encoder.dim)


def test_an_encoder_that_does_not_fit_is_refused() -> None:
    encoder = build_encoder({"name": "stgcn", **SMALL["stgcn"]}, ClipShape(get_layout("coco17"), 16, 1))
    with pytest.raises(KinemeError, match=r"set encoder\.name to sttr or dste or disentangled"):
        build_method({"name": "usdrl"}, encoder)


@pytest.mark.parametrize(
    ("encoder_name", "method_settings", "encoder_settings", "complaint"),
    [
        ("stgcn", {"name": "aimclr", "queue": 8, "mining": 9}, {}, "mining: is 9; it must be at least 0 and"),
        ("stgcn", {"name": "aimclr", "queue": 0}, {}, "queue: is 0; it must be at least 1"),
        ("stgcn", {"name": "aimclr", "temperature": 0.0}, {}, "temperature: is 0.0; it must be more than 0"),
        ("stgcn", {"name": "aimclr"}, {"channels": ()}, "channels: is empty"),
        ("stgcn", {"name": "aimclr"}, {"channels": (8, -1)}, "channels: is -1; it must be at least 1"),
        ("stgcn", {"name": "aimclr"}, {"dropout": 2.0}, "dropout: is 2.0; it must be at least 0 and less"),
        ("sttr", {"name": "usdrl", "min_crop": -1.0}, {}, "min_crop: is -1.0; it must be at least 0 and"),
        ("mamp", {"name": "mamp", "mask_ratio": 0.999}, {}, "mask_ratio: 0.999 keeps 0 of 68 patches"),
        ("mamp", {"name": "mamp", "mask_ratio": 0.0}, {}, "mask_ratio: 0.0 keeps 68 of 68 patches"),
        ("mamp", {"name": "mamp", "temperature": 0.0}, {}, "temperature: is 0.0; it must be more than 0"),
        ("mamp", {"name": "mamp", "stride": 0}, {}, "stride: is 0; it must be at least 1"),
        ("mamp", {"name": "mamp", "decoder_hidden": 12}, {}, "decoder_hidden: 12 is not a multiple of the"),
        ("mamp", {"name": "mamp"}, {"patch": 3}, "patch: 3 does not divide the 16 frames of a clip"),
        ("mamp", {"name": "mamp"}, {"heads": 5}, "heads: 5 does not divide the hidden size 32"),
        ("slim", {"name": "slim", "prototypes": 0}, {}, "prototypes: is 0; it must be at least 1"),
        ("slim", {"name": "slim", "momentum": 1.5}, {}, "momentum: is 1.5; it must be at least 0"),
        ("slim", {"name": "slim", "global_crop": (0.9, 0.5)}, {}, "global_crop: 0.9 to 0.5 is not a range"),
        (
            "slim",
            {"name": "slim", "local_crops": [(8, 0.5, 1.5)]},
            {},
            "local_crops: 0.5 to 1.5 is not a range",
        ),
        ("slim", {"name": "slim", "local_crops": [(9, 0.5, 1.0)]}, {}, "local_crops: 9 frames are no whole"),
        ("slim", {"name": "slim", "student_temperature": 0.0}, {}, "student_temperature.*: must be more"),
        ("slim", {"name": "slim"}, {"patch": 5}, "patch: 5 does not divide the 16 frames of a clip"),
        ("slim", {"name": "slim"}, {"heads": 5}, "heads: 5 of an even width do not fit into the hidden size"),
        (
            "stgcn",
            {"name": "aimclr", "queue": 8, "momentum": 1.5},
            {},
            "momentum: is 1.5; it must be at least",
        ),
        ("mamp", {"name": "mamp", "min_frames": 0}, {}, "min_frames: is 0; it must be at least 1"),
        ("disentangled", {"name": "scdnet", "momentum": 1.5}, {}, "momentum: is 1.5; it must be at least 0"),
    ],
)
def test_settings_without_meaning_are_refused_by_name(
    encoder_name: str,
    method_settings: dict[str, object],
    encoder_settings: dict[str, object],
    complaint: str,
) -> None:
    shape = ClipShape(get_layout("coco17"), 16, 1)
    with pytest.raises(KinemeError, match=complaint):
        build_method(
            method_settings,
            build_encoder({"name": encoder_name, **SMALL[encoder_name], **encoder_settings}, shape),
        )
