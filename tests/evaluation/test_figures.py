"""Figures: what is drawn, read back from the pixels where that says something."""

import numpy as np
import pytest
from matplotlib.image import imread

from kineme.errors import KinemeError
from kineme.evaluation import figures
from kineme.evaluation.figures import LEFT, RIGHT, confusion, embedding, skeleton_strip, training_curves
from kineme.layouts import LAYOUTS

LAYOUT = LAYOUTS["kinect20"]
AT = {name: joint for joint, name in enumerate(LAYOUT.joints)}


def _inked(path, colour):
    """(rows, columns) of the pixels of exactly this colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((np.round(imread(path)[..., :3] * 255) == wanted).all(axis=-1))


def _standing(frames=12, bodies=1, up=1, sign=1.0):
    """A body that stands still: its left at x = +0.2 (it faces +z if y is up), joints stacked along `up`."""
    xyz = np.zeros((frames, bodies, 20, 3))
    heights = {
        "ankle": 0.1,
        "foot": 0.02,
        "knee": 0.5,
        "hip": 1.0,
        "spine": 1.2,
        "shoulder": 1.5,
        "head": 1.8,
    }
    for name, joint in AT.items():
        height = next((h for part, h in heights.items() if part in name), 1.1)
        xyz[:, 0, joint, up] = sign * height
        xyz[:, 0, joint, (up + 2) % 3] = 0.2 * (("left" in name) - ("right" in name))
    return xyz


@pytest.mark.parametrize(("up", "sign"), [(1, 1.0), (2, 1.0), (1, -1.0)], ids=["y", "z", "image coordinates"])
def test_bodies_stand_upright_and_show_their_front(tmp_path, up, sign):
    """Whichever axis points up: seen from the front, a body's left is at the picture's right."""
    skeleton_strip([_standing(up=up, sign=sign)], LAYOUT, ["still"], tmp_path / "strip.png", poses=2)
    left, right = (_inked(tmp_path / "strip.png", colour) for colour in (LEFT, RIGHT))
    body = 60  # pixels from the top: below the line that names the colours
    assert left[1][left[0] > body].mean() > right[1][right[0] > body].mean() + 20
    assert np.ptp(left[0][left[0] > body]) > 2 * np.ptp(left[1][left[0] > body])  # standing, not lying


def test_a_strip_has_a_row_a_clip_and_absent_bodies_are_left_out(tmp_path):
    alone = _standing()
    with_absent = np.concatenate([alone, np.zeros_like(alone)], axis=1)
    skeleton_strip([alone, alone[:3]], LAYOUT, ["a", "b"], tmp_path / "two.png")
    skeleton_strip([with_absent, with_absent[:3]], LAYOUT, ["a", "b"], tmp_path / "absent.png")
    np.testing.assert_array_equal(imread(tmp_path / "two.png"), imread(tmp_path / "absent.png"))
    skeleton_strip([alone], LAYOUT, ["a"], tmp_path / "one.png")
    assert imread(tmp_path / "two.png").shape[0] > 1.7 * imread(tmp_path / "one.png").shape[0]


def test_figures_are_the_same_every_time(tmp_path):
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((60, 12)), np.arange(60) % 3
    for name in ("first.png", "second.png"):
        embedding(features, labels, ["a", "b", "c"], tmp_path / name, seed=1)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_an_embedding_shows_every_class_in_its_colour(tmp_path):
    features = np.repeat(np.eye(3), 20, axis=0) + 0.05 * np.random.default_rng(0).standard_normal((60, 3))
    embedding(features, np.repeat([0, 1, 4], 20), ["a", "b", "c", "d", "e"], tmp_path / "pca.png", kind="pca")
    assert all(len(_inked(tmp_path / "pca.png", hue)[0]) > 100 for hue in figures.HUES[:3])
    assert len(_inked(tmp_path / "pca.png", figures.HUES[3])[0]) == 0


def test_a_confusion_matrix_is_dark_on_the_diagonal_of_a_perfect_classifier(tmp_path):
    """The darkest blue of the map is 100 % of a class, however many clips that are."""
    confusion(np.diag([3, 50, 7]), ["sit", "stand up", "wave"], tmp_path / "c.png")
    rows, columns = _inked(tmp_path / "c.png", "#08306b")
    cells = set(zip(rows // 60, columns // 60, strict=True))
    assert len(cells) >= 3
    confusion(np.array([[1, 1, 1], [1, 1, 1], [0, 0, 0]]), ["sit", "stand up", "wave"], tmp_path / "even.png")
    assert len(_inked(tmp_path / "even.png", "#08306b")[0]) < 0.2 * len(rows)


def test_curves_come_from_a_history_file_or_its_rows(tmp_path):
    history = tmp_path / "history.csv"
    history.write_text("epoch,loss,infonce,lr,knn\n1,3.0,2.0,0.1,\n2,2.5,1.5,0.1,0.4\n3,2.0,1.0,0.1,0.55\n")
    rows = [
        {"epoch": 1, "loss": 3.0, "infonce": 2.0, "lr": 0.1},
        {"epoch": 2, "loss": 2.5, "infonce": 1.5, "lr": 0.1, "knn": 0.4},
        {"epoch": 3, "loss": 2.0, "infonce": 1.0, "lr": 0.1, "knn": 0.55},
    ]
    training_curves(history, tmp_path / "file.png")
    training_curves(rows, tmp_path / "rows.png")
    np.testing.assert_array_equal(imread(tmp_path / "file.png"), imread(tmp_path / "rows.png"))
    assert len(_inked(tmp_path / "file.png", figures.HUES[0])[0]) > 50  # the accuracy, in a panel of its own


@pytest.mark.parametrize(
    ("text", "reason"), [("epoch,loss\n", "no epochs"), ("epoch,loss\n1,x\n", "cannot be read")]
)
def test_a_history_without_numbers_is_refused(tmp_path, text, reason):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(KinemeError, match=rf"history\.csv: .*{reason}"):
        training_curves(tmp_path / "history.csv", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
