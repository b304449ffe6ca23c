"""Generated clips → clip store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kineme.clips.store import ClipStore, Manifest
from kineme.clips.writer import StoreWriter
from kineme.generate.actions import choose_actions
from kineme.generate.anatomy import FPS, LAYOUT
from kineme.generate.performances import BODIES, generate_clips, generate_recordings
from kineme.preprocessing import parse_preprocessing
from kineme.progress import Progress, silent


def generate_store(
    out: str | Path,
    *,
    subjects: int = 12,
    repetitions: int = 2,
    cameras: Sequence[int] = (1, 2, 3),
    actions: Sequence[str] | None = None,
    untrimmed: bool = False,
    seconds: float = 60.0,
    preprocessing: str = "plain",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> ClipStore:
    """Generates clips, or untrimmed recordings, preprocesses them and stores them.

    Args:
        out: directory of the new store.
        subjects, cameras, actions, seed: see `generate_clips`.
        repetitions: performances of each action by each subject; if untrimmed, recordings of each subject.
        untrimmed: recordings of `seconds` seconds with labelled intervals, instead of one clip per action.
        preprocessing: such as `plain` or `plain(facing=True)`; if untrimmed, one that keeps frames in place.
        overwrite: replace an existing store.
        progress: called after each clip with the clips done and in total.

    Raises:
        KinemeError: see `generate_clips` and `StoreWriter`; or the preprocessing is unknown, or moves the
            frames of a recording.

    >>> import kineme
    >>> store = kineme.generate_store(
    ...     example_folder / "generated", subjects=2, repetitions=1, cameras=[1], actions=["wave", "bow"]
    ... )
    >>> len(store), store.manifest.class_names, store.manifest.units
    (4, ('wave', 'bow'), 'metres')
    """
    chosen = choose_actions(actions)
    preprocess = parse_preprocessing(preprocessing)
    common: dict[str, Any] = {"subjects": subjects, "cameras": cameras, "actions": actions, "seed": seed}
    total = subjects * repetitions * len(cameras) * (1 if untrimmed else len(chosen))
    if untrimmed:
        preprocess.check_keeps_frames()
        clips = generate_recordings(recordings=repetitions, seconds=seconds, **common)
    else:
        clips = generate_clips(repetitions=repetitions, **common)
    manifest = Manifest(
        layout=LAYOUT,
        preprocessing=preprocess,
        source="generated",
        class_names=tuple(action.name for action in chosen),
        fps=FPS,
        units=preprocess.units("metres"),
    )
    with StoreWriter(out, manifest, BODIES, overwrite=overwrite) as writer:
        for done, clip in enumerate(clips, start=1):
            writer.add(replace(clip, xyz=preprocess(clip.xyz, LAYOUT)))
            progress(done, total)
    return ClipStore(out)
