"""ASF and AMC: forward kinematics by hand and against SciPy, units, which skeleton is whose, refusals."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from sources.writers import packed

from kineme.__main__ import main
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.sources.poses import open_poses
from kineme.sources.poses.amc import amc_poses, skeleton_file
from kineme.sources.poses.asf import asf_skeleton
from kineme.sources.raw import RawFile
from kineme.typing import Array

LEG = """\
# made by hand
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   begin and end stand here too
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 4
     axis 0 0 0  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name shin
     direction 0 -1 0
     length 5
     axis 0 90 0  XYZ
    dof rx
    limits (-10.0 170.0)
  end
  begin
     id 3
     name foot
     direction 0 0 1
     length 1
     axis 0 0 0  XYZ
  end
:hierarchy
  begin
    root thigh
    thigh shin
    shin foot
  end
"""
STEP = """\
#!OML:ASF F:\\VICON\\USERDATA\\LEG.ASF
:FULLY-SPECIFIED
:DEGREES
1
root 0 9 0 0 0 0
thigh 0 0 0
shin 0
2
root 1 9 0 0 90 0
thigh 90 0 0
shin 90
"""


def read(asf: str = LEG, amc: str = STEP) -> Array:
    """(T, V, 3), in units of the file."""
    return amc_poses(amc.encode(), asf_skeleton(asf.encode()), "leg.asf").points[:, 0]


def test_a_leg_by_hand() -> None:
    """The thigh goes back and the shin, whose own x lies along -z at rest, to the right; the root then turns
    both about y."""
    poses = amc_poses(STEP.encode(), asf_skeleton(LEG.encode()), "leg.asf")
    assert (poses.joints, poses.parents) == (("root", "thigh", "shin", "foot"), (-1, 0, 1, 2))
    expected = [
        [[0, 9, 0], [0, 5, 0], [0, 0, 0], [0, 0, 1]],
        [[1, 9, 0], [-3, 9, 0], [-3, 9, 5], [-3, 8, 5]],
    ]
    np.testing.assert_allclose(poses.points[:, 0], expected, atol=1e-6)


ORDERS = ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]


def euler(order: str, degrees: Sequence[float]) -> Rotation:
    """About fixed axes, as SciPy's small letters are."""
    if not order:
        return Rotation.identity()
    return Rotation.from_euler(order.lower(), list(degrees), degrees=True)


