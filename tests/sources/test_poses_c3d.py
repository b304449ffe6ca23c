"""C3D: every dialect by value, against ezc3d on a true file, and what of a file are joints."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.c3d_writer import DEC, INTEL, MIPS, c3d_bytes, write_by_ezc3d

from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.c3d import c3d_notes, c3d_poses
from kineme.sources.poses.c3d_file import open_c3d
from kineme.sources.poses.fitting import fit
from kineme.sources.raw import RemediedError, SkeletonError
from kineme.typing import Array

SERVE = Path(__file__).parents[1] / "mocap" / "tennis_serve.c3d"


def read(data: bytes) -> Poses:
    return c3d_poses(np.frombuffer(data, np.uint8))


def some(frames: int = 4, count: int = 3) -> Array:
    return np.round(np.random.default_rng(0).normal(size=(frames, count, 3)) * 800)


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [-1.0, 0.5])
def test_floats_and_integers_of_every_processor(processor: int, scale: float) -> None:
    points = some()
    points[1, 2] = np.nan
    data = c3d_bytes(points, ["A", "B", "C"], processor=processor, scale=scale, analog=5, rate=59.94)
    poses = read(data)
    assert poses.joints == ("A", "B", "C")
    np.testing.assert_allclose(poses.points[:, 0], points, atol=0.26 if scale > 0 else 1e-3)
    assert (poses.scale, c3d_notes(data[:2048])) == (0.001, {"fps": 59.94})


def test_a_true_file_is_read_as_ezc3d_reads_it() -> None:
    ezc3d = pytest.importorskip("ezc3d")
    file = ezc3d.c3d(str(SERVE))
    labels = [label.removeprefix("Derrick:") for label in file["parameters"]["POINT"]["LABELS"]["value"]]
    poses = read(SERVE.read_bytes())
    assert poses.joints == tuple(labels)
    np.testing.assert_array_equal(
        poses.points[:, 0], file["data"]["points"][:3].transpose(2, 1, 0).astype("f4")
    )


def test_the_hips_of_the_tennis_player() -> None:
    """As high as the mean of the four markers of the pelvis in frame 0, read from their bytes."""
    data = SERVE.read_bytes()
    labels = read(data).joints
    start = (int.from_bytes(data[16:18], "little") - 1) * 512  # word 9 of the header, in blocks
    floats = np.frombuffer(data[start : start + 39 * 16], "<f4").reshape(39, 4)
    height = np.mean([floats[labels.index(marker), 2] for marker in ("LASI", "RASI", "LPSI", "RPSI")])
    source = open_poses(SERVE)
    clip = source.read(source.items[0])
    assert (source.layout.name, source.fps, source.fps_known, source.units) == (
        "kinect20",
        50,
        True,
        "metres",
    )
    assert clip.xyz.shape == (30, 1, 20, 3)
    assert clip.xyz[0, 0, 0, 1] == pytest.approx(height, abs=1e-6)
    assert 0.9 < height < 1.2


def test_poses_of_segments_are_where_they_begin(tmp_path: Path) -> None:
    """Theia3D's poses, as ezc3d writes them: the last column is the place."""
    pytest.importorskip("ezc3d")
    names = ["worldbody_4X4", "pelvis_4X4", "l_thigh_4X4"]
    turned = np.zeros((4, 4, 3, 6))
    turned[:3, :3] = np.eye(3)[..., None, None]
    turned[:3, 3] = np.random.default_rng(0).normal(size=(3, 3, 6)) * 900
    turned[3, 3] = 1
    parameters: Any = {"POINT": {"RATE": [85.0]}, "ROTATION": {"RATE": [85.0], "LABELS": names}}
    write_by_ezc3d(tmp_path / "theia.c3d", np.zeros((3, 0, 6)), parameters, turned)
    data = (tmp_path / "theia.c3d").read_bytes()
    poses = read(data)
    assert (poses.joints, c3d_notes(data)) == (("pelvis", "l_thigh"), {"fps": 85.0})
    np.testing.assert_allclose(poses.points[:, 0], turned[:3, 3, 1:].transpose(2, 1, 0), rtol=1e-6)


def test_angles_and_forces_and_markers_without_a_name_are_no_places() -> None:
    labels = ["LASI", "*7", "LKneeAngles", "RGroundForce", "RASI", ""]
    groups: Any = {"POINT": {"ANGLES": ["LKneeAngles"], "FORCES": ["RGroundForce"]}}
    assert read(c3d_bytes(some(count=6), labels, more=groups)).joints == ("LASI", "RASI")


