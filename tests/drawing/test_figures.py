"""Figures: what is drawn, read back from the pixels where that says something."""

import numpy as np
import pytest
from matplotlib.image import imread

from kineme.drawing.figures import confusion, embedding, training_curves
from kineme.drawing.style import HUES
from kineme.errors import KinemeError


def _inked(path, colour):
    """(rows, columns) of the pixels of exactly this colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((np.round(imread(path)[..., :3] * 255) == wanted).all(axis=-1))


def test_figures_are_the_same_every_time(tmp_path):
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((60, 12)), np.arange(60) % 3
    for name in ("first.png", "second.png"):
        embedding(features, labels, ["a", "b", "c"], tmp_path / name, seed=1)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_an_embedding_shows_every_class_in_its_colour(tmp_path):
    features = np.random.default_rng(0).standard_normal((60, 3))
    embedding(features, np.repeat([0, 1, 4], 20), ["a", "b", "c", "d", "e"], tmp_path / "map.png")
    assert all(len(_inked(tmp_path / "map.png", hue)[0]) > 100 for hue in HUES[:3])
    assert len(_inked(tmp_path / "map.png", HUES[3])[0]) == 0


@pytest.mark.parametrize(("features", "said"), [(np.ones((6, 4)), True), (np.eye(6), False)])
def test_a_collapsed_embedding_is_named(tmp_path, features, said):
    embedding(features, np.arange(6) % 2, ["a", "b"], tmp_path / "map.svg")
    assert ("the embedding has collapsed" in (tmp_path / "map.svg").read_text()) == said


def test_a_confusion_matrix_is_dark_on_the_diagonal_of_a_perfect_classifier(tmp_path):
    """The darkest blue of the map is 100 % of a class, however many clips that are."""
    confusion(np.diag([3, 50, 7]), ["sit", "stand up", "wave"], tmp_path / "c.png")
    rows, columns = _inked(tmp_path / "c.png", "#08306b")
    cells = set(zip(rows // 60, columns // 60, strict=True))
    assert len(cells) >= 3
    confusion(np.array([[1, 1, 1], [1, 1, 1], [0, 0, 0]]), ["sit", "stand up", "wave"], tmp_path / "even.png")
    assert len(_inked(tmp_path / "even.png", "#08306b")[0]) < 0.2 * len(rows)


def test_curves_are_drawn_in_a_panel_each(tmp_path):
    rows = [
        {"epoch": 1, "loss": 3.0, "infonce": 2.0, "lr": 0.1},
        {"epoch": 2, "loss": 2.5, "infonce": 1.5, "lr": 0.1, "knn": 0.4},
        {"epoch": 3, "loss": 2.0, "infonce": 1.0, "lr": 0.1, "knn": 0.55},
    ]
    training_curves(rows, tmp_path / "with.png")
    training_curves([{**row, "knn": np.nan} for row in rows], tmp_path / "without.png")
    ink = {name: len(_inked(tmp_path / f"{name}.png", HUES[0])[0]) for name in ("with", "without")}
    assert ink["with"] > ink["without"] + 50  # the accuracy, in a panel of its own
    training_curves(rows, tmp_path / "with.svg")
    assert "<!-- 55.0 -->" in (tmp_path / "with.svg").read_text()  # per cent


@pytest.mark.parametrize("name", ["effective_rank", "feature_rank"])
def test_ranks_have_a_panel_of_their_own_and_no_line_among_the_terms(tmp_path, name):
    """With a term it would share a logarithmic axis; a path may be text."""
    rows = [
        {"epoch": epoch, "loss": 3.0, "term": 2.0, name: 4.0 + epoch, "feature_std": 0.1} for epoch in (1, 2)
    ]
    training_curves(rows, str(tmp_path / "curves.svg"))
    drawn = (tmp_path / "curves.svg").read_text()
    labels = [
        label for label in ("loss", "terms", "effective rank", "feature std") if f"<!-- {label} -->" in drawn
    ]
    assert labels == ["loss", "terms", "effective rank"]


def test_a_history_without_epochs_is_refused(tmp_path):
    with pytest.raises(KinemeError, match="no epochs"):
        training_curves([], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
