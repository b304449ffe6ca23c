"""Tables of Motive, Nexus and Qualisys, by value: the same markers as in a C3D file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Poses
from kineme.sources.poses.c3d import c3d_poses
from kineme.sources.poses.labs import is_lab, lab_notes, lab_poses
from kineme.typing import Array

SERVE = Path(__file__).parents[1] / "mocap" / "tennis_serve.c3d"
PAIR = ["hip", "head"]
POINTS = np.arange(1, 13, dtype=np.float64).reshape(2, 2, 3) * 100


def cells(points: Array) -> list[list[str]]:
    """Numbers of each frame; gaps are empty."""
    return [["" if np.isnan(each) else f"{each:.3f}" for each in frame.ravel()] for frame in points]


def motive(
    names: Sequence[str], points: Array, types: Sequence[str] | None = None, units: str = "Millimeters"
) -> bytes:
    """As Motive 2 and 3 write it, with a rotation before each place and the error of its markers after it."""
    types = types or ["Marker"] * len(names)
    each = [(kind, name) for kind, name in zip(types, names, strict=True) for _ in range(8)]
    components = [*["Rotation"] * 4, *["Position"] * 3, "Mean Marker Error"] * len(names)
    values = np.dstack([np.full((*points.shape[:2], 4), 0.5), points, np.full((*points.shape[:2], 1), 0.1)])
    header = [
        "Format Version,1.23,Take Name,walk,Take Notes,,Capture Frame Rate,120.000000,Export Frame Rate,"
        f"60.000000,Total Exported Frames,{len(points)},Rotation Type,Quaternion,Length Units,{units}",
        "",
        ",".join([",Type", *(kind for kind, _ in each)]),
        ",".join([",Name", *(f'"{name}"' for _, name in each)]),
        ",".join([",ID", *('"1F"' for _ in each)]),
        ",".join([",", *components]),
        ",".join(["Frame,Time (Seconds)", *["X", "Y", "Z", "W", "X", "Y", "Z", ""] * len(names)]),
    ]
    rows = [",".join([str(at), f"{at / 60:.6f}", *row]) for at, row in enumerate(cells(values))]
    return "\r\n".join([*header, *rows, ""]).encode("utf-8-sig")


def nexus(names: Sequence[str], points: Array, before: str = "") -> bytes:
    header = [
        "Trajectories",
        "100",
        ",," + ",,,".join(names),
        "Frame,Sub Frame," + ",".join(["X,Y,Z"] * len(names)),
        ",," + ",".join(["mm,mm,mm"] * len(names)),
    ]
    rows = [",".join([str(at), "0", *row]) for at, row in enumerate(cells(points), start=101)]
    return "\r\n".join([before, *header, *rows, "", ""]).encode()


def qualisys(names: Sequence[str], points: Array, columns: str = "Frame\tTime") -> bytes:
    header = [
        f"NO_OF_FRAMES\t{len(points)}",
        "NO_OF_CAMERAS\t10",
        f"NO_OF_MARKERS\t{len(names)}",
        "FREQUENCY\t100",
        "DESCRIPTION\t--",
        "TIME_STAMP\t2026-01-19, 10:19:43.755\t2063631.96175450",
        "DATA_INCLUDED\t3D",
        "\t".join(["MARKER_NAMES", *names]),
        "\t".join(["TRAJECTORY_TYPES", *["Measured"] * len(names)]),
    ]
    if columns:
        header += [columns + "".join(f"\t{name} {axis}" for name in names for axis in "XYZ") + "\t"]
    times = [[str(at + 1), f"{at / 100:.5f}"] if columns else [] for at in range(len(points))]
    rows = ["\t".join([*time, *row]) for time, row in zip(times, cells(np.nan_to_num(points)), strict=True)]
    return "\r\n".join([*header, *rows, ""]).encode()


WRITERS = {"motive.csv": motive, "nexus.csv": nexus, "qualisys.tsv": qualisys}
RATES = {"motive.csv": 60, "nexus.csv": 100, "qualisys.tsv": 100}


@pytest.mark.parametrize("name", WRITERS)
def test_the_markers_of_a_recording_are_those_of_its_c3d(name: str, tmp_path: Path) -> None:
    raw = c3d_poses(np.frombuffer(SERVE.read_bytes(), np.uint8))
    data = WRITERS[name]([f"anna:{joint}" for joint in raw.joints], raw.points[:50, 0] * 1000)
    (tmp_path / name).write_bytes(data)
    source, expected = open_poses(tmp_path / name), open_poses(SERVE)
    assert (source.layout.name, source.fps, source.fps_known) == ("kinect20", RATES[name], True)
    clip, same = source.read(source.items[0]), expected.read(expected.items[0])
    np.testing.assert_allclose(clip.xyz, same.xyz[:50], atol=1e-5)
    assert lab_poses(data).joints == raw.joints


@pytest.mark.parametrize("name", WRITERS)
def test_every_person_has_a_prefix_and_gaps_are_empty_or_zero(name: str) -> None:
    points = POINTS.copy()
    points[1, 0] = np.nan
    both = np.concatenate([points, points + 5000], axis=1)
    poses = lab_poses(WRITERS[name](["ann:hip", "ann:head", "ben:hip", "ben:head"], both))
    assert poses.joints == ("hip", "head")
    np.testing.assert_allclose(poses.points, np.stack([points, points + 5000], axis=1))


def test_the_bones_of_motive_are_a_body(tmp_path: Path) -> None:
    """Beside them are markers, of the skeleton and of nobody, and a rigid body."""
    bones = (
        "Hip Ab Chest Neck Head LShoulder LUArm LFArm LHand RShoulder RUArm RFArm RHand LThigh LShin LFoot "
        "LToe RThigh RShin RFoot RToe"
    ).split()
    places = np.random.default_rng(0).normal(size=(3, len(bones) + 3, 3))
    names = [*(f"ann:{bone}" for bone in bones), "ann:WaistLFront", "Unlabeled 1040", "racket"]
    types = ["Bone"] * len(bones) + ["Bone Marker", "Marker", "Rigid Body"]
    (tmp_path / "walk.csv").write_bytes(motive(names, places, types, "Meters"))
    source = open_poses(tmp_path / "walk.csv", axes="y-up")
    clip = source.read(source.items[0]).xyz[:, 0]
    at = source.layout.joints.index
    np.testing.assert_allclose(clip[:, at("left_hip")], places[:, bones.index("LThigh")], atol=6e-4)
    np.testing.assert_allclose(clip[:, at("right_elbow")], places[:, bones.index("RFArm")], atol=6e-4)
    head = 1.54 * places[:, bones.index("Head")] - 0.54 * places[:, bones.index("Neck")]
    np.testing.assert_allclose(clip[:, at("head")], head, atol=2e-3)


def test_the_markers_of_motive_are_a_body_without_its_bones(tmp_path: Path) -> None:
    sides = (
        "ShoulderBack ShoulderTop UArmHigh ElbowOut FArm WristOut HandOut Pinky HandIn ThighFront ThighSide "
        "KneeOut Shin AnkleOut Heel ToeIn ToeTip ToeOut"
    ).split()
    markers = "HeadFront HeadLeft HeadTop HeadRight BackTop BackLeft BackRight ChestTop ChestLow".split()
    markers += [f"Waist{place}" for place in ("LFront", "LBack", "CBack", "RBack", "RFront")]
    markers += [f"{side}{name}" for side in "LR" for name in sides]
    places = np.random.default_rng(0).normal(size=(3, len(markers), 3))
    (tmp_path / "walk.csv").write_bytes(motive([f"763:{name}" for name in markers], places, units="Meters"))
    source = open_poses(tmp_path / "walk.csv", axes="y-up")
    assert source.layout.name == "kinect20"
    clip = source.read(source.items[0]).xyz[:, 0]
    at = {name: places[:, place] for place, name in enumerate(markers)}
    hip = 0.5 * at["WaistRFront"] + 0.1 * at["WaistLFront"] + 0.25 * at["WaistRBack"] + 0.15 * at["RKneeOut"]
    neck = (at["BackTop"] + at["ChestTop"]) / 2
    for joint, expected in (("left_elbow", at["LElbowOut"]), ("right_hip", hip), ("shoulder_center", neck)):
        np.testing.assert_allclose(clip[:, source.layout.joints.index(joint)], expected, atol=1e-3)


def test_the_first_bone_of_motive_is_called_like_its_skeleton() -> None:
    """As Motive 3 writes it; a marker of such a name keeps it."""
    poses = lab_poses(motive(["ann:ann", "ann:Ab"], POINTS, ["Bone", "Bone"]))
    assert poses.joints == ("Hip", "Ab")
    np.testing.assert_allclose(poses.points[:, 0], POINTS)
    assert lab_poses(motive(["ann:ann", "ann:Ab"], POINTS)).joints == ("ann", "Ab")


def test_motive_s_time_codes_and_padding_are_passed_over() -> None:
    """A spreadsheet that saves the table fills up its first two lines with commas."""
    first, second, *lines = motive(PAIR, POINTS).decode("utf-8-sig").splitlines()
    lines = [line.replace("Time (Seconds)", "Time (Seconds),TimeCode", 1) for line in lines]
    above = [line.replace(",", ",,", 1) if at < 4 else line for at, line in enumerate(lines[:5])]
    frames = [line.replace(",", ",15:26:46:12.02,", 1) for line in lines[5:]]
    table = [first + "," * 40, second + "," * 40, *above, *frames]
    np.testing.assert_allclose(lab_poses("\n".join(table).encode()).points[:, 0], POINTS)


def test_nobodys_markers_are_left_out() -> None:
    points = np.concatenate([POINTS, POINTS], axis=1)
    assert lab_poses(motive([*PAIR, "Unlabeled 1040", "Unlabeled:7"], points)).joints == ("hip", "head")
    assert lab_poses(nexus([*PAIR, "*12", "ann:*13"], points)).joints == ("hip", "head")


def test_other_sections_of_nexus_come_before_and_after() -> None:
    model = "Model Outputs\n200\n,,ann:LKneeAngles\nFrame,Sub Frame,X,Y,Z\n,,deg,deg,deg\n1,0,1,2,3\n"
    data = nexus(PAIR, POINTS, before=model) + b"Devices\r\n1000\r\n1,0,3\r\n"
    np.testing.assert_allclose(lab_poses(data).points[:, 0], POINTS)
    assert lab_notes(data) == {"fps": 100}


def test_velocities_of_nexus_are_passed_over() -> None:
    """They stand beside the places of each marker: X, Y, Z, X', Y', Z'."""
    lines = nexus(PAIR, POINTS).decode().splitlines()
    lines[3] = ",,hip,,,,,,head,,,,,,"
    lines[4] = "Frame,Sub Frame" + ",X,Y,Z,X',Y',Z'" * 2
    lines[5] = ",," + ",".join(["mm,mm,mm,mm/s,mm/s,mm/s"] * 2)
    for at, frame in enumerate(POINTS, 6):
        lines[at] = f"{at},0," + ",".join(f"{x},{y},{z},7,8,9" for x, y, z in frame)
    poses = lab_poses("\n".join(lines).encode())
    assert poses.joints == ("hip", "head")
    np.testing.assert_allclose(poses.points[:, 0], POINTS)


