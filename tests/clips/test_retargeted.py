"""A store in another layout holds what preparing recordings of that layout would have given."""

import numpy as np
import pytest

from kineme.clips.retargeted import RetargetedStore
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS, Layout
from kineme.layouts.body import BODY, body_places
from kineme.layouts.correspondence import correspondence
from kineme.preprocessing import parse_preprocessing

NTU, KINECT = LAYOUTS["ntu25"], LAYOUTS["kinect20"]


def recordings(layout: Layout, bodies: int = 2) -> list[np.ndarray]:
    """Three clips of people whose joints lie anywhere, but whose shoulders point one way all the time.

    The first body is the larger one; in the second clip the second body is absent at first.
    """
    rng = np.random.default_rng(1)
    clips = []
    for frames in (12, 20, 9):
        posture = rng.normal(size=(1, bodies, layout.num_joints, 3)) * np.array([2, 1])[:bodies, None, None]
        posture[..., layout.facing[1], :] = posture[..., layout.facing[0], :] + [1, 0.2, 1]
        path = np.cumsum(rng.normal(0, 0.1, (frames, bodies, 1, 3)), axis=0)
        clips.append(2 + posture + path + rng.normal(0, 0.05, (frames, bodies, layout.num_joints, 3)))
    clips[1][:5, 1:] = 0
    return clips


def write(path, layout, line, clips, bodies=2) -> ClipStore:
    preprocessing = parse_preprocessing(line)
    manifest = Manifest(layout, preprocessing, "test", ("a", "b"))
    with StoreWriter(path, manifest, bodies=bodies) as writer:
        for i, xyz in enumerate(clips):
            prepared = preprocessing(xyz.astype(np.float32), layout)
            writer.add(Clip(f"clip{i}", prepared, label=i % 2, subject=str(i)))
    return ClipStore(path)


@pytest.mark.parametrize(
    "line", ["plain", "plain(facing=True)", "plain(facing=True, scale=True, centre=clip)"]
)
def test_it_is_as_if_prepared_in_that_layout(tmp_path, line):
    clips = recordings(NTU)
    weights = correspondence(NTU, KINECT)
    mapped = RetargetedStore(write(tmp_path / "ntu", NTU, line, clips), KINECT)
    direct = write(tmp_path / "kinect", KINECT, line, [weights @ xyz for xyz in clips])
    # As large as the clips, a ten-thousandth of which is a tenth of a millimetre.
    np.testing.assert_allclose(mapped.frames, direct.frames, atol=1e-4)
    assert (mapped.clip(1)[:5, 1] == 0).all() == (direct.clip(1)[:5, 1] == 0).all()


def test_crossclr_is_so_up_to_the_few_degrees_that_its_angle_leaves_open(tmp_path):
    """Of clips whose shoulders never cross the line of sight: there it turns some frames the wrong way."""
    clips = recordings(NTU)
    mapped = RetargetedStore(write(tmp_path / "ntu", NTU, "crossclr", clips), KINECT)
    direct = write(
        tmp_path / "kinect", KINECT, "crossclr", [correspondence(NTU, KINECT) @ xyz for xyz in clips]
    )
    away = np.linalg.norm((mapped.frames - direct.frames)[..., [0, 2]], axis=-1)
    radius = np.linalg.norm(direct.frames[..., [0, 2]], axis=-1)
    assert (away <= np.radians(3) * radius + 1e-5).all()
    np.testing.assert_allclose(mapped.frames[..., 1], direct.frames[..., 1], atol=1e-5)  # heights are exact


def test_agcn_aligns_the_shoulders_of_the_new_layout(tmp_path):
    vague = Layout.from_names("vague", NTU.joints, NTU.parents, facing=["left_elbow", "right_hip"])
    store = write(tmp_path / "ntu", vague, "agcn", recordings(NTU))
    mapped = RetargetedStore(store, KINECT)
    left, right = KINECT.facing
    before = np.diff(store.clip(0)[0, 0, list(NTU.facing)], axis=0)[0]
    after = mapped.clip(0)[0, 0, right] - mapped.clip(0)[0, 0, left]
    assert before[0] / np.linalg.norm(before) < 0.99
    assert after[0] / np.linalg.norm(after) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("source", "target"), [("ntu25", "smpl22"), ("coco17", "ntu25")])
def test_agcn_does_not_take_a_joint_in_the_origin_for_a_missing_one(tmp_path, source, target):
    """The middle of the spine, or that of the shoulders, is where agcn puts it: bones keep their lengths."""
    source, target = LAYOUTS[source], LAYOUTS[target]
    clips = recordings(source, bodies=1)
    mapped = RetargetedStore(write(tmp_path / "store", source, "agcn", clips, bodies=1), target)
    child, parent = np.transpose(target.bones)
    for row, xyz in enumerate(clips):
        found, given = mapped.clip(row), correspondence(source, target) @ xyz
        lengths = [
            np.linalg.norm(each[..., child, :] - each[..., parent, :], axis=-1) for each in (found, given)
        ]
        np.testing.assert_allclose(*lengths, atol=1e-4)


