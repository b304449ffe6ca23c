"""Taught classifiers: right on motion that differs, kept and read again, refused where they do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from kineme.clips.store import Clip
from kineme.errors import KinemeError
from kineme.inference import Classifier, Example, read_classifier, teach
from kineme.inference.classifying import reading
from kineme.inference.classifying.paths import classifier_path, find_classifier
from kineme.inference.classifying.reading import CROPS, read, read_copies, read_shifted
from kineme.model import Model, with_encoder
from kineme.typing import Array

WAYS = {"rise": np.array([0, 1, 0]), "swing": np.array([1, 0, 0]), "push": np.array([0, 0, 1])}


def moving(label: str, seed: int, frames: int = 20) -> Array:
    """(T, 1, V, 3): the stick's hand goes one way, with noise."""
    xyz = np.tile([[0.0, 0, 0], [0, 1, 0], [0.3, 1, 0]], (frames, 1, 1, 1))
    xyz[:, 0, 2] += np.linspace(0, 1, frames)[:, None] * WAYS[label]
    return (xyz + 0.02 * np.random.default_rng(seed).normal(size=xyz.shape)).astype(np.float32)


def examples_of(labels: list[str], each: int, people: int = 0) -> list[Example]:
    return [
        Example(moving(label, 100 * k + i), label, subject=f"person{i % people}" if people else "")
        for k, label in enumerate(labels)
        for i in range(each)
    ]


@pytest.fixture
def own(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def taught(own: Model) -> Classifier:
    return teach(own, examples_of(["rise", "swing", "push"], 4, people=2))


def test_motion_that_was_not_shown_is_named(own: Model, taught: Classifier) -> None:
    labels = [label for label in WAYS for _ in range(5)]
    x = [moving(label, 900 + i, frames=14 + i) for i, label in enumerate(labels)]
    assert taught.predict(own, x) == labels
    probabilities = taught.probabilities(own, x)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(taught.probabilities_of(read(own, own.clips(x))), probabilities)


def test_what_is_known_of_it(own: Model, taught: Classifier) -> None:
    assert taught.class_names == ("push", "rise", "swing")
    assert taught.counts == (4, 4, 4)
    assert taught.seconds == pytest.approx(20 / 30)
    assert (taught.weights, taught.preprocessing) == (own.weights, "plain")
    found = taught.examination
    assert (found.left_out, found.folds, found.judged, found.accuracy) == ("people", 2, 12, 100)
    assert len(taught.distances) == 12
    assert (np.diff(taught.distances) >= 0).all()


def test_a_store_has_names_and_people(own: Model, tmp_path: Path) -> None:
    labels = [label for label in WAYS for _ in range(4)]
    clips = [
        Clip(f"clip{i}", np.pad(moving(label, i), ((0, 0), (0, 1), (0, 0), (0, 0))), subject=str(i % 2))
        for i, label in enumerate(labels)
    ]
    store = write(tmp_path / "mine", clips)
    (tmp_path / "labels.csv").write_text(
        "name,label\n" + "".join(f"clip{i},{label}\n" for i, label in enumerate(labels))
    )
    classifier = teach(own, tmp_path / "labels.csv", store=store)
    assert classifier.examination.left_out == "people"
    assert classifier.seconds == 2.0
    assert classifier.predict(own, store) == labels
    again = teach(own, [Example(f"clip{i}", label) for i, label in enumerate(labels)], store=store.path)
    np.testing.assert_array_equal(again.head.weight, classifier.head.weight)


def test_a_class_with_one_example_is_taught_and_not_judged(own: Model) -> None:
    examples = [*examples_of(["rise", "swing"], 3), Example(moving("push", 7), "push")]
    classifier = teach(own, examples)
    assert classifier.predict(own, moving("push", 8)) == ["push"]
    assert dict(zip(classifier.class_names, classifier.examination.recall, strict=True))["push"] is None
    assert classifier.examination.judged == 6


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        ([], "examples: no row has a label"),
        ([(np.ones((9, 3, 3)), "rise")], r"`examples`: has a tuple; each must be Example\(motion, label\)"),
        (
            [Example(motion(9, 0), "go"), Example(motion(9, 1), "go")],
            "every label is 'go'; .* such as go and other",
        ),
    ],
)
def test_fewer_than_two_classes_are_refused(own: Model, examples: list[Example], reason: str) -> None:
    with pytest.raises(KinemeError, match=reason):
        teach(own, examples)


