"""Your own source, file format, preprocessing, encoder and metric, each registered under a name.

python examples/own_parts.py
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import Tensor, nn

import kineme
from kineme import (
    ENCODERS,
    FORMATS,
    METRICS,
    PREPROCESSINGS,
    SOURCES,
    Clip,
    ClipShape,
    Encoder,
    Features,
    Format,
    Layout,
    Poses,
    Preprocessing,
    Source,
)
from kineme.generate import generate_clips
from kineme.protocols import knn, open_task
from kineme.sources.poses.formats import Told
from kineme.sources.raw import RawFile

RECIPE = Path(__file__).with_name("new_method.yaml")
SHORT = {"train.epochs": 20, "train.batch_size": 32, "data.split": "odd-even"}


@SOURCES.register("text")
def open_text(raw: Path, *, fps: float = 30.0) -> Source:
    """A folder of CLASS-SUBJECT.txt, a frame a line: x y z of 25 joints in metres, y up."""
    paths = sorted(raw.glob("*.txt"))
    classes = tuple(sorted({path.stem.split("-")[0] for path in paths}))

    def read(path: Path) -> Clip:
        label, subject = path.stem.split("-")
        xyz = np.loadtxt(path, dtype=np.float32).reshape(-1, 1, 25, 3)  # (T, M, V, C)
        return Clip(path.stem, xyz, label=classes.index(label), subject=subject)

    return Source(
        name="text",
        layout=kineme.get_layout("ntu25"),
        class_names=classes,
        fps=fps,
        bodies=1,
        names=[path.stem for path in paths],
        items=paths,
        read=read,
    )


@FORMATS.register("lines")
def lines() -> Format:
    """NAME.lines, a frame a line: x y z of 25 joints in metres, y up, 30 frames a second."""
    return Format("lines", ".lines", read_lines, notes=lambda head, told: {"fps": 30.0})


def read_lines(file: RawFile, told: Told) -> Poses:
    """The clip of a file; `told` is what the user said, such as the layout."""
    rows = [line.split() for line in file.read(limit=1 << 28).splitlines()]
    xyz = np.array(rows, dtype=np.float32).reshape(-1, 1, 25, 3)  # (T, M, V, C)
    joints = kineme.get_layout("ntu25").joints
    return Poses(xyz, confidence=None, joints=joints, scale=1.0, axes="y-up")


@PREPROCESSINGS.register("floor")
@dataclass(frozen=True)
class Floor(Preprocessing):
    """The first body, relative to the floor below its first pose.

    Args:
        scale: bring its height in the first frame to 1.
    """

    scale: bool = False

    def apply(self, xyz: np.ndarray, layout: Layout) -> np.ndarray:
        """(T, M, V, C) → (T, 1, V, C); absent frames stay zero."""
        body = xyz[:, :1]
        present = body.any(axis=(1, 2, 3), keepdims=True)
        first = body[int(present.argmax()), 0]
        low, high = first[:, 1].min(), first[:, 1].max()
        origin = np.array([first[:, 0].mean(), low, first[:, 2].mean()])
        return np.where(present, (body - origin) / ((high - low) if self.scale else 1.0), 0.0)


@ENCODERS.register("gru")
class GRU(Encoder):
    """A recurrent network over frames.

    Args:
        shape: of the clips.
        hidden: D of the feature.
    """

    def __init__(self, shape: ClipShape, *, hidden: int = 128):
        super().__init__()
        self.shape, self.dim = shape, hidden
        self.gru = nn.GRU(3 * shape.layout.num_joints * shape.bodies, hidden, batch_first=True)

    def forward(self, clips: Tensor) -> Features:
        """(N, C, T, V, M) → clip (N, D), temporal (N, T, D)."""
        temporal, _ = self.gru(clips.permute(0, 2, 1, 3, 4).flatten(2))
        return Features(clip=temporal.amax(dim=1), temporal=temporal)


@METRICS.register("error")
def error(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of clips that are not recognised, in per cent."""
    return float(100 * np.mean(predicted != labels))


def main() -> None:
    """Prepares, trains, measures and embeds with all five, and with the method of new_method.py."""
    with TemporaryDirectory() as folder:
        raw, store, run = Path(folder, "raw"), Path(folder, "store"), Path(folder, "run")
        raw.mkdir()
        for clip in generate_clips(subjects=8, repetitions=1, cameras=[2], seed=0):
            if not clip.xyz[:, 1].any():  # one person
                name = f"{clip.name[-4:]}-{clip.subject}.txt"
                np.savetxt(raw / name, clip.xyz[:, 0].reshape(len(clip.xyz), -1), fmt="%.4f")
        first = min(raw.glob("*.txt"))
        kineme.prepare("text", raw, store, preprocessing="floor(scale=True)")
        kineme.pretrain(RECIPE, run, store=store, overrides={"encoder.name": "gru", **SHORT})
        result, _ = knn(open_task(run))
        model = kineme.load(run)
        same = model.embed(first.rename(raw / "first.lines"))  # read without a store
        assert np.allclose(same, model.embed(store)[:1], atol=1e-3)
    print(f"{result.encoder} on {result.preprocessing}: top-1 {result.scores['knn'].value:.1f} %")
    print(f"error {result.metrics['error']:.1f} %")


if __name__ == "__main__":
    main()
