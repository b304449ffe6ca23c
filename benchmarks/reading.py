"""Reading raw recordings: Kineme's parser of NTU text files beside a plain one, and the `agcn` recipe."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from benchmarks.timing import Part, interleaved, products
from kineme.clips.generate import generate_clips
from kineme.clips.recipes import get_recipe
from kineme.clips.sources.ntu import read_skeleton
from kineme.clips.sources.raw import RawFile
from kineme.clips.store import Array
from kineme.layouts import get_layout

CLIPS = 40
LINES = ("Kineme's parser", "line by line", "agcn recipe")


def measure_reading(threads: int, repeats: int, clock: str) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds a clip of `LINES`, one thread each, and of the calibration products.

    The clips are generated ones, written as NTU text files; both parsers have to read the same from them.
    """
    layout, agcn = get_layout("ntu25"), get_recipe("agcn")
    drawn = generate_clips(subjects=2, repetitions=1, cameras=(1,), seed=0)
    clips = [clip.xyz for clip, _ in zip(drawn, range(CLIPS), strict=False)]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.skeleton" for i in range(len(clips))]
        for path, xyz in zip(paths, clips, strict=True):
            path.write_text(as_text(xyz), encoding="ascii")
        assert all(
            np.array_equal(read_skeleton(RawFile(PurePosixPath(path.name), path)), read_line_by_line(path))
            for path in paths
        )
        parts = {
            LINES[0]: Part(
                lambda: [read_skeleton(RawFile(PurePosixPath(path.name), path)) for path in paths], 1
            ),
            LINES[1]: Part(lambda: [read_line_by_line(path) for path in paths], 1),
            LINES[2]: Part(lambda: [agcn(xyz, layout) for xyz in clips], 1),
        }
        device = torch.device("cpu")
        taken, product = interleaved(parts, products(device, threads), repeats, device, clock)
    return {name: seconds / len(clips) for name, seconds in taken.items()}, product


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


def read_line_by_line(path: Path) -> Array:
    """What one writes first: a loop over lines, a float for every field that is looked at."""
    with path.open(encoding="ascii") as file:
        frames = []
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                file.readline()
                joints = int(file.readline())
                bodies.append(
                    [[float(field) for field in file.readline().split()[:3]] for _ in range(joints)]
                )
            frames.append(bodies)
    xyz = np.zeros((len(frames), max(map(len, frames)), 25, 3), dtype=np.float32)
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies):
            xyz[t, m] = body
    return xyz