def test_copies_are_crops_and_sheared_crops(own: Model) -> None:
    clips = own.clips([moving("rise", 0), moving("swing", 1, frames=33)])
    copies = read_copies(own, clips)
    assert copies.shape == (2, 13, own.encoder.dim)
    np.testing.assert_allclose(copies[:, :5].mean(axis=1), read(own, clips), atol=1e-6)
    for place, (start, end) in enumerate(CROPS):
        crop = moving("swing", 1, frames=33)[round(33 * start) : round(33 * end)]
        np.testing.assert_allclose(copies[1, place], own.encode(own.clips(crop))[0], atol=1e-5)
    assert np.abs(copies[:, 5:] - copies[:, :1]).max(axis=2).min() > 1e-4  # each differs
    np.testing.assert_array_equal(read_copies(own, clips), copies)


def test_parts_are_seen_too_early_too_late_and_with_what_is_around_them(own: Model) -> None:
    """Frames 6 to 26 of 40, the first 10 of 13, and all of 20, with nothing around."""
    x = [moving("rise", 0, frames=40), moving("swing", 1, frames=13), moving("push", 2)]
    shifted = read_shifted(own, own.clips(x), np.array([6, 0, 0]), np.array([20, 10, 20]))
    spans = [[(0, 20), (3, 23), (9, 29), (12, 32), (3, 29)], [(0, 7), (0, 8), (2, 12), (3, 13), (0, 12)]]
    for row, own_spans in enumerate(spans):
        crops = [x[row][first:after] for first, after in own_spans]
        np.testing.assert_allclose(shifted[row], own.encode(own.clips(crops)), atol=1e-5)
    assert shifted.shape == (3, 5, own.encoder.dim)
    assert np.isnan(shifted[2]).all()


def test_a_classifier_is_taught_what_is_around_parts(own: Model) -> None:
    """The same parts with other frames around them make another classifier; whole clips have none."""

    def weights(around: str | None) -> Array:
        examples = []
        for label in ("rise", "swing"):
            for i in range(2):
                beside = np.zeros((0, 1, 3, 3)) if around is None else moving(around, 9, frames=30)
                x = np.concatenate([beside, moving(label, i), beside])
                part = (None, None) if around is None else (1.0, 1.0 + 20 / 30)
                examples.append(Example(x, label, *part))
        return teach(own, examples).head.weight

    assert np.abs(weights("push") - weights("rise")).max() > 1e-3
    assert np.isfinite(weights(None)).all()


