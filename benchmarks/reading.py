"""From raw recordings to a store: `kineme prepare` and its two parts against a straightforward program."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from benchmarks.plain.reading import agcn_frame_by_frame, read_line_by_line
from benchmarks.timing import Part, interleaved, products
from kineme.clips.store import ClipStore
from kineme.generate import generate_clips
from kineme.layouts import get_layout
from kineme.preparing import prepare
from kineme.preprocessing import get_preprocessing
from kineme.sources.ntu import read_skeleton
from kineme.sources.raw import RawFile
from kineme.typing import Array

CLIPS = 200


def measure_reading(
    threads: int, repeats: int, clock: str
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Part → median seconds a clip of Kineme and of the plain program, in one process; calibration products.

    The clips are generated and written as NTU text files; both programs must give the same result.
    """
    layout, agcn = get_layout("ntu25"), get_preprocessing("agcn")
    drawn = generate_clips(subjects=4, repetitions=1, cameras=(1, 2), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder) / "raw", Path(folder) / "store"
        raw.mkdir()
        for i, (clip, _) in enumerate(zip(drawn, range(CLIPS), strict=False)):
            (raw / f"S001C001P001R{1 + i // 60:03}A{1 + i % 60:03}.skeleton").write_text(as_text(clip.xyz))
        paths = sorted(raw.iterdir())
        files = [RawFile(PurePosixPath(path.name), path) for path in paths]
        clips = [read_skeleton(file) for file in files]
        plain = [read_line_by_line(path) for path in paths]
        assert all(map(np.array_equal, clips, plain))

        def make_store() -> None:
            shutil.rmtree(out, ignore_errors=True)
            prepare("ntu60", raw, out, workers=1)

        def make_array() -> None:
            clips = [agcn_frame_by_frame(read_line_by_line(path)) for path in paths]
            np.save(Path(folder) / "array.npy", np.concatenate(clips).astype(np.float32))

        make_store()
        make_array()
        array = np.load(Path(folder) / "array.npy")
        assert np.allclose(ClipStore(out).frames, array, atol=1e-5)
        parts = {
            "kineme prepare": (make_store, make_array),
            "reading": (
                lambda: [read_skeleton(file) for file in files],
                lambda: [read_line_by_line(path) for path in paths],
            ),
            "agcn": (
                lambda: [agcn(xyz, layout) for xyz in clips],
                lambda: [agcn_frame_by_frame(xyz) for xyz in clips],
            ),
        }
        runs = {
            f"{name}/{which}": Part(run, 1) for name, pair in parts.items() for which, run in enumerate(pair)
        }
        device = torch.device("cpu")
        taken, product = interleaved(runs, products(device, threads), repeats, device, clock)
    seconds = {
        name: (taken[f"{name}/0"].seconds / len(files), taken[f"{name}/1"].seconds / len(files))
        for name in parts
    }
    return seconds, product


def as_text(xyz: Array) -> str:
    """(T, M, 25, 3) → an NTU text file; bodies that are zero in a frame are absent from it."""
    lines = [str(len(xyz))]
    for frame in xyz:
        bodies = [body for body in frame if body.any()]
        lines.append(str(len(bodies)))
        for number, body in enumerate(bodies):
            lines += [f"7205759403792793{number} 0 1 1 1 1 0 0.02764709 0.05745083 2", str(len(body))]
            lines += [
                f"{x:.7g} {y:.7g} {z:.7g} 277.419 191.8218 1036.233 519.1677 -0.2059419 0.05349901 0.9692109 "
                "-0.1239193 2"
                for x, y, z in body
            ]
    return "\n".join(lines) + "\n"
