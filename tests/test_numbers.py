"""Whatever the numbers: transforms, preprocessings and metrics have defined results, or refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sources.fuzz import survives

from kineme import augment
from kineme.clips.batches import joined
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.metrics import measure
from kineme.metrics.accuracy import bootstrap_interval
from kineme.metrics.clustering import boundary_f1
from kineme.metrics.neighbours import nearest_label
from kineme.metrics.ranking import rank
from kineme.preprocessing import PREPROCESSINGS, get_preprocessing
from kineme.typing import Array

pytest.importorskip("hypothesis", reason="needs the development tools: pip install -e '.[dev]'")
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

NTU = get_layout("ntu25")
QUICK = settings(max_examples=20, deadline=None, derandomize=True, database=None)
ANY = st.floats(width=32)  # NaN, infinity and numbers whose squares overflow among them
METRES = st.floats(-1e3, 1e3, width=32) | st.just(0.0)


def clips(numbers: Any) -> Any:
    """(T, M, 25, 3) clips of few frames: of any numbers, or constant."""
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 3), st.just(25), st.just(3))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=numbers, fill=numbers))


@pytest.mark.parametrize("name", PREPROCESSINGS)
@QUICK
@given(clip=clips(METRES) | clips(ANY))
def test_a_preprocessing_gives_finite_clips_or_refuses(name: str, clip: Array) -> None:
    before, found = clip.copy(), []
    survives(lambda: found.append(get_preprocessing(name)(clip, NTU)))
    np.testing.assert_array_equal(clip, before)
    for each in found:
        assert each.dtype == np.float32
        assert np.isfinite(each).all()
        assert len(each) >= 1
        assert 1 <= each.shape[1] <= 2
        assert each.shape[2:] == (25, 3)


def test_what_is_no_number_is_named_by_its_frame() -> None:
    clip = np.ones((4, 1, 25, 3), np.float32)
    clip[2, 0, 3, 1] = np.nan
    with pytest.raises(KinemeError, match="frame 2 contains NaN or infinite coordinates"):
        get_preprocessing("plain")(clip, NTU)
    with pytest.raises(KinemeError, match="no body is present in any frame"):
        get_preprocessing("plain")(np.zeros((4, 1, 25, 3), np.float32), NTU)


@QUICK
@given(
    clip=arrays.arrays(
        np.float32,
        st.tuples(st.just(2), st.just(3), st.integers(1, 5), st.just(25), st.just(2)),
        elements=METRES,
    ),
    degrees=arrays.arrays(np.float32, (2, 3), elements=st.floats(-180, 180, width=32)),
)
def test_transforms_undo_themselves(clip: Array, degrees: Array) -> None:
    """Of clips of one frame, clips that do not move, and empty ones."""
    batch, mirror, apply = torch.from_numpy(clip), torch.from_numpy(NTU.mirror), torch.tensor([True, False])
    for undone in (
        augment.reverse_time(augment.reverse_time(batch, apply), apply),
        augment.flip(augment.flip(batch, apply, mirror), apply, mirror),
        augment.reflect(augment.reflect(batch, apply, mirror), apply, mirror),
    ):
        assert torch.equal(undone, batch)
    matrix = augment.rotation_matrix(torch.from_numpy(degrees))
    back = augment.transform(augment.transform(batch, matrix), matrix.transpose(1, 2))
    torch.testing.assert_close(back, batch, rtol=0, atol=1e-2)


@QUICK
@given(clip=clips(METRES), frames=st.integers(1, 9))
def test_resized_clips_stay_between_their_frames(clip: Array, frames: int) -> None:
    found = joined([clip]).resize(frames)
    assert found.shape[2] == frames
    assert np.abs(found.numpy()).max() <= np.abs(clip).max() * (1 + 1e-5)


def labelled(count: int, classes: int) -> Any:
    return arrays.arrays(np.int64, count, elements=st.integers(0, classes - 1))


@QUICK
@given(data=st.data(), count=st.integers(1, 12), classes=st.integers(1, 7))
def test_metrics_of_any_labels_are_percentages(data: Any, count: int, classes: int) -> None:
    """One clip, one class, classes without clips, scores that tie."""
    labels, predicted = data.draw(labelled(count, classes)), data.draw(labelled(count, classes))
    scores = data.draw(arrays.arrays(np.float32, (count, classes), elements=st.floats(-1e6, 1e6, width=32)))
    for name, figure in measure(
        labels=labels, predicted=predicted, scores=scores, classes=classes, clusters=predicted
    ).items():
        for value in figure if isinstance(figure, list) else [figure]:
            assert value is None or -100 <= value <= 100 + 1e-9, name
    same = measure(labels=labels, predicted=labels, classes=classes)
    assert same["top-1"] == same["balanced accuracy"] == pytest.approx(100)
    low, high = bootstrap_interval(100.0 * (labels == predicted), resamples=50)
    assert 0 <= low <= high <= 100


@QUICK
@given(
    data=st.data(),
    train=st.integers(1, 6),
    test=st.integers(1, 4),
    scale=st.sampled_from([0.0, 1e-30, 1, 1e15]),
)
def test_neighbours_are_found_among_features_of_any_size(
    data: Any, train: int, test: int, scale: float
) -> None:
    """Zero features and equal ones too: some training clip is the nearest."""
    numbers = st.floats(-1, 1, width=32)
    known = scale * data.draw(arrays.arrays(np.float32, (train, 3), elements=numbers))
    asked = scale * data.draw(arrays.arrays(np.float32, (test, 3), elements=numbers))
    labels = np.arange(train)
    known, asked = known.astype(np.float32), asked.astype(np.float32)
    found = nearest_label(known, labels, asked)
    assert found.shape == (test,)
    assert ((found >= 0) & (found < train)).all()
    ranked = rank(known, labels, asked, np.zeros(test, dtype=np.int64))
    assert ranked is not None


@QUICK
@given(
    true=st.lists(st.integers(0, 50), max_size=5, unique=True).map(sorted),
    found=st.lists(st.integers(0, 50), max_size=5, unique=True).map(sorted),
    tolerance=st.integers(0, 10),
)
def test_boundaries_are_matched_both_ways(true: list[int], found: list[int], tolerance: int) -> None:
    assume(true or found)
    ours, theirs = [np.array(true, int)], [np.array(found, int)]
    there = boundary_f1(ours, theirs, tolerance)
    assert there == pytest.approx(boundary_f1(theirs, ours, tolerance), nan_ok=True)
    assert np.isnan(there) or 0 <= there <= 100
