"""Files of poses, by value: NumPy, CSV and JSON, and refusals that say what is wrong."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from kineme.layouts import LAYOUTS, Layout
from kineme.sources.poses.arrays import Detections, Poses, npy_poses, npz_notes, npz_poses
from kineme.sources.poses.documents import json_notes, json_poses
from kineme.sources.poses.openpose import openpose, openpose_frame
from kineme.sources.poses.table_notes import csv_notes
from kineme.sources.poses.tables import csv_poses
from kineme.typing import Array

PAIR = Layout.from_names("pair", ["hip", "head"], [None, "hip"])
NAN = float("nan")


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def counted(*shape: int) -> Array:
    """1, 2, 3, ... in this shape."""
    return 1 + np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


def people(data: bytes) -> Detections:
    found = json_poses(data, scores=False)
    assert isinstance(found, Detections)
    return found


class TestNumPy:
    def test_a_clip_of_one_body_or_of_several(self) -> None:
        one = npy_poses(npy(counted(4, 5, 3)), scores=False)
        assert one.points.dtype == np.float32
        np.testing.assert_array_equal(one.points, counted(4, 1, 5, 3))
        assert one.confidence is None
        several = npy_poses(npy(counted(4, 2, 5, 2).astype(np.int16)), scores=False)
        np.testing.assert_array_equal(several.points, counted(4, 2, 5, 2))

    @pytest.mark.filterwarnings("error")
    def test_floats_of_16_bits(self) -> None:
        poses = npy_poses(npy(counted(4, 5, 3).astype(np.float16)), scores=False)
        np.testing.assert_array_equal(poses.points[:, 0], counted(4, 5, 3))
        with pytest.raises(ValueError, match="infinite coordinates"):
            npy_poses(npy(np.full((4, 5, 3), np.inf, np.float16)), scores=False)

    def test_fortran_order_is_the_same_clip(self) -> None:
        poses = npy_poses(npy(np.asfortranarray(counted(4, 5, 3))), scores=False)
        np.testing.assert_array_equal(poses.points[:, 0], counted(4, 5, 3))

    def test_a_fourth_number_is_a_confidence_and_a_third_where_it_is_said(self) -> None:
        values = counted(2, 2, 4)
        values[..., 3] = [[0.25, 1.5], [0, NAN]]
        poses = npy_poses(npy(values), scores=False)
        np.testing.assert_array_equal(poses.points[0, 0], values[0, :, :3])
        assert np.isnan(poses.points[1]).all()  # confidence 0, or none
        assert poses.confidence is not None
        assert poses.confidence.tolist() == [[[0.25, 1]], [[0, 0]]]
        flat = npy_poses(npy(values[..., [0, 1, 3]]), scores=True)
        np.testing.assert_array_equal(flat.points[0, 0], values[0, :, :2])
        np.testing.assert_array_equal(flat.confidence, poses.confidence)

    def test_what_counts_as_not_found(self) -> None:
        flat = counted(2, 2, 2)
        flat[0, 1] = 0
        assert np.isnan(npy_poses(npy(flat), scores=False).points).tolist() == [
            [[[False, False], [True, True]]],
            [[[False, False], [False, False]]],
        ]
        solid = counted(3, 2, 3)
        solid[0, 1] = 0  # a joint at the origin of its coordinates
        solid[1] = 0  # nobody
        solid[2, 0, 2] = NAN
        missing = np.isnan(npy_poses(npy(solid), scores=False).points[:, 0, :, 0])
        assert missing.tolist() == [[False, False], [True, True], [True, False]]

    def test_an_npz_with_all_that_is_known(self) -> None:
        confidence = np.array([[0.5, 1], [0, 0.25]])
        data = npz(keypoints=counted(2, 2, 2), confidence=confidence, label="wave", subject=7, fps=25.0)
        poses = npz_poses(data, scores=False)
        assert poses.confidence is not None
        np.testing.assert_array_equal(poses.confidence[:, 0], confidence)
        np.testing.assert_array_equal(poses.points[0, 0], [[1, 2], [3, 4]])
        assert np.isnan(poses.points[1, 0, 0]).all()
        assert npz_notes(data) == {"label": "wave", "subject": 7, "fps": 25.0}

    @pytest.mark.parametrize(
        ("array", "reason"),
        [
            (np.ones((4, 5)), r"is float64 of shape \(4, 5\); expected numbers, \(frames, joints"),
            (np.ones((4, 5, 5)), "has 5 numbers per joint; expected x y, x y z or"),
            (np.ones((0, 5, 3)), "has 0 frames"),
            (np.ones((1_000_001, 2, 2), dtype=np.int8), "has 1,000,001 frames; expected 1 to 1,000,000"),
            (np.ones((2, 101, 2, 2)), "has 101 people"),
            (np.ones((1, 1025, 2)), "has 1,025 joints"),
            (np.full((2, 2, 3), "1"), "is str32 of shape"),
            (np.full((2, 2, 3), np.inf), "infinite coordinates"),
            (np.array([{}]), "contains Python objects, which are never loaded"),
        ],
    )
    def test_what_is_no_clip_is_refused(self, array: Any, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            npy_poses(npy(array), scores=False)

    def test_a_claim_is_not_believed(self) -> None:
        # Ten million joints, in a file of 200 bytes: refused by the header, before memory is asked for.
        claimed = npy(np.ones((2, 3, 3))).replace(b"(2, 3, 3), }       ", b"(9, 10000000, 3), }")
        with pytest.raises(ValueError, match=r"claims the shape \(9, 10000000, 3\)"):
            npy_poses(claimed, scores=False)
        with pytest.raises(ValueError, match="has another size; it is cut off"):
            npy_poses(npy(counted(4, 5, 3))[:-8], scores=False)
        with pytest.raises(ValueError, match=r"is not a \.npy array"):
            npy_poses(b"PK", scores=False)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"PK\x05\x06", "is a damaged .npz"),
            (npz(other=[1]), "lacks the array 'xyz'"),
            (npz(xyz=counted(2, 2, 3), confidence=np.ones(3)), r"'confidence' has shape \(3,\)"),
            (npz(xyz=counted(2, 2, 3), confidence=np.full((2, 2), "a")), "'confidence' is str32"),
        ],
    )
    def test_what_is_no_npz_is_refused(self, data: bytes, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            npz_poses(data, scores=False)

    def test_an_archive_that_unfolds_to_far_more_is_refused_before_it_does(self) -> None:
        data = npz(xyz=np.zeros((100_000, 33, 4), dtype=np.float64))  # 106 MB of zeros
        tracemalloc.start()
        with pytest.raises(ValueError, match=rf"has {len(data):,} bytes and unfolds to 105,600,128, which"):
            npz_poses(data, scores=False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2e6

    def test_archives_of_motion_are_read_and_so_is_what_is_small(self) -> None:
        clip = np.zeros((20_000, 10, 33, 3), dtype=np.float32)  # 79 MB, of ten people one is there
        clip[:, 0] = np.random.default_rng(0).normal(size=(20_000, 33, 3))
        poses = npz_poses(npz(xyz=clip), scores=False)
        assert np.isfinite(poses.points).mean() == 0.1
        rest = npz_poses(npz(xyz=np.ones((40_000, 33, 3))), scores=False)  # 32 MB of one pose
        assert rest.points.shape == (40_000, 1, 33, 3)


class TestTables:
    def read(self, text: str, layout: Layout | None = None, scores: bool = False) -> Poses:
        return csv_poses(text.encode(), scores, layout)

    def test_a_header_that_names_joints_and_axes(self) -> None:
        poses = self.read(
            "time,hip_x,hip_y,hip_z,hip_c,head x,head y,head z,head conf\n0,1,2,3,.5,4,5,6,1\n1,7,8,9,0,,,,\n"
        )
        assert poses.joints == ("hip", "head")
        np.testing.assert_array_equal(poses.points[:, 0], [[[1, 2, 3], [4, 5, 6]], np.full((2, 3), NAN)])
        assert poses.confidence is not None
        assert poses.confidence[:, 0].tolist() == [[0.5, 1], [0, 0]]

    @pytest.mark.parametrize(("lacking", "there"), [("y", "x and z"), ("x", "y and z")])
    def test_a_joint_without_one_of_its_columns_is_left_out_and_named(
        self, lacking: str, there: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        header = [f"{joint}_{axis}" for joint in ("hip", "head", "hand") for axis in "xyz"]
        header.remove(f"hand_{lacking}")
        poses = self.read(f"{','.join(header)}\n{','.join('1' * 8)}\n")
        assert poses.joints == ("hip", "head")
        said = [record.getMessage() for record in caplog.records]
        assert said == [f"'hand' has columns of {there} but none of {lacking}, and is left out"]

    def test_what_stands_before_every_joint_is_left_out_if_the_rest_is_a_body(self) -> None:
        kinect = LAYOUTS["kinect20"].joints
        for path in ("skeleton.joints.", "Body0_"):
            header = [f"{path}{joint}.{axis}" for joint in kinect for axis in "xyz"]
            assert self.read(f"{','.join(header)}\n{','.join('1' * 60)}\n").joints == kinect
        arm = [f"left_{part}_x,left_{part}_y" for part in "abcdefghijkl"]  # no body without the side
        assert self.read(f"{','.join(arm)}\n{','.join('1' * 24)}\n").joints[0] == "left_a"

    def test_places_beside_rotations(self) -> None:
        """As headsets log a body; pixels beside places are none of the joints."""
        parts = ("px", "py", "pz", "qw", "qx", "qy", "qz")
        header = ",".join(f"body_{joint}_{part}" for joint in ("hip", "head") for part in parts)
        poses = self.read(f"time,{header}\n0,{','.join(map(str, range(14)))}\n")
        assert poses.joints == ("hip", "head")
        np.testing.assert_array_equal(poses.points[0, 0], [[0, 1, 2], [7, 8, 9]])
        poses = self.read("hip_px,hip_py,hip_x,hip_y,head_px,head_py,head_x,head_y\n1,2,3,4,5,6,7,8\n")
        np.testing.assert_array_equal(poses.points[0, 0], [[3, 4], [7, 8]])

    def test_columns_that_are_no_joint_are_not_remarked_on(self, caplog: pytest.LogCaptureFixture) -> None:
        poses = self.read("hip_x,hip_y,head_x,head_y,pupil_x,effort_c\n1,2,3,4,5,6\n")
        assert poses.joints == ("hip", "head")
        assert not caplog.records

    @pytest.mark.parametrize(
        "header", ["x0,y0,x1,y1", "x_1,y_1,x_2,y_2", "0_x,0_y,1_x,1_y", "j1x,j1y,j2x,j2y"]
    )
    def test_joints_by_number(self, header: str) -> None:
        poses = self.read(f"{header}\n1,2,3,4\n")
        assert poses.joints == ()
        assert poses.points.tolist() == [[[[1, 2], [3, 4]]]]

    @pytest.mark.parametrize(
        "box", ["x1,y1,x2,y2", "bbox_x1,bbox_y1,bbox_x2,bbox_y2", "bbox_center_x,bbox_center_y,width,height",
                "box_x,box_y,box_w,box_h", "min_x,min_y,max_x,max_y"],
    )  # fmt: skip
    @pytest.mark.parametrize("joint", ["kpt{}_x,kpt{}_y,kpt{}_conf", "x_{},y_{},score_{}", "{}_x,{}_y,{}_c"])
    def test_the_box_around_a_person_is_no_joint(self, box: str, joint: str) -> None:
        """Nor does it take the others' confidences, which it has not."""
        names = ",".join(joint.replace("{}", str(at)) for at in range(17))
        values = np.stack([np.arange(1, 18), np.arange(21, 38), np.full(17, 0.5)], axis=1)
        row = ",".join(map(str, [0, 300, 301, 302, 303, *values.ravel()]))
        poses = csv_poses(f"frame,{box},{names}\n{row}\n".encode(), scores=False, layout=None)
        assert isinstance(poses, Poses)
        assert poses.confidence is not None
        np.testing.assert_allclose(poses.points[0, 0], values[:, :2])
        assert poses.confidence.min() == 0.5
        assert poses.unread == tuple(box.split(","))

    @pytest.mark.parametrize(
        "text",
        [
            ",hip,hip,head,head\n,x,y,x,y\n0,1,2,3,4\n2,5,6,7,8\n",
            "joint,hip,hip,head,head\naxis,x,y,x,y\nframe,,,,\n0,1,2,3,4\n2,5,6,7,8\n",
            "frame,hip,,head,\n,X,Y,X,Y\n0,1,2,3,4\n2,5,6,7,8\n",
        ],
    )
    def test_joints_above_axes(self, text: str) -> None:
        """As pandas writes columns of two levels, and a spreadsheet merges their cells."""
        poses = csv_poses(text.encode(), scores=False, layout=None)
        assert poses.joints == ("hip", "head")
        np.testing.assert_array_equal(poses.points[[0, -1]].reshape(2, 4), [[1, 2, 3, 4], [5, 6, 7, 8]])

    def test_times_below_joints_and_axes(self) -> None:
        rows = "\n".join(f"{at / 25},1,2,3,4" for at in range(4))
        assert csv_notes(f",hip,hip,head,head\ntime_s,x,y,x,y\n{rows}\n".encode(), {})["fps"] == 25

    def test_one_and_two_are_joints_of_more(self) -> None:
        header = ",".join(f"x{at},y{at}" for at in range(1, 18))
        poses = csv_poses(f"{header}\n{','.join(map(str, range(1, 35)))}\n".encode(), False, None)
        np.testing.assert_array_equal(poses.points[0, 0], counted(17, 2))

    def test_numbers_set_the_order(self) -> None:
        assert self.read("x2,y2,x10,y10," + ",".join(f"x{i},y{i}" for i in (1, 3, 4, 5, 6, 7, 8, 9)) + "\n"
                         + ",".join(str(i) for i in range(1, 21)) + "\n").points[0, 0, :3].tolist() == [
            [5, 6], [1, 2], [7, 8],
        ]  # fmt: skip

    def test_frames_that_are_not_there_are_gaps(self) -> None:
        poses = self.read("frame,hip_x,hip_y,head_x,head_y\n10,1,2,3,4\n13,5,6,7,8\n11,9,9,9,9\n")
        assert poses.points[:, 0, 0, 0].tolist()[:2] == [1, 9]
        assert np.isnan(poses.points[2]).all()
        assert poses.points[3, 0].tolist() == [[5, 6], [7, 8]]

    def test_people_by_a_column(self) -> None:
        poses = self.read(
            "frame,person,hip_x,hip_y,head_x,head_y\n0,ann,1,2,3,4\n0,bob,5,6,7,8\n1,bob,5,6,7,9\n"
        )
        assert poses.points.shape == (2, 2, 2, 2)
        assert poses.points[0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
        assert np.isnan(poses.points[1, 0]).all()
        assert poses.points[1, 1, 1].tolist() == [7, 9]

    @pytest.mark.parametrize("long", [False, True])
    def test_people_of_many_numbers_are_never_there_at_once(self, long: bool) -> None:
        """A tracker that loses people gives them another number: here every three frames."""
        who = {frame: (frame // 3, 500 + frame // 3) for frame in range(300)}
        rows = ["frame,track_id,joint,x,y" if long else "frame,track_id,hip_x,hip_y,head_x,head_y"]
        for frame, numbers in who.items():
            for place, number in enumerate(numbers):
                at = [(frame + 1, 10 * place), (frame + 1, 10 * place + 5)]
                if long:
                    rows += [
                        f"{frame},{number},{joint},{x},{y}"
                        for joint, (x, y) in zip(("hip", "head"), at, strict=True)
                    ]
                else:
                    rows.append(f"{frame},{number}," + ",".join(f"{x},{y}" for x, y in at))
        found = csv_poses("\n".join(rows).encode(), scores=False, layout=None)
        assert isinstance(found, Detections)
        assert (found.joints, found.frames, len(found.frame)) == (("hip", "head"), 300, 600)
        assert found.identity is not None
        for frame in (0, 1, 299):
            mine = found.frame == frame
            assert len(set(found.identity[mine])) == 2
            assert sorted(found.points[mine].tolist()) == [
                [[frame + 1, 0], [frame + 1, 5]],
                [[frame + 1, 10], [frame + 1, 15]],
            ]
        assert len(set(found.identity.tolist())) == 200

    @pytest.mark.parametrize("name", ["index", "id", "name", "idx"])
    def test_a_number_of_each_row_makes_no_long_form(self, name: str) -> None:
        poses = self.read(f"{name},time,hip_x,hip_y,head_x,head_y\n0,0,1,2,3,4\n1,0.04,5,6,7,8\n")
        assert poses.points[:, 0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]

    def test_the_long_form_has_a_row_a_joint(self) -> None:
        poses = self.read("frame;joint;x;y;z\n0;head;1;2;3\n0;hip;4;5;6\n1;hip;7;8;9\n")
        assert poses.joints == ("head", "hip")
        assert poses.points[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
        assert np.isnan(poses.points[1, 0, 0]).all()
        assert poses.points[1, 0, 1].tolist() == [7, 8, 9]
        assert poses.confidence is None

    def test_the_long_form_by_number_with_visibility(self) -> None:
        poses = self.read("frame,landmark,x,y,z,visibility\n5,1,1,2,3,1\n5,0,4,5,6,0.5\n")
        assert poses.joints == ()
        assert poses.points.tolist() == [[[[4, 5, 6], [1, 2, 3]]]]
        assert poses.confidence is not None
        assert poses.confidence.tolist() == [[[0.5, 1]]]

    def test_no_header_by_the_layout(self) -> None:
        poses = self.read("1\t2\t3\t4\t5\t6\n7\t8\t9\tnan\t11\t12\n", PAIR)
        assert poses.points[0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
        assert np.isnan(poses.points[1, 0, 1]).all()
        flat = self.read("1,2,.5,4,5,.25\n", PAIR, scores=True)
        assert flat.points.tolist() == [[[[1, 2], [4, 5]]]]
        assert flat.confidence is not None
        assert flat.confidence.tolist() == [[[0.5, 0.25]]]

    def test_a_header_that_only_numbers_the_columns_is_no_frame(self) -> None:
        """As pandas writes one of an array."""
        rows = [",".join(map(str, range(first, first + 34))) for first in (0, 1, 2)]
        assert self.read("\n".join(rows)).points[:, 0, 0].tolist() == [[1, 2], [2, 3]]
        assert self.read("\n".join(rows[1:])).points.shape[0] == 2

    @pytest.mark.parametrize(("numbers", "shape"), [(34, (17, 2)), (99, (33, 3)), (132, (33, 3))])
    def test_no_header_and_no_doubt(self, numbers: int, shape: tuple[int, int]) -> None:
        assert self.read(",".join(["1"] * numbers)).points.shape == (1, 1, *shape)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "is empty"),
            ("\n \n", "is empty"),
            ("a\0b", "is binary"),
            ("1,2,3,4", "has 4 numbers per row and no header; name their `layout`"),
            ("a,b\n1,2", "call its columns left_wrist_x, left_wrist_y and so on"),
            ("hip_x,hip_y\n", "has a header but no frames"),
            ("hip_x,hip_y,head_x,head_y\n1,2,3\n", "line 2: has 3 fields, the header 4"),
            ("hip_x,hip_y,head_x,head_y\n1,2,3,4\n1,2,oops,4\n", "line 3: 'oops' is not a number"),
            ("hip_x,hip_y,head_x,head_y,head_z\n1,2,3,4,5\n", "joint 'head' has other columns than 'hip'"),
            ("hip_x,hip_y,hip_x\n1,2,3\n", "line 1: has x of joint 'hip' twice"),
            ("x0,y0,x2,y2\n1,2,3,4\n", "lacks joints"),
            ("frame,hip_x,hip_y,a_x,a_y\nzero,1,2,3,4\n", "line 2: 'zero' is not a frame number"),
            ("frame,hip_x,hip_y,a_x,a_y\n3,1,2,3,4\n3,1,2,3,4\n", "line 3: duplicates a joint of a frame"),
            ("person,hip_x,hip_y,a_x,a_y\n3,1,2,3,4\n", "a column of people but no column 'frame'"),
            ("joint,x,y\nhip,1,2\n", "a row per joint but no column 'frame'"),
            ("frame,joint,x,y\n0,a,1,2\n1,b,1,2\n9999999999,a,1,2\n", "numbers too far apart"),
            ("hip_x,hip_y,head_x,head_y\n1,2,3,1e9\n", "beyond 1,000,000"),
        ],
    )  # fmt: skip
    def test_what_is_no_table_is_refused(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            self.read(text)

    def test_decimal_commas_between_semicolons(self) -> None:
        text = "Time;hip_x;hip_y;head_x;head_y\n0,00;1,5;2;3;4,25\n0,04;1,5;2;3;4,25\n"
        poses = csv_poses(text.encode(), scores=False, layout=None)
        assert poses.points[1, 0].tolist() == [[1.5, 2], [3, 4.25]]
        assert poses.times is not None
        assert poses.times.tolist() == [0, 0.04]
        assert csv_notes(text.encode(), {})["fps"] == 25

    @pytest.mark.parametrize("mark", ["utf-16", "utf-8-sig"])
    def test_unicode_of_windows_is_read(self, mark: str) -> None:
        text = "time_s,who,head_x,head_y,hip_x,hip_y\r\n0,Jörg,1,2,3,4\r\n0.04,Jörg,1,2,3,4\r\n"
        poses = csv_poses(text.encode(mark), scores=False, layout=PAIR)
        np.testing.assert_array_equal(poses.points[1, 0], counted(2, 2))
        notes = csv_notes(text.encode(mark), {"label": "who"})
        assert notes == {"label": "Jörg", "fps": 25, "measured": True}

    def test_what_is_in_the_code_page_of_a_country_is_refused_with_what_helps(self) -> None:
        text = "größe,head_x,head_y,hip_x,hip_y\n1,1,2,3,4\n".encode("latin-1")
        with pytest.raises(ValueError, match=r"is not UTF-8 text; save it in UTF-8 \(in Excel: CSV UTF-8\)"):
            csv_poses(text, scores=False, layout=PAIR)

    def test_the_layout_says_how_many_numbers_there_are(self) -> None:
        with pytest.raises(
            ValueError, match="has 5 numbers per row; expected 2, 3 or 4 for each of 2 joints"
        ):
            self.read("1,2,3,4,5", PAIR)
        with pytest.raises(ValueError, match="line 3: has 3 fields, the first 4"):
            self.read("1,2,3,4\n1,2,3,4\n1,2,3", PAIR)


class TestClipsInJson:
    def test_nested_lists(self) -> None:
        poses = json_poses(as_json([[[1, 2], [3, None]]]), scores=False)
        assert isinstance(poses, Poses)
        assert poses.points[0, 0, 0].tolist() == [1, 2]
        assert np.isnan(poses.points[0, 0, 1]).all()

    def test_with_what_else_is_known(self) -> None:
        data = as_json(
            {"xyz": counted(2, 1, 3, 3).tolist(), "confidence": [[1, 0.5, 0], [1, 1, 1]], "label": 4}
        )
        poses = json_poses(data, scores=False)
        assert isinstance(poses, Poses)
        assert poses.confidence is not None
        assert poses.confidence[:, 0].tolist() == [[1, 0.5, 0], [1, 1, 1]]
        np.testing.assert_array_equal(poses.points[1, 0], counted(2, 3, 3)[1])
        assert json_notes(data) == {"label": 4}
        assert json_notes(b"[[[1, 2]]]") == {}


class TestEstimators:
    def test_openpose_frames(self) -> None:
        keypoints = [[[1, 2, 0.5, 0, 0, 0], [5, 6, 1, 7, 8, 1]], [], [[9, 9, 1, 9, 9, 0.25], []]]
        files = [as_json({"people": [{"pose_keypoints_2d": each} for each in frame]}) for frame in keypoints]
        found = openpose((7, 8, 9), [openpose_frame(file) for file in files])
        assert (found.frame.tolist(), found.frames, found.program) == ([0, 0, 2], 3, "openpose")
        assert found.points[1].tolist() == [[5, 6], [7, 8]]
        assert np.isnan(found.points[0, 1]).all()  # OpenPose's 0, 0, 0
        assert found.confidence is not None
        assert found.confidence.tolist() == [[0.5, 0], [1, 1], [1, 0.25]]

    def test_every_tenth_frame_is_a_frame(self) -> None:
        assert openpose((30, 40, 60), [[], [], [[1, 2, 1, 3, 4, 1]]]).frame.tolist() == [3]

    @pytest.mark.parametrize("names", [[3, 1], ["3.jpg", "1.jpg"], ["walk_03.png", "walk_01.png"]])
    def test_coco_results(self, names: list[Any]) -> None:
        entries = [
            {"image_id": names[0], "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 1], "score": 0.9},
            {"image_id": names[1], "category_id": 1, "keypoints": [5, 6, 0, 7, 8, 2], "score": 0.9},
            {"image_id": names[0], "category_id": 1, "keypoints": [9, 9, 2, 9, 9, 2], "score": 0.9},
        ]
        found = people(as_json(entries))
        assert (found.frame.tolist(), found.frames, found.program) == ([0, 1, 1], 2, "coco")
        assert found.confidence is not None
        assert found.confidence.tolist() == [[0, 1], [1, 0.5], [1, 1]]  # flags 0, 1, 2
        assert np.isnan(found.points[0, 0]).all()
        assert found.points[1].tolist() == [[1, 2], [3, 4]]

    def landmarks(self, *joints: tuple[float, ...]) -> list[dict[str, float]]:
        return [dict(zip(("x", "y", "z", "visibility"), joint, strict=False)) for joint in joints]

    def test_mediapipe_landmarks(self) -> None:
        body, other = self.landmarks((1, 2, 3, 0.5), (4, 5, 6, 1)), self.landmarks((7, 7, 7, 1), (8, 8, 8, 1))
        for content in (
            [body, None, [body, other]],
            {"frames": [{"landmarks": body}, {"landmarks": []}, {"landmarks": [body, other]}]},
            [{"frame": 4, "pose_landmarks": body}, {"frame": 6, "pose_landmarks": [body, other]},
             {"frame": 5, "pose_landmarks": None}],
        ):  # fmt: skip
            found = people(as_json(content))
            assert (found.frame.tolist(), found.frames, found.program) == ([0, 2, 2], 3, "mediapipe")
            assert found.points[2].tolist() == [[7, 7, 7], [8, 8, 8]]
            assert found.confidence is not None
            assert found.confidence.tolist() == [[0.5, 1], [0.5, 1], [1, 1]]

    def test_world_landmarks_come_first_and_visibility_may_be_missing(self) -> None:
        world, image = self.landmarks((1, 2, 3), (4, 5, 6)), self.landmarks((7, 7, 7), (8, 8, 8))
        found = people(as_json([{"pose_landmarks": image, "pose_world_landmarks": world}]))
        assert found.points.tolist() == [[[1, 2, 3], [4, 5, 6]]]
        assert found.confidence is None

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ({}, "it has no 'xyz', 'keypoints' or 'landmarks'"),
            ([], "it is not a list, or is empty"),
            ({"people": []}, "is one frame of OpenPose; name it NAME_0000"),
            ([[[1, 2], [3]]], "the clip: has lists of unequal length"),
            ([[["a", 2], [3, 4]]], "values that are not numbers"),
            ([{"image_id": 1, "keypoints": 3}], "entry 0 has no list of 'keypoints'"),
            ([{"image_id": "a.jpg", "keypoints": [1] * 6}], "entry 0 has an 'image_id' without a frame"),
            ([{"image_id": 1, "keypoints": [1] * count} for count in (6, 9)], "have 6 or 9 numbers"),
            ([{"image_id": 1, "keypoints": [1] * 7}], "have 7 numbers; expected 3 per joint"),
            ([{"image_id": f"{v}_1.jpg", "keypoints": [1] * 6} for v in "ab"], "several videos"),
            ([{"image_id": i, "keypoints": [1] * 6} for i in (1, 2, 10**9)], "numbers too far apart"),
            ([[{"x": 1}]], "frame 0 has a landmark without x and y"),
            ([{"landmarks": [{"x": 1, "y": 2}]}, {"other": 1}], "frame 1 has no 'landmarks'"),
            ([[[[[1, 2]]]], [[[[1, 2]]]]], r"shape \(2, 1, 1, 1, 2\)"),
        ],
    )  # fmt: skip
    def test_what_is_none_of_these_is_refused(self, content: Any, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            json_poses(as_json(content), scores=False)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"{", r"is not JSON, or is cut off \(line 1\)"),
            (b"[" * 100_000, "is not JSON"),
            (b"\xff\xfe\xff", "is not JSON"),
        ],
    )
    def test_what_is_no_json_is_refused(self, data: bytes, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            json_poses(data, scores=False)

    @pytest.mark.parametrize("content", [[], {"people": 3}, {"people": [3]}, {"people": [{"a": 1}]}])
    def test_what_is_no_frame_of_openpose_is_refused(self, content: Any) -> None:
        with pytest.raises(ValueError, match="is not a frame of OpenPose"):
            openpose_frame(as_json(content))


class TestHours:
    """Recordings of hours are one clip; sizes that no clip has are refused before they take memory."""

    def test_an_hour_of_a_csv_and_nine_of_an_array(self) -> None:
        row = "1.5,2,0.9,3,4.25,0.8"
        table = "\n".join(["hip_x,hip_y,hip_c,head_x,head_y,head_c", *[row] * 108_000]).encode()
        poses = csv_poses(table, scores=False, layout=PAIR)
        assert poses.points.shape == (108_000, 1, 2, 2)
        np.testing.assert_array_equal(poses.points[-1, 0], [[1.5, 2], [3, 4.25]])
        nine = npy_poses(npy(np.ones((972_000, 2, 2), dtype=np.int8)), scores=False)
        assert len(nine.points) == 972_000

    @pytest.mark.parametrize("mark", ["", '"'])
    def test_the_fields_of_a_csv_are_not_in_memory_all_at_once(self, mark: str) -> None:
        """Those of an hour of 33 joints would take 2 GB; a line is split when it is read."""
        header = ",".join(f"{axis}{joint}" for joint in range(12) for axis in "xy")
        row = ",".join([f"{mark}123.456{mark}"] * 24)
        poses, peak = self.read_in_memory("\n".join([header, *[row] * 20_000]))
        assert poses.points.shape == (20_000, 1, 12, 2)
        assert peak < 4

    @pytest.mark.parametrize("mark", ["", '"'])
    def test_nor_is_a_row_of_each_joint(self, mark: str) -> None:
        rows = [f"{t},{mark}joint{j}{mark},{j}.123456,{t % 7}.123456" for t in range(4000) for j in range(12)]
        poses, peak = self.read_in_memory("\n".join(["frame,joint,x,y", *rows]))
        assert poses.points.shape == (4000, 1, 12, 2)
        np.testing.assert_allclose(poses.points[3999, 0, 11], [11.123456, 2.123456])  # 3999 = 571 * 7 + 2
        assert peak < 4

    def read_in_memory(self, table: str) -> tuple[Poses, float]:
        """The clip of a table, and how many times the table's size was in memory."""
        import tracemalloc

        data = table.encode()
        tracemalloc.start()
        poses = csv_poses(data, scores=False, layout=None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return poses, peak / len(data)

    def test_a_field_in_quotes_ends_in_its_line(self) -> None:
        with pytest.raises(ValueError, match="line 2 or after it: a field in quotes ends in another line"):
            csv_poses(b'hip_x,hip_y,head_x,head_y\n"1,2,3,4\n5",6,7,8\n', scores=False, layout=None)

    def test_quoted_fields_may_hold_separators(self) -> None:
        table = b'"a, of all","hip_x","hip_y",head_x,head_y\n"1,5",1,2,3,4\n"",5,6,"7",8\n'
        assert csv_poses(table, scores=False, layout=None).points[1, 0].tolist() == [[5, 6], [7, 8]]

    def test_the_line_of_a_mistake_is_named_however_late_it_comes(self) -> None:
        rows = ["1,2,3,4"] * 10_000
        with pytest.raises(ValueError, match="line 9001: 'oops' is not a number"):
            csv_poses("\n".join([*rows[:9000], "1,2,oops,4", *rows]).encode(), scores=False, layout=PAIR)

    def test_no_more_is_read_of_an_array_than_it_claims(self) -> None:
        import zipfile

        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (10, 2, 3)}
        )
        large = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 33, 3)}
        lie = io.BytesIO()
        np.lib.format.write_array_header_1_0(lie, large)
        for claimed, reason in ((header, "and has another size"), (lie, "which no clip has")):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("xyz.npy", claimed.getvalue() + bytes(1 << 25))
            tracemalloc.start()
            with pytest.raises(ValueError, match=reason):
                npz_poses(packed.getvalue(), scores=False)
            assert tracemalloc.get_traced_memory()[1] < 1 << 22
            tracemalloc.stop()