@pytest.mark.parametrize("seed", range(6))
def test_random_skeletons_are_where_scipy_turns_them(seed: int) -> None:
    """Frame by frame and bone by bone, with bones below those that the file has later."""
    rng = np.random.default_rng(seed)
    count, frames = 12, 5
    parents = [int(rng.integers(0, bone)) for bone in range(1, count)]  # of bone 1, 2, ...; 0 is the root
    names = ["root", *(f"b{number}" for number in range(1, count))]
    offset = rng.normal(size=(count, 3)).round(4)
    length = rng.uniform(0.5, 3, count).round(4)
    axis = rng.uniform(-180, 180, (count, 3)).round(3)
    axis_order = rng.choice(ORDERS, count).tolist()
    dofs = ["".join(rng.permutation(list("XYZ"))[: rng.integers(0, 4)]) for _ in range(count)]
    root_order = ["TX", "RZ", "TY", "RX", "TZ", "RY"] if seed % 2 else ["TX", "TY", "TZ", "RZ", "RX", "RY"]
    preset = rng.uniform(-90, 90, 3).round(3) if seed > 3 else np.zeros(3)
    text = [":units", "length 1", f":root\norder {' '.join(root_order)}", f"axis {ORDERS[seed]}"]
    text += [f"position 1 2 {seed}", f"orientation {' '.join(map(str, preset))}", ":bonedata"]
    written = rng.permutation(np.arange(1, count)).tolist()
    for bone in written:
        text += [
            "begin",
            f"id {bone}",
            f"name {names[bone]}",
            f"direction {' '.join(map(str, offset[bone]))}",
        ]
        text += [f"length {length[bone]}", f"axis {' '.join(map(str, axis[bone]))} {axis_order[bone]}"]
        text += [f"dof {' '.join(f'r{each.lower()}' for each in dofs[bone])}"] if dofs[bone] else []
        text += ["end"]
    text += [
        ":hierarchy",
        "begin",
        *(f"{names[above]} {names[1 + at]}" for at, above in enumerate(parents)),
        "end",
    ]
    root = rng.uniform(-90, 90, (frames, 6)).round(3)
    angles = rng.uniform(-180, 180, (frames, count, 3)).round(3)
    motion = [":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(frames):
        motion += [f"{frame + 1}", f"root {' '.join(map(str, root[frame]))}"]
        motion += [
            f"{names[bone]} {' '.join(map(str, angles[frame, bone, : len(dofs[bone])]))}"
            for bone in range(1, count)
            if dofs[bone]
        ]

    poses = amc_poses("\n".join(motion).encode(), asf_skeleton("\n".join(text).encode()), "s.asf")
    assert poses.joints == ("root", *(names[bone] for bone in written))
    for frame in range(frames):
        said = dict(zip(root_order, root[frame].tolist(), strict=True))
        spins = [each[1] for each in root_order if each[0] == "R"]
        turn = [euler("".join(spins), [said[f"R{each}"] for each in spins]) * euler(ORDERS[seed], preset)]
        place = [np.array([1 + said["TX"], 2 + said["TY"], seed + said["TZ"]])]
        for bone in range(1, count):
            own = euler(axis_order[bone], axis[bone])
            spun = euler(dofs[bone], angles[frame, bone, : len(dofs[bone])])
            above = parents[bone - 1]
            turn.append(turn[above] * own * spun * own.inv())
            place.append(place[above] + turn[bone].apply(offset[bone] * length[bone]))
        for bone in range(count):
            found = poses.points[frame, 0, poses.joints.index(names[bone])]
            np.testing.assert_allclose(found, place[bone], atol=2e-4)


def test_many_frames_are_as_good_as_one() -> None:
    """More than are computed at a time."""
    second = STEP.partition("\n2\n")[2]
    text = ":DEGREES\n" + "".join(f"{number}\n{second}" for number in range(7, 2507))
    points = read(amc=text)
    assert points.shape == (2500, 4, 3)
    np.testing.assert_array_equal(points, np.broadcast_to(read()[1], points.shape))


@pytest.mark.parametrize(
    ("asf", "amc"),
    [
        (LEG, STEP.replace(":DEGREES", ":RADIANS").replace("90", "1.5707963267948966")),
        (
            LEG.replace("angle deg", "angle rad").replace("0 90 0", "0 1.5707963267948966 0"),
            STEP.replace(":DEGREES\n", "").replace("90", "1.5707963267948966"),
        ),
        (LEG.replace("(", " ").replace(")", ","), STEP.replace("\n", "\r\n")),
        (LEG.replace("\n", " # a remark\n"), STEP.replace("shin 90", "shin 90 # bent")),
        (LEG.replace("name shin", "name Shin"), STEP.replace("thigh", "THIGH")),
        (LEG.replace(":units\n  mass 1.0\n  length 0.45\n  angle deg\n", ""), STEP + "\n\n"),
    ],
)
def test_ways_to_write_the_same(asf: str, amc: str) -> None:
    np.testing.assert_allclose(read(asf, amc), read(), atol=1e-6)


def test_bones_that_a_file_does_not_move_stay_as_they_are_at_rest() -> None:
    still = read(amc=STEP.replace("shin 0\n", "").replace("shin 90\n", ""))
    np.testing.assert_allclose(still[1], [[1, 9, 0], [-3, 9, 0], [-8, 9, 0], [-8, 8, 0]], atol=1e-6)


def write(folder: Path, asf: str = LEG, **motions: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "07.asf").write_text(asf)
    for name, text in (motions or {"07_01": STEP}).items():
        (folder / f"{name}.amc").write_text(text)
    return folder


def test_units_are_inches_over_the_length_that_the_skeleton_says(tmp_path: Path) -> None:
    """CMU: 'multiplied by (1.0/0.45)*2.54/100.0 = 0.056444 to convert to meters'."""
    source = open_poses(write(tmp_path), fps=120)
    clip = source.read(source.items[0])
    np.testing.assert_allclose(clip.xyz[0, 0], read()[0] * 0.056444, rtol=1e-4)
    assert (source.units, source.fps, source.fps_known) == ("metres", 120, True)
    assert source.layout.parents == (-1, 0, 1, 2)


@pytest.mark.parametrize("length", ["length 1.0", ""])
def test_a_unit_that_the_skeleton_does_not_say_is_told_by_the_body(
    tmp_path: Path, length: str, caplog: pytest.LogCaptureFixture
) -> None:
    grown = (
        LEG.replace("length 0.45", length).replace("length 4", "length 90").replace("length 5", "length 80")
    )
    with caplog.at_level("INFO"):
        source = open_poses(write(tmp_path, grown), fps=120)
    assert "the unit is taken to be cm" in caplog.text
    clip = source.read(source.items[0])
    np.testing.assert_allclose(clip.xyz[0, 0, 0] - clip.xyz[0, 0, 2], [0, 1.7, 0], atol=1e-6)


def test_prepare_a_folder_like_that_of_cmu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "all" / "07", **{"07_01": STEP, "07_02": STEP})
    taller = LEG.replace("length 4", "length 8")
    shutil.move(
        write(tmp_path / "all" / "08", taller, **{"08_01": STEP}) / "07.asf", tmp_path / "all/08/08.asf"
    )
    for raw in (tmp_path / "all", packed(tmp_path / "all", tmp_path / "all.zip")):
        store = tmp_path / f"store-{raw.suffix}"
        given = ["--fps", "120", "--name", "{subject}_{take}"]
        assert main(["prepare", "poses", str(raw), str(store), *given]) == 0
        opened = ClipStore(store)
        assert [name[-5:] for name in opened.names] == ["07_01", "07_02", "08_01"]
        assert opened.index["subject"].tolist() == ["07", "07", "08"]
        bone = np.linalg.norm(opened.clip(0)[0, 0, 1] - opened.clip(0)[0, 0, 0])
        other = np.linalg.norm(opened.clip(2)[0, 0, 1] - opened.clip(2)[0, 0, 0])
        np.testing.assert_allclose([bone, other], [4 * 0.0254 / 0.45, 8 * 0.0254 / 0.45], rtol=1e-5)
    capsys.readouterr()


