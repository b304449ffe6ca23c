"""`python -m benchmarks.cost`: what large sets of clips cost, the table of docs/scale.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

CLIP_FRAMES, BODIES, JOINTS = 80, 2, 25  # of NTU RGB+D, whose clips are one in three of two people
FEATURE = 512 * 4  # bytes
EPOCHS = 10
FRAMES = (1e6, 1e8, 1e10)
GFLOP = {"train": 1253 / 32, "embed": 102 / 32}  # of a clip: USDRL with STTR, counted by PyTorch


@dataclass(frozen=True)
class Machine:
    """What does the work.

    Attributes:
        name: in the table.
        cores: that read files.
        devices: processes that train and encode.
        gflops: of each, by what it does.
        disk, memory: bytes a second that all read.
        dollars: an hour, about what clouds ask.
    """

    name: str
    cores: int
    devices: int
    gflops: dict[str, float]
    disk: float
    memory: float
    dollars: float


# The first is measured. Of the others nothing is: they are shares of what their makers state.
CORES = {"train": 16.6 * GFLOP["train"], "embed": 214.7 * GFLOP["embed"]}
H200 = {"train": 0.3 * 989e3, "embed": 0.3 * 989e3}
MACHINES = (
    Machine("2 cores", 2, 1, CORES, 1e9, 2.048e9 / 0.26, 0.1),
    Machine("H200, 16 cores", 16, 1, H200, 3e9, 200e9, 4.0),
    Machine("8 H200, 128 cores", 128, 8, H200, 12e9, 1600e9, 32.0),
)
PREPARE = 2.6e-3 / 117  # seconds of a core for a frame: NTU's text files, measured
ADDED = 70e-6  # seconds of a process for a clip beside the encoder's arithmetic, at most: embedding, measured
GRAPH = 2 * 342e-6  # seconds of a core for a row of faiss's graph, measured with a million


def rows() -> Iterator[list[str]]:
    """The table's, header first."""
    yield ["", *(f"{frames:,.0f} frames" for frames in FRAMES)]
    clips = [frames / CLIP_FRAMES for frames in FRAMES]
    yield ["clips", *(f"{count:,.0f}" for count in clips)]
    frame = BODIES * JOINTS * 3 * 2
    yield ["store, int16", *(size(frames * frame) for frames in FRAMES)]
    yield ["its index", *(size(count * 2 * 150) for count in clips)]
    yield ["shards of 2 GB", *(f"{max(1, frames * frame / 2e9):,.0f}" for frames in FRAMES)]
    yield ["features", *(size(count * FEATURE) for count in clips)]
    works: dict[str, Callable[[Machine, float], float]] = {
        "prepare": lambda machine, frames: frames * PREPARE / machine.cores,
        f"train, {EPOCHS} epochs": lambda machine, frames: EPOCHS * passes(machine, "train", frames, frame),
        "embed": lambda machine, frames: passes(machine, "embed", frames, frame),
        "search, exact": lambda machine, frames: read(machine, frames / CLIP_FRAMES * FEATURE),
        "graph for search": lambda machine, frames: frames / CLIP_FRAMES * GRAPH / machine.cores,
    }
    for name, work in works.items():
        for machine in MACHINES:
            yield [f"{name}: {machine.name}", *(cost(machine, work(machine, frames)) for frames in FRAMES)]


def passes(machine: Machine, what: str, frames: float, frame: int) -> float:
    """Seconds of one pass over all clips: of computing, or of reading where that takes longer."""
    computing = frames / CLIP_FRAMES / machine.devices * (GFLOP[what] / machine.gflops[what] + ADDED)
    return max(computing, frames * frame / machine.disk)


def read(machine: Machine, size: float) -> float:
    """Seconds of reading features once, from memory as far as they fit into 100 GB of it, else from disk."""
    return size / (machine.memory if size < 100e9 else machine.disk)


def size(count: float) -> str:
    """Bytes in words."""
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 1000:
            return f"{count:.3g} {unit}"
    return f"{count:,.0f} TB"


def cost(machine: Machine, seconds: float) -> str:
    """Time, and money where that is a cent at least."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3)):
        if seconds >= length or unit == "ms":
            time = (
                f"{seconds / length:,.3g} {unit}"
                if seconds < 1000 * length
                else f"{seconds / length:,.0f} {unit}"
            )
            break
    money = machine.dollars * seconds / 3600
    return (
        f"{time}, ${money:,.2f}" if 0.01 <= money < 10 else f"{time}, ${money:,.0f}" if money >= 10 else time
    )


def main() -> None:
    for number, row in enumerate(rows()):
        print("|", " | ".join(row), "|")
        if not number:
            print("|", " | ".join(["---"] * len(row)), "|")


if __name__ == "__main__":
    main()
