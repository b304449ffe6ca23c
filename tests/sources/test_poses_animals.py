"""DeepLabCut, Lightning Pose and SLEAP: any animal, with its skeleton where the file has it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources.animals import NODES, deeplabcut, deeplabcut_h5, sleap_analysis, sleap_project

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.sources.poses import open_poses
from kineme.sources.poses.arrays import Detections, Poses
from kineme.sources.poses.deeplabcut import deeplabcut_csv
from kineme.sources.poses.hdf5 import hdf5_poses
from kineme.sources.poses.trees import guessed_tree, tree_of

DATA = Path(__file__).with_name("data")

# Labels of two frames, cut from tests/CollectedData_dummy.csv of Lightning Pose (MIT licence, Dan Biderman,
# Matt Whiteway and others).
LIGHTNING = """\
scorer,Unnamed: 1_level_0,Unnamed: 2_level_0,Unnamed: 3_level_0,Unnamed: 4_level_0
bodyparts,black_mouse_nose,black_mouse_nose,black_mouse_right_ear,black_mouse_right_ear
coords,x,y,x,y
labeled-data/012609_A29_Block12_BCma1_t/img00010035.png,259.0,401.0,252.0,373.0
labeled-data/012609_A29_Block12_BCma1_t/img00010327.png,592.0,252.0,556.0,263.0
"""


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


class TestDeepLabCut:
    def test_three_rows_of_header(self) -> None:
        poses = deeplabcut_csv(deeplabcut().encode())
        assert (poses.joints, poses.points.shape) == (("snout", "tailbase"), (6, 1, 2, 2))
        assert poses.points[2, 0].tolist() == [[102, 50], [102, 92]]
        assert poses.confidence is not None
        assert poses.confidence[2, 0].tolist() == pytest.approx([0.1, 0.9])

    def test_four_rows_have_individuals_who_are_people(self) -> None:
        poses = deeplabcut_csv(deeplabcut(["mouse1", "mouse2"]).encode())
        assert poses.points.shape == (6, 2, 2, 2)
        assert poses.points[1, 1].tolist() == [[201, 50], [201, 91]]

    def test_parts_that_are_no_animals_are_left_out(self) -> None:
        text = deeplabcut(["mouse1", "single"])
        assert deeplabcut_csv(text.encode()).points.shape == (6, 1, 2, 2)

    def test_what_is_saved_several_times_is_read_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name in ("m1DLC_net_1.csv", "m1DLC_net_1.h5", "m2DLC_net_1.csv", "m2DLC_net_1_filtered.csv"):
            written(tmp_path / name, deeplabcut())
        with caplog.at_level("INFO"):
            assert open_poses(tmp_path).names == ["m1DLC_net_1", "m2DLC_net_1_filtered"]
        assert ".h5 files beside a .csv file of the same name are not read again" in caplog.messages
        assert "of DeepLabCut's files with a filtered one beside them, only that is read" in caplog.messages
        written(tmp_path / "walk.csv", deeplabcut())
        written(tmp_path / "walk_filtered.csv", deeplabcut())  # another program's, which says nothing
        assert open_poses(tmp_path).names[-2:] == ["walk", "walk_filtered"]

    def test_a_true_file_of_a_trained_network(self) -> None:
        poses = deeplabcut_csv((DATA / "deeplabcut.csv").read_bytes())
        assert (poses.joints, poses.points.shape) == (("head", "stinger"), (4, 1, 2, 2))
        assert poses.points[3, 0].tolist() == [
            [1085.08447265625, 422.58984375],
            [1081.6279296875, 425.6838073730469],
        ]
        assert poses.confidence is not None
        assert poses.confidence[3, 0].tolist() == pytest.approx([0.2382197, 0.1728969])

    def test_a_true_file_of_labels_of_several(self) -> None:
        poses = deeplabcut_csv((DATA / "deeplabcut_individuals.csv").read_bytes())
        assert poses.joints == ("pup_snout", "pup_neck", "pup_body", "pup_tailbase")
        assert poses.points.shape == (2, 2, 4, 2)  # the nest is no animal
        assert poses.points[1, :, 2] == pytest.approx(
            np.array([[240.2882731, 607.3760545], [770.5557453, 327.3707316]])
        )
        assert np.isnan(poses.points[0]).all()
        assert np.isnan(poses.points[1, 1, :2]).all()

    def test_images_as_lightning_pose_labels_them(self) -> None:
        poses = deeplabcut_csv(LIGHTNING.encode())
        assert poses.points.shape == (2, 1, 2, 2)  # 292 frames apart, every 292nd was labelled
        assert poses.points[1, 0, 0].tolist() == [592, 252]
        assert poses.confidence is None

    def test_what_an_ensemble_adds_is_not_read(self) -> None:
        """As Lightning Pose's smoother writes it: medians and variances of each part."""
        scorer, parts, coords, *rows = deeplabcut().splitlines()
        more = [f"{scorer},eks,eks", f"{parts},snout,snout", f"{coords},x_ens_median,y_posterior_var"]
        poses = deeplabcut_csv("\n".join([*more, *(f"{row},7,7" for row in rows)]).encode())
        np.testing.assert_array_equal(poses.points, deeplabcut_csv(deeplabcut().encode()).points)
        assert poses.unread == ("x_ens_median", "y_posterior_var")

    def test_h5_is_the_same_table(self) -> None:
        csv, h5 = deeplabcut_csv(deeplabcut().encode()), hdf5_poses(deeplabcut_h5())
        assert isinstance(h5, Poses)
        assert h5.joints == csv.joints
        np.testing.assert_array_equal(h5.points, csv.points)

    def test_an_animal_is_a_layout_of_its_own_whose_tree_is_guessed_and_said(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        source = open_poses(written(tmp_path / "mouse.csv", deeplabcut()))
        assert (source.layout.name, source.layout.joints) == ("mouse", ("snout", "tailbase"))
        assert sorted(source.layout.parents) == [-1, 1] or sorted(source.layout.parents) == [-1, 0]
        assert "have no tree in the file; it is guessed" in caplog.text

    def test_low_likelihood_is_missing_by_the_threshold(self, tmp_path: Path) -> None:
        path = written(tmp_path / "mouse.csv", deeplabcut())
        for least, expected in ((None, 0.1), (0.6, 0.0)):
            source = open_poses(path, least_confidence=least)
            clip = source.read(source.items[0])
            assert clip.confidence is not None
            assert clip.confidence[2, 0, 0] == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("scorer,a,a\nbodyparts,x,x\n0,1,2\n", "without the rows 'bodyparts' and 'coords'"),
            ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\n", "has a header but no frames"),
            ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\n0,1\n", "line 4: has 2 fields, the row 'coords' 3"),
            ("scorer,a,a\nbodyparts,n,n\ncoords,x,x\n0,1,2\n", "has x of 'n' twice"),
            ("scorer,a,a\nscorer,n,n\ncoords,x,x\n0,1,2\n", "line 2: the header has a second row 'scorer'"),
            ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\n0,1,b\n", "line 4: 'b' is not a number"),
        ],
    )
    def test_what_is_none_is_refused(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            deeplabcut_csv(text.encode())


class TestSleap:
    def test_an_analysis_has_tracks_scores_and_a_skeleton(self) -> None:
        poses = hdf5_poses(sleap_analysis())
        assert isinstance(poses, Poses)
        assert (poses.joints, poses.parents, poses.points.shape) == (NODES, (1, -1, 1, 1), (5, 2, 4, 2))
        assert poses.points[3, 1, 2].tolist() == [213, 64]  # 200 + 2 * 5 + 3; 60 + 2 ** 2
        assert np.isnan(poses.points[4, 1]).all()
        assert poses.confidence is not None
        assert poses.confidence[0, 0, 0] == 0.75

    @pytest.mark.parametrize(
        "order",
        ["track xy node frame", "frame track node xy", "frame node xy track", "xy node track frame"],
    )
    def test_the_file_says_what_its_axes_are(self, order: str) -> None:
        """Of two animals and four nodes, sizes alone would be those of another order."""
        found, expected = hdf5_poses(sleap_analysis(order.split())), hdf5_poses(sleap_analysis())
        assert isinstance(found, Poses)
        np.testing.assert_array_equal(found.points, expected.points)
        np.testing.assert_array_equal(found.confidence, expected.confidence)

    def test_tracks_may_be_many_where_animals_are_few(self) -> None:
        import h5py

        file = io.BytesIO(sleap_analysis())
        with h5py.File(file, "r+") as h5:
            tracks = np.full((150, 2, 4, 150), np.nan)
            for track in range(150):
                tracks[track, :, :, track] = h5["tracks"][0, :, :, 0]
            for name in ("tracks", "point_scores"):
                del h5[name]
            h5["tracks"] = tracks
        found = hdf5_poses(file.getvalue())
        assert isinstance(found, Poses)
        assert found.points.shape == (150, 150, 4, 2)

    def test_axes_that_do_not_fit_are_refused(self) -> None:
        said, wrong = ["track", "xy", "node", "frame"], ["track", "xy", "frame", "node"]
        content = sleap_analysis(said).replace(json.dumps(said).encode(), json.dumps(wrong).encode())
        with pytest.raises(ValueError, match=r"has tracks of shape \(2, 2, 4, 5\), and 4 nodes"):
            hdf5_poses(content)

    def test_a_project_takes_what_people_corrected(self) -> None:
        found = hdf5_poses(sleap_project())
        assert isinstance(found, Detections)
        assert (found.frame.tolist(), found.frames) == ([0, 1, 2], 3)
        assert found.points[0, 1].tolist() == [11, 21]
        assert found.points[1, 1].tolist() == [31, 41]  # placed by hand
        assert np.isnan(found.points[1, 3]).all()  # not visible
        assert found.confidence is not None
        assert found.confidence[:, 1].tolist() == [0.5, 1, 0.5]
        assert found.parents == (1, -1, 1, 1)  # without the symmetry

    @pytest.mark.parametrize(
        ("track", "other", "shown"),
        [
            (0, 1, [31, 23]),  # somebody else, whom nobody corrected
            (0, 0, [31]),
            (0, -1, [31]),  # perhaps the same
            (-1, 1, [31]),
            (-1, -1, [31]),
        ],
    )
    def test_beside_a_corrected_animal_predictions_of_others_count(
        self, track: int, other: int, shown: list[int]
    ) -> None:
        found = hdf5_poses(sleap_project(track, other))
        assert isinstance(found, Detections)
        assert found.points[found.frame == 1, 1, 0].tolist() == shown
        assert (found.identity is not None) == (track == 0)

    @pytest.mark.parametrize(
        ("name", "content"), [("fly.h5", sleap_analysis()), ("fly.slp", sleap_project())]
    )
    def test_the_skeleton_of_the_file_is_the_layout(self, tmp_path: Path, name: str, content: bytes) -> None:
        source = open_poses(written(tmp_path / name, content))
        assert source.layout == Layout.from_names("fly", NODES, ["thorax", None, "thorax", "thorax"])
        assert source.read(source.items[0]).xyz.shape[2] == 4


class TestHdf5:
    def test_without_h5py_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(sys.modules, "h5py", None)
        with pytest.raises(KinemeError, match=r"need h5py; pip install 'kineme\[hdf5\]'"):
            open_poses(written(tmp_path / "fly.h5", b"any"))

    def test_what_else_a_file_holds_is_listed(self, tmp_path: Path) -> None:
        import h5py

        with h5py.File(tmp_path / "brain.h5", "w") as file:
            file["session/spikes"] = np.zeros(3)
            file["trials"] = np.arange(3)
        with pytest.raises(KinemeError, match=r"none of SLEAP's or DeepLabCut's .* 'session, trials'"):
            open_poses(tmp_path / "brain.h5")
        with pytest.raises(KinemeError, match="is not an HDF5 file, or is damaged"):
            open_poses(written(tmp_path / "fly.slp", b"no"))

    def test_a_group_whose_index_leads_back_to_itself_ends(self) -> None:
        """HDF5 would visit its members for ever."""
        import h5py

        with h5py.File(stream := io.BytesIO(), "w") as file:
            file["spikes"] = np.zeros(3)
        data = bytearray(stream.getvalue())
        node = data.index(b"TREE")
        data[node + 16 : node + 24] = node.to_bytes(8, "little")  # the next node of the same level
        with pytest.raises(ValueError, match="it holds 'spikes'"):
            hdf5_poses(bytes(data))


@pytest.mark.parametrize(
    ("bones", "parents"),
    [
        ([(0, 1), (1, 2)], (1, -1, 1)),
        ([(0, 1), (1, 2), (2, 0)], (-1, 0, 0)),  # a circle
        ([(0, 1)], (-1, 0, 0)),  # a joint without a bone
    ],
)
def test_bones_become_a_tree(bones: list[Any], parents: tuple[int, ...]) -> None:
    assert tree_of(3, bones) == parents


def test_a_guessed_tree_is_not_that_of_misplaced_joints() -> None:
    """Estimators put a joint anywhere in a few frames."""
    rng = np.random.default_rng(0)
    turns = np.cumsum(rng.uniform(-1, 1, (100, 4)), axis=1)
    links = 30 * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    chain = np.pad(np.cumsum(links, axis=1), ((0, 0), (1, 0), (0, 0)))
    misplaced = rng.random((100, 5)) < 0.03
    chain[misplaced] += rng.normal(0, 200, (misplaced.sum(), 2))
    joints = ("snout", "ears", "back", "rump", "tail")
    parents = guessed_tree(Poses(chain[:, None].astype(np.float32), None, joints), joints)
    assert {frozenset(bone) for bone in enumerate(parents) if -1 not in bone} == {
        frozenset((joint, joint + 1)) for joint in range(4)
    }