def test_it_says_what_it_is(tmp_path):
    store = write(tmp_path / "ntu", NTU, "plain", recordings(NTU))
    mapped = RetargetedStore(store, KINECT, {"head": ("head", "neck")})
    assert (mapped.layout, len(mapped), mapped.bodies) == (KINECT, 3, 2)
    assert mapped.manifest.preprocessing == store.manifest.preprocessing
    assert mapped.joint_map["head"] == {"neck": 0.5, "head": 0.5}
    assert mapped.joint_map["spine"] == {"spine_base": 0.8, "spine_shoulder": 0.2}
    assert mapped.names.tolist() == ["clip0", "clip1", "clip2"]
    assert mapped.index is store.index
    assert store.layout == NTU  # the store itself stays as it was


def test_the_fingerprint_tells_the_clips_the_layout_and_the_map(tmp_path):
    store = write(tmp_path / "ntu", NTU, "plain", recordings(NTU))
    other = write(tmp_path / "other", NTU, "plain", recordings(NTU)[:2])
    views = [
        store,
        RetargetedStore(store, KINECT),
        RetargetedStore(other, KINECT),
        RetargetedStore(store, LAYOUTS["coco17"]),
        RetargetedStore(store, KINECT, {"head": ("neck",)}),
    ]
    assert len({view.manifest.fingerprint for view in views}) == len(views)
    assert views[1].manifest.fingerprint == RetargetedStore(store, KINECT).manifest.fingerprint


def test_bodies_that_a_clip_lacks_stay_zero(tmp_path):
    store = write(tmp_path / "one", NTU, "plain(scale=True)", recordings(NTU, bodies=1))
    mapped = RetargetedStore(store, KINECT)
    assert mapped.frames.shape == (41, 2, 20, 3)
    assert (mapped.frames[:, 1] == 0).all()
    assert mapped.frames[:, 0].any(axis=(1, 2)).all()


def test_in_the_body_joints_keep_their_places_and_the_others_are_absent(tmp_path):
    clips = recordings(NTU)
    store = write(tmp_path / "ntu", NTU, "plain(facing=True)", clips)
    mapped = RetargetedStore(store, BODY)
    places = list(body_places(NTU))
    np.testing.assert_allclose(mapped.frames[:, :, places], store.frames, atol=1e-5)
    assert mapped.present.shape == (3, 59)
    assert [np.flatnonzero(row).tolist() for row in mapped.present] == [sorted(places)] * 3


def test_the_body_takes_joints_whose_names_tell_nothing_and_those_of_a_joint_map(tmp_path):
    """Two joints of unknown names: by position one is the pelvis, the other a hand, which the map moves."""
    arm = Layout.from_names("arm", ["hub", "left_x", "right_x"], [None, 0, 0])
    clips = [np.random.default_rng(0).normal(size=(5, 1, 3, 3))]
    store = write(tmp_path / "arm", arm, "plain", clips, bodies=1)
    mapped = RetargetedStore(store, BODY)
    assert [BODY.joints[joint] for joint in np.flatnonzero(mapped.present[0])] == [
        "pelvis", "left_collar", "right_collar"
    ]  # fmt: skip
    moved = RetargetedStore(store, BODY, {"left_hand": ("left_x",)})
    assert moved.present[0, BODY.joints.index("left_hand")]
    np.testing.assert_allclose(moved.frames[:, :, BODY.joints.index("left_hand")], store.frames[:, :, 1])


def test_a_joint_that_a_clip_lacks_is_absent_from_its_body(tmp_path):
    clips = recordings(NTU, bodies=1)
    head = NTU.joints.index("head")
    manifest = Manifest(NTU, parse_preprocessing("plain"), "test")
    with StoreWriter(tmp_path / "store", manifest, bodies=1) as writer:
        for number, xyz in enumerate(clips):
            writer.add(Clip(str(number), xyz.astype(np.float32), present=np.arange(25) != head + number))
    mapped = RetargetedStore(ClipStore(tmp_path / "store"), BODY)
    lost = [set(body_places(NTU)) - set(np.flatnonzero(row)) for row in mapped.present]
    assert lost == [{body_places(NTU)[head + number]} for number in range(3)]


def test_joints_that_cannot_be_placed_are_named(tmp_path):
    robot = Layout.from_names("robot", ["hip", "claw"], [None, 0])
    store = write(tmp_path / "ntu", NTU, "plain", recordings(NTU))
    with pytest.raises(KinemeError, match="to place these of 'robot': claw; "):
        RetargetedStore(store, robot)
