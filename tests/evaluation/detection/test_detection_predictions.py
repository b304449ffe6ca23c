"""Detections travel through a file: the report draws its timeline from it."""

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.evaluation.detection.predictions import Detections

DETECTIONS = Detections(
    names=np.array(["kitchen", "hall"]),
    offsets=np.array([0, 3, 5]),
    probabilities=np.array([[1, 0], [0.25, 0.75], [0.5, 0.5], [0, 1], [1 / 3, 2 / 3]]),
    labels=np.array([0, 1, 1, 1, 0]),
    predicted=np.array([0, 1, 1, 1, 1]),
    truth=np.array([[0, 1, 1, 3], [1, 1, 0, 1]]),
    segments=np.array([[0, 1, 1, 2]]),
    segment_scores=np.array([0.75]),
)


def test_what_is_saved_can_be_read_again(tmp_path):
    path = tmp_path / "results" / "detect.npz"
    DETECTIONS.save(path)
    read = Detections.load(path)
    assert read.names.tolist() == ["kitchen", "hall"]
    assert read.truth.tolist() == [[0, 1, 1, 3], [1, 1, 0, 1]]
    assert read.segments.tolist() == [[0, 1, 1, 2]]
    assert read.segment_scores.tolist() == [0.75]
    assert read.predicted.tolist() == [0, 1, 1, 1, 1]
    assert read.labels[read.offsets[1] : read.offsets[2]].tolist() == [1, 0]


def test_probabilities_are_kept_in_half_precision(tmp_path):
    DETECTIONS.save(tmp_path / "detect.npz")
    probabilities = Detections.load(tmp_path / "detect.npz").probabilities
    assert probabilities.dtype == np.float16
    np.testing.assert_allclose(probabilities, DETECTIONS.probabilities, atol=3e-4)


def test_in_files_without_labels_of_frames_each_has_its_likeliest_class(tmp_path):
    path = tmp_path / "detect.npz"
    DETECTIONS.save(path)
    arrays = dict(np.load(path))
    del arrays["predicted"]
    np.savez(path, **arrays)
    assert Detections.load(path).predicted.tolist() == [0, 1, 0, 1, 1]


def test_a_file_that_holds_none_is_refused_by_name(tmp_path):
    path = tmp_path / "detect.npz"
    np.savez(path, names=np.array(["a"]))
    with pytest.raises(KinemeError, match=r"detect\.npz: cannot be read as detections .*evaluate the run"):
        Detections.load(path)
    with pytest.raises(KinemeError, match=r"detect2\.npz"):
        Detections.load(tmp_path / "detect2.npz")
