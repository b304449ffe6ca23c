"""`Model.embed`: whatever it is given, the features are those of the same clips from a store."""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from kineme.checkpoints import build_encoder, save_encoder
from kineme.clips.batches import resident
from kineme.clips.retargeted import RetargetedStore
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.encoders import ClipShape
from kineme.errors import KinemeError
from kineme.layouts import Layout, get_layout
from kineme.loading import load_run
from kineme.model import Model
from kineme.preprocessing import parse_preprocessing
from kineme.settings import config_from_dict
from kineme.sources.poses import open_poses
from kineme.typing import Array

PREPROCESSINGS = ["plain", "plain(centre=clip, facing=True, scale=True)", "crossclr", "agcn"]


def recordings(layout: str, bodies: int, columns: int = 3, seed: int = 0) -> list[Array]:
    """Three recordings of people in metres, or in pixels, who drift and move at random."""
    rng, joints = np.random.default_rng(seed), get_layout(layout).num_joints
    found = []
    for frames in (40, 17, 70):
        pose = 0.4 * rng.normal(size=(1, bodies, joints, columns)) + np.arange(bodies)[:, None, None]
        drift = 0.02 * rng.normal(size=(frames, bodies, joints, columns)).cumsum(axis=0)
        found.append((pose + drift + 2) * (1 if columns == 3 else 100))
    return found


def model(folder: Path, preprocessing: str, layout: str, bodies: int, units: str | None = "metres") -> Model:
    """An untrained model, through its file."""
    config = config_from_dict(
        {
            "data": {"frames": 16, "stream": "bone"},
            "method": {"name": "usdrl"},
            "encoder": {"name": "sttr", "hidden": 16, "depth": 1},
            "evaluate": {"crop": 0.9},
        },
        "test",
    ).to_dict()
    torch.manual_seed(0)
    encoder = build_encoder(config["encoder"], ClipShape(get_layout(layout), 16, bodies, "bone"))
    prepared = parse_preprocessing(preprocessing)
    given = None if units is None else prepared.units(units)
    save_encoder(folder / "model.safetensors", encoder, prepared, config, 1, given)
    return load_run(folder)


def stored(path: Path, arrays: list[Array], preprocessing: str, layout: str, bodies: int) -> ClipStore:
    """What `prepare poses` makes of the arrays as files."""
    raw = path.with_name(f"{path.name}-raw")
    raw.mkdir()
    for row, array in enumerate(arrays):
        np.save(raw / f"clip{row}.npy", array.astype(np.float32))
    source, prepared = open_poses(raw, layout=layout), parse_preprocessing(preprocessing)
    manifest = Manifest(source.layout, prepared, "poses", units=prepared.units(source.units))
    with StoreWriter(path, manifest, bodies) as writer:
        for item in source.items:
            clip = source.read(item)
            writer.add(Clip(clip.name, prepared(clip.xyz, source.layout)))
    return ClipStore(path)


