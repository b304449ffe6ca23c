"""TRC: names, units, gaps and times by value, and refusals with their line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.sources.poses import open_poses
from kineme.sources.poses.trc import trc_notes, trc_poses

GAIT = Path(__file__).parents[1] / "mocap" / "gait.trc"
# Pose2Sim's markers with the model HALPE_26
POSE2SIM = (
    "Hip RHip RKnee RAnkle RBigToe RSmallToe RHeel LHip LKnee LAnkle LBigToe LSmallToe LHeel Neck Head Nose "
    "RShoulder RElbow RWrist LShoulder LElbow LWrist"
).split()


def trc(
    names: Sequence[str],
    rows: Sequence[str],
    units: str = "m",
    rate: float = 60,
    frames: int | None = None,
) -> bytes:
    lines = [
        "PathFileType\t4\t(X/Y/Z)\twalk.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{len(rows) if frames is None else frames}\t{len(names)}\t{units}\t"
        f"{rate}\t1\t{len(rows)}",
        "Frame#\tTime\t" + "".join(f"{name}\t\t\t" for name in names),
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(names) + 1)),
    ]
    return "\n".join([*lines, *rows]).encode()


PAIR = trc(["hip", "head"], ["1\t0\t0.1\t0.9\t0.2\t0.1\t1.7\t0.2", "2\t0.0167\t0.2\t0.9\t0.2\t0.2\t1.7\t0.2"])


def test_a_true_file_of_opensim() -> None:
    """Its markers are two tabs apart and a line is blank."""
    data = GAIT.read_bytes()
    poses = trc_poses(data)
    assert (poses.points.shape, poses.scale, trc_notes(data)) == ((2, 1, 31, 3), 1.0, {"fps": 60.0})
    assert poses.joints[:4] == ("Sternum", "R.Acromium", "L.Acromium", "Top.Head")
    np.testing.assert_allclose(poses.points[0, 0, 0], [0.67076, 1.3961, -0.025106])
    np.testing.assert_allclose(poses.points[1, 0, -1], [0.66781 - 0.0189, 0.046517, -0.06023], atol=1e-6)


def test_a_true_file_of_pose2sim() -> None:
    """A model without the middle of the hips: 21 joints of Halpe's 26."""
    source = open_poses(GAIT.with_name("pose2sim.trc"))
    assert (source.layout.name, source.fps, source.units) == ("halpe26-21", 60, "metres")
    head = source.read(source.items[0]).xyz[1, 0, source.layout.joints.index("head")]
    np.testing.assert_allclose(head, [-0.050829474, 1.721840883, -1.029536170], rtol=1e-6)


def test_the_hips_of_a_true_file() -> None:
    """A map makes joints of its markers; in frame 0 the front of the pelvis is (1.0879 + 1.071) / 2 high."""
    source = open_poses(
        GAIT,
        layout="h36m17",
        joint_map={
            "root": ["R.ASIS", "L.ASIS"], "head": ["Top.Head"], "nose": ["Top.Head"], "thorax": ["Sternum"],
            "spine": ["V.Sacral"], **{f"{side}_{joint}": [f"{side[0].upper()}.{marker}"]
            for side in ("left", "right") for joint, marker in (
                ("hip", "ASIS"), ("knee", "Shank.Upper"), ("ankle", "Heel"), ("shoulder", "Acromium"),
                ("elbow", "Acromium"), ("wrist", "Acromium"))},
        },
    )  # fmt: skip
    clip = source.read(source.items[0])
    assert clip.xyz[0, 0, 0, 1] == pytest.approx((1.0879 + 1.071) / 2, abs=1e-6)
    assert (source.fps, source.fps_known) == (60, True)


def test_markers_of_pose2sim_are_a_part_of_halpe26(tmp_path: Path) -> None:
    cells = "\t".join(f"{0.1 * i:.2f}\t{1 + 0.01 * i:.2f}\t0" for i in range(len(POSE2SIM)))
    (tmp_path / "walk.trc").write_bytes(trc(POSE2SIM, [f"{t}\t{t / 60}\t{cells}" for t in range(3)]))
    source = open_poses(tmp_path / "walk.trc", axes="y-up")
    layout = source.layout
    assert (layout.name, layout.num_joints, layout.joints[layout.root]) == ("halpe26-22", 22, "hip")
    parents = {layout.joints[child]: layout.joints[parent] for child, parent in layout.bones}
    assert (parents["left_shoulder"], parents["head"], parents["right_small_toe"]) == (
        "neck",
        "nose",
        "right_big_toe",
    )
    clip = source.read(source.items[0])
    knee = POSE2SIM.index("LKnee")
    np.testing.assert_allclose(
        clip.xyz[0, 0, layout.joints.index("left_knee")], [0.1 * knee, 1 + 0.01 * knee, 0], atol=1e-6
    )