def test_a_rate_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = open_poses(write(tmp_path))
    assert (source.fps, source.fps_known) == (30, False)
    assert "set `fps` if that is wrong (most of CMU and HDM05 have 120)" in caplog.text


@pytest.mark.parametrize(
    ("motion", "there", "found"),
    [
        ("07_01", ["07", "08"], "07"),
        ("7_01", ["7", "7_0", "70"], "7"),
        ("HDM_bd_cartwheelLHandStart1Reps_001_120", ["HDM_bd", "HDM_bk", "HDM"], "HDM_bd"),
        ("Walk", ["walk", "run"], "walk"),
        ("walk", ["Actor"], "Actor"),
    ],
)
def test_a_motion_finds_its_skeleton(tmp_path: Path, motion: str, there: list[str], found: str) -> None:
    for name in there:
        (tmp_path / f"{name}.ASF").write_text(LEG)
    (tmp_path / "._x.asf").write_text("of macOS")
    file = RawFile(PurePosixPath(f"{motion}.amc"), tmp_path / f"{motion}.amc")
    assert skeleton_file(file).path == tmp_path / f"{found}.ASF"


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ([], r"07_01\.amc: its skeleton, an \.asf file, is not beside it; put it there, as 07\.asf"),
        (
            ["01", "02"],
            r"beside it are 2 skeletons \(01\.asf, 02\.asf\), and its name begins with none of theirs; "
            r"call its own 07\.asf",
        ),
    ],
)
def test_a_motion_without_its_skeleton_is_refused(tmp_path: Path, there: list[str], reason: str) -> None:
    for name in there:
        (tmp_path / f"{name}.asf").write_text(LEG)
    (tmp_path / "07_01.amc").write_text(STEP)
    with pytest.raises(KinemeError, match=reason):
        open_poses(tmp_path / "07_01.amc")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (":hierarchy", ":tree", "is not an ASF file, or is cut off: it has no :hierarchy"),
        ("length 0.45", "length 0", "line 6: the length of a unit is 0"),
        ("length 4", "", "line 16: the bone 'thigh' needs a name, a direction and a length"),
        ("direction 0 -1 0", "direction 0 -1", "line 19: expected 3 numbers"),
        ("length 5", "length five", "line 31: expected 1 number"),
        ("axis 0 90 0  XYZ", "axis 0 90 0  XYX", "line 32: expected three angles and an order such as XYZ"),
        ("dof rx\n", "dof rx l\n", "line 33: the bone 'shin' moves by 'rx l', and only rotations are read"),
        ("dof rx\n", "dof rx rx\n", "line 33: the bone 'shin' turns about an axis twice"),
        ("order TX", "order TW", "the order of the root is 'TW TY TZ RX RY RZ'"),
        ("name shin", "name thigh", "or two of the same name"),
        ("thigh shin", "thigh arm", "line 46: 'arm' is no bone of the file"),
        ("shin foot", "shin thigh", "line 47: a bone has two places in the hierarchy"),
        ("    root thigh\n", "", "does not lead from the root to the bone 'thigh'"),
    ],
)
def test_what_is_wrong_with_a_skeleton_is_said(old: str, new: str, reason: str) -> None:
    assert old in LEG
    with pytest.raises(ValueError, match=reason):
        asf_skeleton(LEG.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (STEP, "", "has no frames; it is not an AMC file"),
        ("\n2\n", "\n3\n", "frame 3 follows frame 1; export it with all frames"),
        ("thigh 0", "arm 0", r"moves the bone 'arm', which its skeleton leg\.asf does not have; put its own"),
        (
            "thigh 0 0 0",
            "thigh 0 0",
            r"has 2 numbers for the bone 'thigh'; its skeleton leg\.asf has 3 for it",
        ),
        ("shin 90", "", "frames 1 to 2 have other bones than the first one"),
        ("shin 90", "foot 90", "frames 1 to 2 have other bones than the first one"),
        ("shin 90", "shin x", "frames 1 to 2: could not convert string"),
        ("shin 90", "shin nan", "infinite or missing numbers"),
        ("shin 0", "thigh 0 0 0", "its first frame is empty, or has a bone twice"),
        (STEP, "1\nfoot\n2\nfoot\n", "its first frame has no numbers: none of its bones can turn"),
        ("shin 90", "shin " + 200_000 * "9", "has a frame of 200,0.. bytes"),
    ],
)
def test_what_is_wrong_with_a_motion_is_said(old: str, new: str, reason: str) -> None:
    assert old in STEP
    with pytest.raises(ValueError, match=reason):
        read(amc=STEP.replace(old, new, 1))


def test_a_damaged_skeleton_is_named(tmp_path: Path) -> None:
    write(tmp_path, LEG.replace("length 5", "length"))
    with pytest.raises(KinemeError, match=r"07\.asf, line 31: expected 1 number; fix the file"):
        open_poses(tmp_path)
