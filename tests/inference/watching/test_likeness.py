"""Watching for motion like examples, and for what a classifier was taught."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inference.models import model, motion, write

from kineme.augment.missing import filled_frames
from kineme.clips.batches import joined
from kineme.clips.store import Clip, ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.errors import KinemeError
from kineme.inference import Example, Likeness, Taught, Watcher, like, teach
from kineme.inference.classifying.reading import read
from kineme.inference.watching.likeness import RARE
from kineme.layouts import get_layout
from kineme.model import Model
from kineme.preprocessing import parse_preprocessing
from kineme.typing import Array

PREPROCESSINGS = ["plain", "plain(centre=clip, scale=True)"]


@pytest.fixture
def tiny(tmp_path: Path) -> Model:
    return model(tmp_path / "run")


@pytest.fixture
def library(tmp_path: Path) -> ClipStore:
    """Eight recordings of 4 s at 10 frames per second."""
    preprocess = parse_preprocessing("plain")
    stick = model(tmp_path / "other").shape.layout
    return write(
        tmp_path / "mine",
        [Clip(f"clip {seed}", preprocess(motion(40, seed), stick), label=0) for seed in range(8)],
    )


def cosine(a: Array, b: Array) -> Array:
    result: Array = a @ b.T / np.linalg.norm(a, axis=-1)[..., None] / np.linalg.norm(b, axis=-1)
    return result


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_a_part_of_a_clip_has_the_features_of_the_same_frames_in_a_stream(
    tmp_path: Path, preprocessing: str
) -> None:
    """So it has similarity 1 with itself, although the store's clip was preprocessed as a whole."""
    encoder = model(tmp_path / "run", preprocessing=parse_preprocessing(preprocessing))
    encoder = replace(encoder, units=encoder.preprocessing.units("metres"))
    raw = motion(40, 0)
    clip = Clip("walk", encoder.preprocessing(raw, encoder.shape.layout), label=0)
    store = write(tmp_path / "store", [clip], preprocessing=encoder.preprocessing)
    judge = like(encoder, {"a": ("walk", (1.0, 2.0))}, library=store, threshold=0.9, allow_preprocessing=True)
    assert judge.window == 1.0
    wanted = encoder.embed(raw[10:20], fps=10)
    assert cosine(judge.examples, wanted[None])[0, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("target", ["coco17", "body"])
def test_joints_that_a_clip_lacks_do_not_scale_its_parts(tmp_path: Path, target: str) -> None:
    """Neither in a store of the model's layout nor in one that is brought to it."""
    layout, scaled = get_layout("coco17"), parse_preprocessing("plain(scale=True)")
    encoder = replace(model(tmp_path / "run", get_layout(target), scaled), units=None)
    present = np.arange(17) > 4  # all but the face
    raw = np.where(present[:, None], motion(40, 0, joints=17), np.nan)
    filled = filled_frames(raw, present, layout)
    clip = Clip("walk", scaled(filled, layout, present), label=0, present=present)
    manifest = Manifest(layout, scaled, "test", ("rise",), fps=10.0)
    with StoreWriter(tmp_path / "store", manifest, 1) as writer:
        writer.add(clip)
    store = ClipStore(tmp_path / "store")
    judge = like(encoder, {"a": ("walk", (1.0, 2.0))}, library=store, threshold=0.9)
    wanted = encoder.embed(raw[10:20], fps=10, layout="coco17", axes="y-up")
    assert cosine(judge.examples, wanted[None])[0, 0] == pytest.approx(1, abs=1e-6)


def test_a_clip_of_a_library_of_single_people_and_a_file(tmp_path: Path) -> None:
    """Where the preprocessing moves frames, clips are not preprocessed again, but have as many bodies."""
    layout, agcn = get_layout("ntu25"), parse_preprocessing("agcn")
    encoder = model(tmp_path / "run", layout, agcn)
    raw = motion(40, 0, joints=25)
    with StoreWriter(tmp_path / "store", Manifest(layout, agcn, "test", ("rise",), fps=10.0), 1) as writer:
        writer.add(Clip("walk", agcn(raw, layout), label=0))
    np.save(tmp_path / "walk.npy", raw)
    examples = {"a": ("walk", None), "b": (tmp_path / "walk.npy", None)}
    options = {"window": 2.0, "threshold": 0.9, "layout": "ntu25", "fps": 10, "axes": "y-up"}
    judge = like(encoder, examples, library=ClipStore(tmp_path / "store"), **options)
    assert cosine(judge.examples, judge.examples)[0, 1] == pytest.approx(1, abs=1e-6)


def test_what_is_like_the_example_is_found_where_it_is(tiny: Model, library: ClipStore) -> None:
    """The example comes back in a stream of other motion."""
    judge = like(tiny, {"found": ("clip 3", (1.0, 3.0))}, library=library, threshold=0.9999)
    other = motion(60, 100)[:, 0]
    stream = np.concatenate([other, library.clip(3)[:, 0], other[::-1]])
    watcher = Watcher(tiny, judge, fps=10, step=0.1)
    scores = {}
    inner = judge.scores

    class Listening(Likeness):
        def scores(self, clips):  # type: ignore[no-untyped-def]
            found = inner(clips)
            scores[round(watcher._time, 1)] = float(found[0, 0])
            return found

    watcher.judge = Listening(**vars(judge))
    for pose in stream:
        watcher.push(pose)
    assert max(scores, key=scores.__getitem__) == pytest.approx(6.0 + 2.9)
    assert max(scores.values()) == pytest.approx(1, abs=1e-5)


def test_the_threshold_is_what_a_share_of_the_library_reaches(tiny: Model, library: ClipStore) -> None:
    judge = like(tiny, {"a": ("clip 2", (1.0, 2.0)), "b": ("clip 5", (0.0, 1.0))}, library=library)
    cuts = [
        library.clip(row)[first : first + 10]
        for row in range(8)
        for first in range(0, 31, 5)
        if not (row == 2 and 0 < first < 20) and not (row == 5 and first < 10)  # overlaps an example
    ]
    encoded = tiny.encode(joined([parse_preprocessing("plain")(cut, library.layout) for cut in cuts]))
    similarity = cosine(encoded, judge.examples)
    np.testing.assert_allclose(judge.starts, np.quantile(similarity, 1 - RARE, axis=0), atol=1e-5)
    assert (judge.ends < judge.starts).all()


def test_an_example_in_a_file_needs_a_threshold_or_a_library(
    tmp_path: Path, tiny: Model, library: ClipStore
) -> None:
    np.save(tmp_path / "walk.npy", motion(30, 9))
    example = {"walk": (tmp_path / "walk.npy", (1.0, 2.0))}
    options = {"layout": layout_file(tmp_path), "fps": 10.0}
    judge = like(tiny, example, threshold=0.8, **options)
    assert judge.starts.tolist() == [pytest.approx(0.8)]
    wanted = tiny.embed(motion(30, 9)[10:20], fps=10)
    assert cosine(judge.examples, wanted[None])[0, 0] == pytest.approx(1, abs=1e-6)
    assert like(tiny, example, library=library, **options).starts[0] < 1
    with pytest.raises(KinemeError, match="`threshold`: set it, or name a `library`"):
        like(tiny, example, **options)


def layout_file(folder: Path) -> str:
    path = folder / "stick.yaml"
    path.write_text("name: stick\njoints: [hip, neck, hand]\nparents: [null, hip, neck]\n")
    return str(path)


def test_mistakes(tmp_path: Path, tiny: Model, library: ClipStore) -> None:
    few = write(tmp_path / "few", [Clip("only", motion(40, 0), label=0)])
    for examples, options, message in (
        ({}, {}, "`like` names no example"),
        (
            {"a": ("clip", None)},
            {"library": library},
            "has no clip 'clip', and there is no such file; did you mean",
        ),
        ({"a": ("walk.npy", None)}, {}, "there is no file walk.npy; name a `library`"),
        (
            {"a": ("clip 1", (3.0, 9.0))},
            {"library": library},
            "clip 1: has no part from 3 s to 9 s; it lasts 4 s",
        ),
        ({"a": ("clip 1", None)}, {"library": library, "threshold": 2.0}, "`threshold`: is 2"),
        ({"a": ("only", (0.0, 1.0))}, {"library": few}, "few has 5 other moments of 1 s, too few"),
    ):
        with pytest.raises(KinemeError, match=message):
            like(tiny, examples, **options)


def test_an_example_in_which_nobody_is_has_nothing_to_watch_for(tmp_path: Path, tiny: Model) -> None:
    seen = motion(20, 0)
    seen[10:] = 0
    store = write(tmp_path / "gone", [Clip("walk", seen, label=0)])
    with pytest.raises(KinemeError, match="`like`: nobody is in walk; choose another example, or part of it"):
        like(tiny, {"a": ("walk", (1.0, 2.0))}, library=store, threshold=0.9)


def test_a_judge_moves_its_encoder_once(tiny: Model, library: ClipStore) -> None:
    """An encoder in training mode stands for one on another device: `Model.on` copies both."""
    classifier = teach(tiny, [Example("clip 0", "a"), Example("clip 1", "b")], store=library)
    moved = replace(tiny, encoder=deepcopy(tiny.encoder).train())
    assert moved.on("cpu") is not moved
    for judge in (
        Taught(moved, classifier, none=0, device="cpu"),
        like(moved, {"a": ("clip 0", None)}, library=library, threshold=0.9, device="cpu"),
    ):
        assert judge.model.on("cpu") is judge.model


def test_a_taught_classifier_is_watched_for(tiny: Model, library: ClipStore) -> None:
    taught = [Example(f"clip {row}", "even odd".split()[row % 2], 0.0, 2.0) for row in range(8)]
    classifier = teach(tiny, taught, store=library)
    judge = Taught(tiny, classifier, none=0)
    assert (judge.class_names, judge.window) == (("even", "odd"), 2.0)
    clips = joined([library.clip(row)[:20] for row in range(8)])
    np.testing.assert_allclose(judge.scores(clips).sum(axis=1), 1, rtol=1e-6)
    strict = Taught(tiny, classifier, none=0.5)
    far = classifier.head.novelty(read(tiny, clips)) > classifier.threshold(0.5)
    np.testing.assert_allclose(strict.scores(clips).sum(axis=1), np.where(far, 0, 1), rtol=1e-6)
    usual = Taught(tiny, classifier)
    assert usual.farthest == classifier.distances.max()  # eight examples do not allow for 5 %
    with pytest.raises(KinemeError, match=r"`threshold`: is 1\.5"):
        Taught(tiny, classifier, threshold=1.5)
    other = replace(tiny, weights="another")
    with pytest.raises(KinemeError, match="another encoder"):
        Taught(other, classifier)