def test_many_examples_are_copied_a_few_at_a_time(own: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of an example are of its own frames: without a shear or a cut, they are the whole of it."""
    monkeypatch.setattr(reading, "SHEAR", 0.0)
    monkeypatch.setattr(reading, "LARGEST_CUT", 0.0)
    monkeypatch.setattr(reading, "TOGETHER", 2)
    clips = own.clips([moving("rise", i, frames=20 + i) for i in range(5)])
    done: list[int] = []
    copies = read_copies(own, clips, progress=lambda now, total: done.append(now))
    np.testing.assert_allclose(copies[:, 5:], own.encode(clips)[:, None].repeat(8, axis=1), atol=1e-5)
    assert done == [2, 4, 5]


def test_a_classifier_is_kept_as_it_is(own: Model, taught: Classifier, tmp_path: Path) -> None:
    path = classifier_path(tmp_path / "run", "mine")
    taught.save(path)
    assert path == tmp_path / "run" / "classifiers" / "mine.safetensors"
    found = read_classifier(path, own)
    for name in ("mean", "scale", "weight", "bias", "centres"):
        np.testing.assert_array_equal(getattr(found.head, name), getattr(taught.head, name))
    np.testing.assert_array_equal(found.distances, taught.distances)
    assert asdict(found.examination) == asdict(taught.examination)
    assert (found.class_names, found.counts, found.seconds) == (
        taught.class_names,
        taught.counts,
        taught.seconds,
    )


def test_a_classifier_that_does_not_fit_on_the_disk_leaves_nothing(
    taught: Classifier, tmp_path: Path, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    with pytest.raises(KinemeError, match="cannot be written"), file_size_limit(100):
        taught.save(tmp_path / "new" / "mine.safetensors")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    "harm", ["cut", "text", "no header", "newer", "other classes", "not finite", "no field", "missing tensor"]
)
def test_a_damaged_classifier_is_refused(own: Model, taught: Classifier, tmp_path: Path, harm: str) -> None:
    path = tmp_path / "mine.safetensors"
    taught.save(path)
    arrays, header = load_file(path), json.loads(_header(path))
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "text":
        path.write_text("hello")
    else:
        if harm == "newer":
            header["format"] = 99
        if harm == "other classes":
            header["class_names"] = ["a"]
        if harm == "no field":
            del header["seconds"]
        if harm == "not finite":
            arrays["weight"][0, 0] = np.nan
        if harm == "missing tensor":
            del arrays["scale"]
        metadata = {} if harm == "no header" else {"kineme classifier": json.dumps(header)}
        save_file(arrays, path, metadata=metadata or None)
    with pytest.raises(
        KinemeError, match=r"mine\.safetensors: not a classifier that this Kineme can read"
    ) as caught:
        read_classifier(path, own)
    assert "\n" not in str(caught.value)


def _header(path: Path) -> str:
    with safe_open(path, framework="np") as opened:
        return str(opened.metadata()["kineme classifier"])


def test_another_encoder_is_refused(own: Model, taught: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    taught.save(path)
    encoder = own.encoder
    next(encoder.parameters()).data += 1
    other = with_encoder(own, encoder)
    with pytest.raises(
        KinemeError, match=r"mine\.safetensors: was taught on another encoder than this run's"
    ):
        read_classifier(path, other)
    with pytest.raises(KinemeError, match="was taught on another encoder"):
        taught.predict(other, moving("rise", 0))


def test_the_classifier_that_is_meant(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(KinemeError, match="run: has no classifier; teach one with `kineme teach`"):
        find_classifier(run, None)
    with pytest.raises(
        KinemeError, match=r"has no classifier 'a', and there is no such file; teach one with `kineme teach`$"
    ):
        find_classifier(run, "a")
    with pytest.raises(
        KinemeError, match=r"has no classifier 'detect', .*; train one with `kineme evaluate detect`$"
    ):
        find_classifier(run, "detect")
    first = classifier_path(run, "throws")
    first.parent.mkdir()
    first.touch()
    assert find_classifier(run, None) == first
    detector = run / "results" / "detect-leave-3.safetensors"
    detector.parent.mkdir()
    detector.touch()
    assert find_classifier(run, "detect-leave-3") == detector
    assert find_classifier(run, str(first)) == first
    assert find_classifier(run / "model.safetensors", "throws") == first
    with pytest.raises(KinemeError, match="choose one of detect-leave-3, throws by `classifier`"):
        find_classifier(run, None)
    assert find_classifier(run, "detect") == detector  # the only one
    with pytest.raises(KinemeError, match="choose from detect-leave-3, throws"):
        find_classifier(run, "xyz")
    (run / "results" / "detect-tokens.safetensors").touch()
    with pytest.raises(KinemeError, match="choose one of the detectors detect-leave-3, detect-tokens by"):
        find_classifier(run, "detect")
    (run / "results" / "detect.safetensors").touch()
    assert find_classifier(run, "detect").name == "detect.safetensors"


def test_the_typical_length_is_that_of_most_examples(own: Model) -> None:
    examples = [*examples_of(["rise", "swing"], 2), Example(moving("rise", 9, frames=60), "rise")]
    assert teach(own, examples).seconds == pytest.approx(20 / 30)


def test_a_threshold_is_that_of_split_conformal_prediction(taught: Classifier) -> None:
    """Of 12 distances, 13·(1 - 0.25) rounded up is the tenth."""
    assert taught.threshold(0.25) == taught.distances[9]
    assert taught.threshold(1 / 13) == taught.distances[11]
    with pytest.raises(KinemeError, match=r"`none`: a rate of 0.05 takes 19 .* the classifier has 12"):
        taught.threshold(0.05)
    for rate in (0.0, 1.0, float("nan")):
        with pytest.raises(KinemeError, match=r"`none`: is .* such as 0\.05"):
            taught.threshold(rate)


def test_the_stated_rate_of_false_alarms_is_kept(taught: Classifier) -> None:
    """Over many draws of as many distances, the share of new ones that are beyond the threshold."""
    rng = np.random.default_rng(0)
    alarms = [
        rng.exponential(size=500)
        > replace(taught, distances=np.sort(rng.exponential(size=30))).threshold(0.1)
        for _ in range(400)
    ]
    assert np.mean(alarms) == pytest.approx(0.1, abs=0.015)