def test_people_are_told_apart_by_prefix() -> None:
    points = some(count=5)
    poses = read(c3d_bytes(points, ["anna:LASI", "anna:RASI", "racket", "bea:RASI", "bea:LASI"]))
    assert poses.joints == ("LASI", "RASI")
    np.testing.assert_array_equal(poses.points[:, 0], points[:, [0, 1]])
    np.testing.assert_array_equal(poses.points[:, 1], points[:, [4, 3]])


def test_long_lists_of_labels_go_on_in_a_second_one() -> None:
    labels = [f"M{number}" for number in range(300)]
    groups: Any = {"POINT": {"LABELS": labels[:255], "LABELS2": labels[255:]}}
    assert read(c3d_bytes(some(count=300), labels[:255], more=groups)).joints == tuple(labels)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"no", "is not a C3D file"),
        (lambda data: data[:2] + b"\xff\xff" + data[4:2000], "it is cut off or damaged|has no markers"),
        (lambda data: data[:-1024], "says 30 frames and has 28; it is cut off"),
        (lambda data: data[:515] + b"\x07" + data[516:], "unknown processor"),
    ],
)
def test_damage_is_refused(damage: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(damage(SERVE.read_bytes()))


@pytest.mark.parametrize(
    "groups",
    [
        {"POINT": {"FRAMES": [70_000.0]}},
        {"POINT": {"FRAMES": [65535], "LONG_FRAMES": [70_000.0]}},
        {"POINT": {"FRAMES": [65535]},
         "TRIAL": {"ACTUAL_START_FIELD": [11, 0], "ACTUAL_END_FIELD": [70_010 - 65536, 1]}},
        {"POINT": {"FRAMES": [70_000 - 65536], "LONG_FRAMES": [70_000.0]}},  # what 16 bits have of it
        {"POINT": {"FRAMES": [65535]}},  # as ezc3d writes it
    ],
)  # fmt: skip
def test_more_frames_than_16_bits_can_say(groups: Any) -> None:
    rows = np.arange(70_000 * 8, dtype="<f4").reshape(-1, 2, 4)
    data = bytearray(c3d_bytes(some(1, 2), ["A", "B"], more=groups))
    data[6:10] = np.array([1, 65535], "<u2").tobytes()
    start = (int.from_bytes(data[16:18], "little") - 1) * 512
    poses = read(bytes(data[:start]) + rows.tobytes())
    np.testing.assert_array_equal(poses.points[:, 0], rows[..., :3])


@pytest.mark.parametrize("trial", [{}, {"TRIAL": {"ACTUAL_START_FIELD": [1, 0], "ACTUAL_END_FIELD": [9, 0]}}])
def test_frames_are_those_of_the_file_and_not_of_the_cameras(trial: Any) -> None:
    """The header keeps the numbers of the recording from which a part was cut."""
    data = bytearray(c3d_bytes(some(), ["A", "B", "C"], more=trial))
    data[6:10] = np.array([21, 920], "<u2").tobytes()
    assert len(read(bytes(data)).points) == 4


def test_the_header_says_what_parameters_do_not() -> None:
    data = (
        c3d_bytes(some(), ["A", "B", "C"], rate=59.94).replace(b"RATE", b"SITE").replace(b"FRAMES", b"CHAIRS")
    )
    assert len(read(data).points) == 4
    assert c3d_notes(data) == {"fps": 59.94}


def test_claims_are_not_believed() -> None:
    """A billion frames by TRIAL's two 16-bit halves."""
    groups: Any = {
        "POINT": {"FRAMES": [65535]},
        "TRIAL": {"ACTUAL_START_FIELD": [1, 0], "ACTUAL_END_FIELD": [51712, 15258]},
    }
    with pytest.raises(ValueError, match="says 1,000,000,000 frames; expected up to 1,000,000"):
        read(c3d_bytes(some(), ["A", "B", "C"], more=groups))


def test_analog_channels_are_never_unpacked(tmp_path: Path) -> None:
    """800 channels of 16 bits beside three markers: what is read is a view of the file."""
    import tracemalloc

    data = c3d_bytes(some(2000), ["A", "B", "C"], scale=0.5, analog=800)
    (tmp_path / "forces.c3d").write_bytes(data)
    buffer = np.memmap(tmp_path / "forces.c3d", np.uint8, "r")
    tracemalloc.start()
    points, _ = open_c3d(buffer).points()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert points.shape == (2000, 3, 3)
    assert peak < 1_000_000 < len(data)


def test_markers_of_plug_in_gait_are_means_of_markers(tmp_path: Path) -> None:
    source = open_poses(SERVE)
    clip = source.read(source.items[0])
    raw = read(SERVE.read_bytes())
    place = {name: raw.points[:, 0, i] for i, name in enumerate(raw.joints)}
    wrist = (place["LWRA"] + place["LWRB"]) / 2
    hip = 0.5 * place["RASI"] + 0.1 * place["LASI"] + 0.25 * place["RPSI"] + 0.15 * place["RKNE"]
    for joint, expected in (("left_wrist", wrist), ("right_hip", hip)):
        found = clip.xyz[:, 0, source.layout.joints.index(joint)]
        np.testing.assert_allclose(found, expected[:, [0, 2, 1]] * [1, 1, -1], atol=1e-5)
    assert math.isclose(np.linalg.norm(clip.xyz[0, 0, 12] - clip.xyz[0, 0, 16]), 0.2, abs_tol=0.05)


def both(*labels: str) -> list[str]:
    """Those of the left side, and of the right one."""
    return [*labels, *(f"R{label[1:]}" for label in labels)]


def without(*names: str) -> Poses:
    """The serve without some of its markers."""
    raw = read(SERVE.read_bytes())
    kept = [at for at, name in enumerate(raw.joints) if name not in names]
    return replace(raw, points=raw.points[:, :, kept], joints=tuple(raw.joints[at] for at in kept))


def test_shoulders_and_pelvis_stand_for_a_spine_without_markers(caplog: pytest.LogCaptureFixture) -> None:
    """Else the arms would be left out for want of C7."""
    poses = without("C7", "T10")
    chosen = fit(poses, None, None, "serve")
    found = chosen(poses)
    place = {name: poses.points[:, 0, at] for at, name in enumerate(poses.joints)}
    shoulders = (place["LSHO"] + place["RSHO"]) / 2
    pelvis = (place["LASI"] + place["RASI"] + place["LPSI"] + place["RPSI"]) / 4
    for joint, expected in (("shoulder_center", shoulders), ("spine", 0.8 * pelvis + 0.2 * shoulders)):
        np.testing.assert_allclose(found.points[:, 0, found.joints.index(joint)], expected, atol=1e-3)
    assert not caplog.records


def test_markers_that_are_not_used_are_named(caplog: pytest.LogCaptureFixture) -> None:
    poses = without("LFHD", "RFHD")
    assert fit(poses, None, None, "serve").layout.name == "legs9"
    assert (
        "markers of Plug-in Gait for spine, shoulder_center, left_shoulder, ... are not used, as head cannot "
        "be placed; the layout is legs9. To use them, set `layout` to kinect20, and `joint_map` to a file "
        "that says what stands for head"
    ) in caplog.text
    mapped = fit(poses, LAYOUTS["kinect20"], {"head": ("LBHD", "RBHD")}, "serve")(poses)
    whole = read(SERVE.read_bytes())
    full = fit(whole, None, None, "serve")(whole)
    same = [at for at, joint in enumerate(full.joints) if joint != "head"]
    np.testing.assert_array_equal(mapped.points[:, :, same], full.points[:, :, same])
    back = [poses.joints.index(name) for name in ("LBHD", "RBHD")]
    head = mapped.points[:, :, mapped.joints.index("head")]
    np.testing.assert_allclose(head, poses.points[:, :, back].mean(axis=2), rtol=1e-5)


def test_markers_that_another_file_lacks_are_told_with_what_helps() -> None:
    chosen = fit(without(), None, None, "serve")
    with pytest.raises(RemediedError) as one:
        chosen(without("LASI"))
    assert str(one.value) == (
        "lacks 'LASI', from which the joint 'hip_center' is placed; label it there, or say by `joint_map` "
        "what stands for that joint"
    )
    others = [name for name in without().joints if name[0] in "LR"]
    with pytest.raises(SkeletonError, match=r"has another skeleton than the first file: it lacks '.ASI'"):
        chosen(without(*others))


WAIST = ["WaistLFront", "WaistRFront"]
ANIMATION = [
    *("HeadL", "HeadTop", "HeadR", "HeadFront", "SpineTop", "Chest", "BackL", "BackR"),
    *(*WAIST, "WaistLBack", "WaistRBack"),
    *both("LShoulderTop", "LShoulderBack", "LArm", "LElbowOut", "LWristOut", "LWristIn", "LHandOut"),
    *both("LHandIn", "LThigh", "LKneeOut", "LShin", "LAnkleOut", "LHeelBack", "LForefootOut", "LForefootIn"),
]
SPORTS = [
    *("HeadL", "HeadR", "HeadFront", "SpineThoracic2", "SpineThoracic12", "Chest"),
    *(*WAIST, "WaistL", "WaistR", "WaistBack"),
    *both("LShoulderTop", "LArm", "LElbowOut", "LElbowIn", "LWristOut", "LWristIn", "LHand2"),
    *both("LThighFrontLow", "LKneeOut", "LKneeIn", "LShinFrontHigh", "LAnkleOut", "LHeelBack", "LForefoot2"),
]
SEGMENTS = (
    "worldbody pelvis l_thigh l_shank l_foot l_toes r_thigh r_shank r_foot r_toes torso l_clavicle l_uarm "
    "l_larm l_hand r_clavicle r_uarm r_larm r_hand neck head"
).split()


@pytest.mark.parametrize("form", ["{}", "Q_{}", "251112_KUO_{}", "dan:{}"])
@pytest.mark.parametrize(("labels", "back"), [(ANIMATION, "WaistLBack"), (SPORTS, "WaistBack")])
def test_markers_of_qualisys_by_any_prefix(tmp_path: Path, labels: list[str], back: str, form: str) -> None:
    """As ezc3d writes them."""
    pytest.importorskip("ezc3d")
    points = np.random.default_rng(2).normal(size=(6, len(labels), 3)) * 300 + [0, 0, 900]
    named = [form.format(label) for label in labels]
    parameters: Any = {"POINT": {"RATE": [100.0], "UNITS": ["mm"], "LABELS": named}}
    write_by_ezc3d(tmp_path / "run.c3d", points.transpose(2, 1, 0), parameters)
    source = open_poses(tmp_path / "run.c3d", axes="z-up")
    assert (source.layout.name, source.fps) == ("kinect20", 100)
    clip = source.read(source.items[0])
    at = {label: points[:, place] / 1000 for place, label in enumerate(labels)}
    wrist = (at["RWristOut"] + at["RWristIn"]) / 2
    hip = 0.5 * at["WaistLFront"] + 0.1 * at["WaistRFront"] + 0.25 * at[back] + 0.15 * at["LKneeOut"]
    for joint, expected in (("right_wrist", wrist), ("left_hip", hip)):
        found = clip.xyz[:, 0, source.layout.joints.index(joint)]
        np.testing.assert_allclose(found, expected[:, [0, 2, 1]] * [1, 1, -1], atol=1e-5)


def test_segments_of_theia_are_a_body(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    turned = np.zeros((4, 4, len(SEGMENTS), 6))
    turned[:3, :3] = np.eye(3)[..., None, None]
    turned[:3, 3] = np.random.default_rng(0).normal(size=(3, len(SEGMENTS), 6)) * 500
    turned[3, 3] = 1
    segments = [f"{segment}_4X4" for segment in SEGMENTS]
    point: Any = {"RATE": [85.0], "UNITS": ["mm"]}
    parameters: Any = {"POINT": point, "ROTATION": {"RATE": [85.0], "LABELS": segments}}
    write_by_ezc3d(tmp_path / "theia.c3d", np.zeros((3, 0, 6)), parameters, turned)
    source = open_poses(tmp_path / "theia.c3d", axes="z-up")
    assert (source.layout.name, source.fps) == ("kinect20", 85)
    elbow = source.read(source.items[0]).xyz[:, 0, source.layout.joints.index("left_elbow")]
    x, y, z = turned[:3, 3, SEGMENTS.index("l_larm")] / 1000
    np.testing.assert_allclose(elbow, np.stack([x, z, -y], axis=-1), atol=1e-5)


def test_other_markers_need_a_map(tmp_path: Path) -> None:
    labels = ["head1", "head2", "back", "hip_l", "hip_r"]
    (tmp_path / "odd.c3d").write_bytes(c3d_bytes(some(8, 5) / 2, labels))
    (tmp_path / "pair.yaml").write_text("name: pair\njoints: [hip, head]\nparents: [null, hip]\n")
    with pytest.raises(
        KinemeError, match="joints: head1, head2, back, …; 5 of them, none of the built-in"
    ) as error:
        open_poses(tmp_path / "odd.c3d")
    assert "kineme layouts --template" in str(error.value)
    given: Any = {"hip": ["hip_l", "hip_r"], "head": ["head1", "head2"]}
    pair = str(tmp_path / "pair.yaml")
    source = open_poses(tmp_path / "odd.c3d", layout=pair, joint_map=given, axes="y-up", units="0.001")
    clip = source.read(source.items[0])
    raw = read((tmp_path / "odd.c3d").read_bytes()).points[:, 0]
    np.testing.assert_allclose(clip.xyz[:, 0, 0], raw[:, 3:].mean(axis=1) / 1000, rtol=1e-5, atol=1e-6)
    with pytest.raises(KinemeError, match="`joint_map`: name the layout"):
        open_poses(tmp_path / "odd.c3d", joint_map=given)