@pytest.mark.parametrize("bodies", [1, 2])
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_arrays_give_the_features_of_the_store(tmp_path: Path, preprocessing: str, bodies: int) -> None:
    arrays = recordings("ntu25", bodies)
    own = model(tmp_path, preprocessing, "ntu25", bodies)
    expected = own.embed(stored(tmp_path / "store", arrays, preprocessing, "ntu25", bodies))
    assert expected.shape == (3, 32)
    np.testing.assert_allclose(own.embed(arrays), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(own.embed(arrays[1]), expected[1], rtol=0, atol=1e-6)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize("preprocessing", [*PREPROCESSINGS, "ctrgcn"])
def test_an_encoder_of_one_body_reads_a_store_with_room_for_two(tmp_path: Path, preprocessing: str) -> None:
    arrays = recordings("ntu25", 1)
    own = model(tmp_path, preprocessing, "ntu25", 1)
    roomy = stored(tmp_path / "store", arrays, preprocessing, "ntu25", 2)
    assert roomy.bodies == 2
    np.testing.assert_allclose(own.embed(roomy), own.embed(arrays), rtol=0, atol=1e-6)


@pytest.mark.parametrize("preprocessing", ["plain", "plain(scale=True)", "agcn"])
def test_poses_in_an_image_give_the_features_of_the_store(tmp_path: Path, preprocessing: str) -> None:
    arrays = recordings("coco17", 1, columns=2)
    own = model(tmp_path, preprocessing, "coco17", 1, units="body sizes")
    expected = own.embed(stored(tmp_path / "store", arrays, preprocessing, "coco17", 1))
    np.testing.assert_allclose(own.embed(arrays), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(own.embed([array[:, 0] for array in arrays]), expected, rtol=0, atol=1e-6)


def test_images_from_above_and_from_the_side_are_not_taken_for_each_other(tmp_path: Path) -> None:
    arrays = recordings("coco17", 1, columns=2)
    above = model(tmp_path, "plain", "coco17", 1, units="body sizes from above")
    assert np.isfinite(above.embed(arrays, axes="above")).all()
    with pytest.raises(KinemeError, match="was trained on body sizes from above; set `axes` to above"):
        above.embed(arrays)
    side = model(tmp_path, "plain", "coco17", 1, units="body sizes")
    with pytest.raises(KinemeError, match="was trained on body sizes; leave out `axes`"):
        side.embed(arrays, axes="above")


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_joints_of_another_layout_are_found_by_name(tmp_path: Path, preprocessing: str) -> None:
    arrays = recordings("ntu25", 2)
    own = model(tmp_path, preprocessing, "kinect20", 2)
    store = stored(tmp_path / "store", arrays, preprocessing, "ntu25", 2)
    features = own.encode(resident(RetargetedStore(store, get_layout("kinect20"))))
    np.testing.assert_allclose(own.embed(store), features, rtol=0, atol=1e-6)
    np.testing.assert_allclose(own.embed(arrays, layout="ntu25"), features, rtol=0, atol=1e-6)


def test_what_a_recording_lacks_is_left_out_in_whichever_way_it_comes(tmp_path: Path) -> None:
    arrays = recordings("coco17", 1)
    lacking = [np.where(np.arange(17)[:, None] == 9, np.nan, array) for array in arrays]  # no left wrist
    own = model(tmp_path, "plain", "coco17", 1)
    features = own.embed(lacking)
    elsewhere = [np.where(np.arange(17)[:, None] == 9, 0, array) for array in arrays]  # zero is absent too
    np.testing.assert_allclose(own.embed(elsewhere), features, rtol=0, atol=1e-6)
    assert np.abs(own.embed(arrays) - features).max() > 1e-3
    folder = tmp_path / "poses"
    folder.mkdir()
    for number, array in enumerate(lacking):
        np.save(folder / f"{number}.npy", array)
    found = own.embed(folder, layout="coco17", fps=30.0)
    np.testing.assert_allclose(found, features, rtol=0, atol=1e-6)


def test_joints_that_names_do_not_tell_are_mapped(tmp_path: Path) -> None:
    """The body without its hands, and with them where a map says which joints they are."""
    own = model(tmp_path, "plain", "ntu25", 1)
    ntu = get_layout("ntu25")
    names = [f"joint{i}" if "hand" in name else name for i, name in enumerate(ntu.joints)]
    parents = [None if parent == -1 else names[parent] for parent in ntu.parents]
    other = Layout.from_names("other", names, parents)
    (clip, *_) = recordings("ntu25", 1)
    hands = {name: [names[i]] for i, name in enumerate(ntu.joints) if "hand" in name}
    found = own.embed(clip, layout=other, joint_map=hands)
    np.testing.assert_allclose(found, own.embed(clip), rtol=0, atol=1e-5)
    wrists = own.embed(clip, layout=other, joint_map={name: ["left_wrist"] for name in hands})
    assert np.abs(wrists - found).max() > 1e-3


def test_files_give_the_features_of_their_arrays(tmp_path: Path) -> None:
    arrays = recordings("ntu25", 1)
    own = model(tmp_path, "plain", "ntu25", 1)
    np.save(tmp_path / "walk.npy", arrays[0].astype(np.float32))
    found = own.embed(tmp_path / "walk.npy", layout="ntu25")
    np.testing.assert_allclose(found, own.embed(arrays[0])[None], rtol=0, atol=1e-6)


def test_a_store_s_path_will_do(tmp_path: Path, moves: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_from_dict(
        {
            "data": {"frames": 8},
            "method": {"name": "usdrl"},
            "encoder": {"name": "sttr", "hidden": 8},
        },
        "test",
    ).to_dict()
    encoder = build_encoder(config["encoder"], ClipShape(ClipStore(moves).layout, 8, 2))
    save_encoder(tmp_path / "model.safetensors", encoder, parse_preprocessing("plain"), config)
    with caplog.at_level(logging.INFO, "kineme"):
        assert load_run(tmp_path).embed(str(moves)).shape == (24, 16)
    assert not caplog.records


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_batches_and_precision_change_little(tmp_path: Path, precision: str) -> None:
    arrays, own = recordings("ntu25", 1), model(tmp_path, "plain", "ntu25", 1)
    told: list[tuple[int, int]] = []
    found = own.embed(
        arrays, batch_size=2, precision=precision, progress=lambda done, total: told.append((done, total))
    )
    np.testing.assert_allclose(found, own.embed(arrays), atol=1e-6 if precision == "float32" else 0.1)
    assert told == [(2, 3), (3, 3)]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    arrays, own = recordings("ntu25", 2), model(tmp_path, "plain", "ntu25", 1)
    refusals = {
        "shows 2 bodies, but the encoder reads 1": lambda: own.embed(arrays),
        "has 17 joints, and layout ntu25 has 25": lambda: own.embed(recordings("coco17", 1)),
        "expected numbers of shape": lambda: own.embed(np.zeros((4, 25))),
        "has nobody in any frame": lambda: own.embed(np.zeros((4, 25, 3))),
        "no arrays are given": lambda: own.embed([]),
        "trained on metres; use a model that was trained on such recordings": lambda: own.embed(
            recordings("ntu25", 1, columns=2)
        ),
        "nowhere": lambda: own.embed(tmp_path / "nowhere"),
        "metres tall": lambda: own.embed([1000 * array[:, :1] for array in arrays]),
        "`batch_size`: is -1; it must be at least 1": lambda: own.embed(arrays[0][:, :1], batch_size=-1),
        "`precision`: is fp16; it must be float32 or bfloat16": lambda: own.embed(
            arrays[0][:, :1], precision="fp16"
        ),
        "`device`: is nowhere, which PyTorch does not find here": lambda: own.embed(
            arrays[0][:, :1], device="nowhere"
        ),
        # clips in one array, (N, T, V, C)
        r"array 0: has 17 people in each of 3 frames; if these are 3 clips, .* list\(array\)": lambda: (
            own.embed(np.stack([array[:17, 0] for array in arrays]))
        ),
    }
    for message, attempt in refusals.items():
        with pytest.raises(KinemeError, match=message) as refusal:
            attempt()
        assert "\n" not in str(refusal.value)


def test_a_store_of_another_preprocessing_is_refused_unless_allowed(tmp_path: Path) -> None:
    arrays, own = recordings("ntu25", 1), model(tmp_path, "plain", "ntu25", 1)
    store = stored(tmp_path / "store", arrays, "agcn", "ntu25", 1)
    with pytest.raises(KinemeError, match=r"was prepared by agcn, the encoder was trained on plain"):
        own.embed(store)
    assert own.embed(store, allow_preprocessing=True).shape == (3, 32)


def test_an_encoder_that_is_where_it_is_needed_is_not_copied(tmp_path: Path) -> None:
    own = model(tmp_path, "plain", "coco17", 1)
    assert own.on("cpu") is own
    own.encoder.train()
    evaluating = own.on("cpu")
    assert evaluating.encoder is not own.encoder
    assert (evaluating.encoder.training, own.encoder.training) == (False, True)
    assert evaluating.weights == own.weights
    away = own.on("meta")
    assert {each.device.type for each in away.encoder.parameters()} == {"meta"}
    assert {each.device.type for each in own.encoder.parameters()} == {"cpu"}
    assert away.encoder.training is False


def test_features_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    own = model(tmp_path, "plain", "ntu25", 1)
    with torch.no_grad():
        next(own.encoder.parameters()).fill_(torch.nan)
    with pytest.raises(KinemeError, match="NaN or infinite because its training diverged"):
        own.embed(recordings("ntu25", 1))


def test_many_people_who_come_and_go_are_one_clip(tmp_path: Path) -> None:
    """The strongest is read, as of fewer people."""
    own, clip = model(tmp_path, "plain", "ntu25", 2), recordings("ntu25", 20)[0]
    clip[5:9, 3] = np.nan
    assert own.embed(clip).shape == (32,)


def test_a_model_shows_what_it_is(tmp_path: Path) -> None:
    expected = "<Model usdrl, 1 epoch: 16 frames, 2 bodies, ntu25, bone, plain → 32 features>"
    assert repr(model(tmp_path, "plain", "ntu25", 2)) == expected


def test_tensors_are_arrays(tmp_path: Path) -> None:
    """Also such as a network has just given."""
    own, clips = model(tmp_path, "plain", "ntu25", 1), recordings("ntu25", 1)
    tensors = [torch.tensor(clip, requires_grad=True) for clip in clips]
    np.testing.assert_array_equal(own.embed(tensors), own.embed(clips))
    np.testing.assert_array_equal(own.embed(tensors[0]), own.embed(clips[0]))


def test_threads_may_share_a_model_and_it_can_be_pickled(tmp_path: Path) -> None:
    own = model(tmp_path, "plain", "coco17", 1)
    arrays = [each[:, 0] for each in recordings("coco17", 1)]
    alone = [own.embed(each) for each in arrays]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(own.embed, arrays * 8))
    np.testing.assert_allclose(together, alone * 8, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(own)).embed(arrays[0]), alone[0], rtol=1e-5)
