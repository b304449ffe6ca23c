"""What a model of NTU RGB+D 60's size takes, from the parts of a result."""

import pytest

from benchmarks.project import PROBE, TEST, TRAIN, project


def row(part: str, precision: str, seconds: float, plain: float | None = None) -> dict[str, object]:
    """Of batches of 10 clips."""
    rate = 10 / seconds
    return {
        "case": "one",
        "part": part,
        "precision": precision,
        "seconds": seconds,
        "clips_per_second": rate,
        "plain_seconds": plain,
    }


def test_parts_are_multiplied_by_clips_and_epochs() -> None:
    rows = [
        row("augmentation", "float32", 0.1, plain=1.0),
        row("training step", "float32", 2.0, plain=5.0),
        row("encoding", "float32", 0.5),
    ]
    ours, plain = project(
        {"results": rows, "reading": {"seconds_a_clip": {"kineme prepare": (0.01, 0.05)}}}, {"one": 3}
    )
    assert (ours.form, plain.form) == ("float32", "plain")
    assert (ours.train, plain.train) == pytest.approx((3 * TRAIN * 0.21, 3 * TRAIN * 0.6))
    assert (ours.prepare, plain.prepare) == pytest.approx((0.01 * (TRAIN + TEST), 0.05 * (TRAIN + TEST)))
    assert ours.features == plain.features == pytest.approx(0.05 * (TRAIN + TEST))
    assert ours.total == pytest.approx(ours.prepare + ours.train + ours.features + PROBE)


def test_what_was_not_measured_is_left_out() -> None:
    rows = [row("augmentation", "float32", 0.1), row("training step", "float32", 2.0)]
    assert list(project({"results": rows}, {"one": 3, "other": 2})) == []