def test_a_blank_line_above_the_frames_of_qualisys() -> None:
    data = qualisys(PAIR, POINTS, columns="").replace(b"Measured\r\n", b"Measured\r\n\r\n")
    np.testing.assert_allclose(lab_poses(data).points[:, 0], POINTS)


@pytest.mark.parametrize("columns", ["", "Frame\tTime"])
def test_qualisys_with_and_without_frame_and_time(columns: str) -> None:
    np.testing.assert_allclose(lab_poses(qualisys(PAIR, POINTS, columns)).points[:, 0], POINTS)


def test_a_table_of_tabs_is_one_of_commas(tmp_path: Path) -> None:
    header = "\t".join(f"{joint}_{axis}" for joint in PAIR for axis in "xyz")
    (tmp_path / "walk.tsv").write_text(f"{header}\n1\t2\t3\t4\t5\t6\n")
    (tmp_path / "pair.yaml").write_text("name: pair\njoints: [hip, head]\nparents: [null, hip]\n")
    source = open_poses(tmp_path / "walk.tsv", layout=str(tmp_path / "pair.yaml"), axes="y-up")
    assert source.read(source.items[0]).xyz[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_what_is_of_no_such_program_is_another_table() -> None:
    assert not any(map(is_lab, (b"frame,hip_x\n", b"", b"trajectory,x,y\n", b"joints,x\n")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Model Outputs\n100\n", "has no trajectories of markers; export them too"),
        (b"Trajectories\n100\n", "ends within its header"),
        (b"Format Version,1.23\n\n,Type\n", "ends within its header"),
        (motive(PAIR, POINTS, units="Feet"), "is in 'Feet'; expected m, meters, cm"),
        (motive(PAIR, POINTS).replace(b"Frames,2", b"Frames,9"), "says 9 frames and has 2; it is cut off"),
        (motive(PAIR, POINTS).replace(b"700.000", b"7OO"), "line 9: '7OO' is not a number"),
        (motive(PAIR, POINTS).replace(b"Units,", b"Units,Meters,Coordinate Space,Local,"), "global co"),
        (nexus(PAIR, POINTS).replace(b"100.000", b"1,2,3"), "line 7: has 10 cells; its header announces 8"),
        (nexus(PAIR, POINTS[:0]), "has headers but no frames; remove it"),
        (qualisys(PAIR, POINTS).replace(b"MARKER_NAMES", b"BODY_NAMES"), "has no MARKER_NAMES; export"),
        (qualisys(PAIR, POINTS).replace(b"FRAMES\t2", b"FRAMES\t3"), "says 3 frames and has 2"),
        (motive(["Unlabeled 1", "Unlabeled 2"], POINTS), "has no markers with names; label its markers"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        lab_poses(data)


def test_they_are_poses() -> None:
    assert all(isinstance(lab_poses(write(PAIR, POINTS)), Poses) for write in WRITERS.values())