def test_markers_that_opencap_adds_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Twice as many as the joints of the video, which the file has too."""
    caplog.set_level("INFO")
    added = [
        f"{side}{name}_study" for side in ("r", "L") for name in (".ASIS", ".PSIS", "_knee", "_shoulder")
    ]
    names = [*POSE2SIM[1:], "C7_study", *added, *(f"r_sh{at}_study" for at in range(1, 30))]
    cells = "\t".join(f"{0.1 * i:.2f}\t{1 + 0.01 * i:.2f}\t0" for i in range(len(names)))
    (tmp_path / "walk.trc").write_bytes(trc(names, [f"{t}\t{t / 60}\t{cells}" for t in range(3)]))
    source = open_poses(tmp_path / "walk.trc", axes="y-up")
    assert source.layout.name == "halpe26-21"
    assert "are left out: joints: C7_study, r.ASIS_study, r.PSIS_study, …; 38 of them" in caplog.text
    knee = source.read(source.items[0]).xyz[0, 0, source.layout.joints.index("left_knee")]
    np.testing.assert_allclose(knee[0], 0.1 * names.index("LKnee"), atol=1e-6)


def test_without_its_root_the_rest_hangs_together(tmp_path: Path) -> None:
    names = POSE2SIM[1:]  # the older Pose2Sim has no Hip
    cells = "\t".join(f"{0.1 * i:.2f}\t{1 + 0.01 * i:.2f}\t0" for i in range(len(names)))
    (tmp_path / "walk.trc").write_bytes(trc(names, [f"{t}\t{t / 60}\t{cells}" for t in range(3)]))
    layout = open_poses(tmp_path / "walk.trc", axes="y-up").layout
    assert (layout.name, layout.joints[layout.root]) == ("halpe26-21", "neck")
    assert [layout.joints[joint] for joint in layout.origin] == ["left_hip", "right_hip"]


@pytest.mark.parametrize(("units", "scale"), [("mm", 0.001), ("cm", 0.01), ("m", 1), ("in", 0.0254)])
def test_the_header_tells_the_unit(units: str, scale: float) -> None:
    assert trc_poses(PAIR.replace(b"\tm\t", f"\t{units}\t".encode())).scale == scale


def test_pixels_of_sports2d_are_two_dimensional() -> None:
    assert trc_poses(PAIR.replace(b"\tm\t", b"\tpx\t")).points.shape == (2, 1, 2, 2)


def test_empty_cells_and_markers_at_the_origin_are_gaps() -> None:
    rows = ["1\t0\t\t\t\t0.1\t1.7\t0.2", "2\t0.0167\t0\t0\t0\t0.1\t1.7\t0.2", "3\t0.033\t0.1\t0.9\t0.2"]
    points = trc_poses(trc(["hip", "head"], rows)).points[:, 0]
    assert np.isnan(points).all(axis=-1).tolist() == [[True, False], [True, False], [False, True]]


def test_uneven_times_are_resampled(caplog: pytest.LogCaptureFixture) -> None:
    """Someone who moves by 1 m/s is where time says: seen at 0, 0.05, 0.2, 0.3 s, at 20 frames a second."""
    times = (0, 0.05, 0.2, 0.3)
    rows = [f"{i}\t{t}\t{t}\t1\t0\t{t}\t2\t0" for i, t in enumerate(times)]
    with caplog.at_level("INFO"):
        points = trc_poses(trc(["hip", "head"], rows, rate=20)).points[:, 0, 0, 0]
    np.testing.assert_allclose(points, np.arange(7) / 20, atol=1e-6)
    assert "frames at another rate or at uneven times are resampled to" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"PathFileType", b"Path", "is not a TRC file: its first line"),
        (b"\t2\t2\tm", b"\t1000000000\t2\tm", "line 3: says NumFrames 1000000000; expected 1 to 1,000,000"),
        (b"\t2\t2\tm", b"\t9\t2\tm", "says 9 frames and has 2; it is cut off"),
        (b"\t2\t2\tm", b"\t2\t3\tm", "line 4: names 2 markers, line 3 says 3"),
        (b"60\t60", b"fast\t60", "lines 2 and 3 give no DataRate"),
        (b"\tm\t", b"\tfurlongs\t", "is in 'furlongs'; expected m, cm"),
        (b"\t0.9\t", b"\tlow\t", "line 6: 'low' is not a number"),
        (b"\t1.7\t0.2\n", b"\t1.7\t0.2\t5\n", "line 6: has 9 cells; its header announces 8"),
        (b"head", b"hip", "line 4: names the marker 'hip' twice"),
        (b"2\t0.0167", b"2\t-5", "its times do not ascend: frame 2"),
        (b"2\t0.0167", b"2\t99999", "its times span 5,999,940 frames at 60 fps"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: bytes, new: bytes, reason: str) -> None:
    assert old in PAIR
    with pytest.raises(ValueError, match=reason):
        trc_poses(PAIR.replace(old, new, 1))


def test_files_of_two_rates_are_resampled_to_the_one_that_is_set(tmp_path: Path) -> None:
    for name, rate, count in (("slow", 50, 6), ("fast", 100, 11)):
        rows = [f"{t}\t{t / rate}\t{t / rate}\t1\t0\t{t / rate}\t2\t0" for t in range(count)]
        (tmp_path / f"{name}.trc").write_bytes(trc(["hip", "head"], rows, rate=rate))
    (tmp_path / "pair.yaml").write_text("name: pair\njoints: [hip, head]\nparents: [null, hip]\n")
    pair = str(tmp_path / "pair.yaml")
    with pytest.raises(KinemeError, match=r"rates \(50 a second in slow, 100 a second in fast\); set `fps`"):
        open_poses(tmp_path, layout=pair)
    source = open_poses(tmp_path, layout=pair, fps=50.0)
    fast, slow = (source.read(item).xyz[:, 0, 0, 0] for item in source.items)
    np.testing.assert_allclose(fast, slow, atol=1e-6)
    alone = open_poses(tmp_path / "fast.trc", layout=pair, fps=50.0)  # whatever lies beside it
    np.testing.assert_array_equal(alone.read(alone.items[0]).xyz[:, 0, 0, 0], fast)
