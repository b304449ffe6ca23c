"""Several stores as one: what is joined, what is kept apart, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sensors import seen_by

from kineme.clips.collection import Collection, open_stores, parts, store_numbers, training_rows
from kineme.clips.store import ClipStore
from kineme.errors import KinemeError
from kineme.layouts import LAYOUTS
from kineme.layouts.body import BODY, body_places


def test_clips_follow_one_another_and_labels_and_people_are_kept_apart(tmp_path: Path) -> None:
    one, other = seen_by(tmp_path / "one"), seen_by(tmp_path / "other", "coco17", clips=3)
    joined = Collection([one, other])
    assert len(joined) == 7
    assert joined.index["offset"].tolist() == [0, 5, 10, 15, 20, 25, 30]
    assert joined.labels.tolist() == [0, 1, 0, 1, 2, 3, 2]
    assert joined.manifest.class_names == ("one: sit", "one: stand", "other: sit", "other: stand")
    assert joined.index["subject"].tolist() == ["0:1", "0:1", "0:2", "", "1:1", "1:1", "1:2"]
    assert store_numbers(joined, np.array([0, 3, 4, 6])).tolist() == [0, 0, 1, 1]


def test_joints_go_to_their_places_in_the_body_and_the_others_are_absent(tmp_path: Path) -> None:
    one, other = seen_by(tmp_path / "one"), seen_by(tmp_path / "other", "coco17", bodies=2)
    joined = Collection([one, other])
    assert joined.layout == BODY
    assert (joined.bodies, joined.frames.shape) == (2, (40, 2, 59, 3))
    present = joined.present
    assert present is not None
    for row, layout in ((0, "kinect20"), (4, "coco17")):
        assert set(np.flatnonzero(present[row])) == set(body_places(LAYOUTS[layout]))


def test_what_sensors_share_lies_where_it_lies_for_the_other(tmp_path: Path) -> None:
    """Two sensors see the same pose; both have its shoulders and its pelvis."""
    one, other = (seen_by(tmp_path / name, name, line="plain(facing=True)") for name in ("azure32", "ntu25"))
    joined = Collection([one, other])
    assert joined.present is not None
    both = np.flatnonzero(joined.present[0] & joined.present[4])
    assert len(both) >= 20
    np.testing.assert_allclose(joined.clip(0)[:, :, both], joined.clip(4)[:, :, both], atol=1e-5)


def test_stores_of_one_layout_keep_it(tmp_path: Path) -> None:
    one, other = seen_by(tmp_path / "one"), seen_by(tmp_path / "other", clips=2)
    joined = Collection([one, other])
    assert joined.layout == one.layout
    assert joined.present is None
    np.testing.assert_array_equal(joined.frames, np.concatenate([one.frames, other.frames]))


def test_each_store_may_have_its_own_split(tmp_path: Path) -> None:
    seen_by(tmp_path / "one", clips=3)
    seen_by(tmp_path / "other", clips=3)
    joined = open_stores([tmp_path / "one", tmp_path / "other"])
    assert training_rows(joined, ["odd-even"]).tolist() == [0, 1, 3, 4]
    assert training_rows(joined, ["odd-even", "subjects:2"]).tolist() == [0, 1, 5]
    assert [rows.tolist() for _, rows in parts(joined, ["odd-even", "all"])] == [[0, 1], [0, 1, 2]]
    with pytest.raises(KinemeError, match="names 3 splits, but there are 2 stores"):
        training_rows(joined, ["all", "all", "all"])


def test_equal_stores_have_equal_fingerprints(tmp_path: Path) -> None:
    one, other = seen_by(tmp_path / "one"), seen_by(tmp_path / "other", "coco17")
    found = [Collection(each).manifest.fingerprint for each in ([one, other], [one, other], [other, one])]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"line": "plain"},
            r"were prepared by plain\(facing=True, scale=True\) and plain; prepare them with the same",
        ),
        ({"units": "metres"}, "are in 5 mean bones and metres; prepare them in the same units"),
        ({"flat": True}, "one is in 2D, the other in 3D"),
    ],
)
def test_stores_that_differ_in_more_than_their_joints_are_refused(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    one, other = seen_by(tmp_path / "one"), seen_by(tmp_path / "other", **change)  # type: ignore[arg-type]
    with pytest.raises(KinemeError, match=reason):
        Collection([one, other])


def test_a_store_is_named_once(tmp_path: Path) -> None:
    seen_by(tmp_path / "one")
    assert isinstance(open_stores([tmp_path / "one"]), ClipStore)
    with pytest.raises(KinemeError, match="one: is given twice"):
        open_stores([tmp_path / "one", tmp_path / "one" / ".." / "one"])
