"""`python -m benchmarks.sizes`: what the protocols take for more and more clips, and a figure of it.

Features of 256 numbers and 60 classes that overlap, made up; a quarter as many clips to test as to train. The
classifier of frames reads features of 64 numbers, four neighbours on each side. Each part at each size runs
in a process of its own, of one thread, so that its peak of memory is its own; some 300 MB of it are PyTorch.
A size is left out where the two before it foretell more than `--at-most` seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.scale import Part, add
from benchmarks.uses.rank import features
from kineme.config import LinearConfig
from kineme.drawing.style import GRID, HUES, INK, MARKERS, new_figure, plain, save
from kineme.evaluation.detection.classifier import Context, classifier_for, fit
from kineme.evaluation.detection.detector import classify, propose
from kineme.evaluation.linear import logistic, sgd
from kineme.evaluation.options import Rule
from kineme.metrics.neighbours import nearest_label
from kineme.metrics.ranking import rank
from kineme.typing import Array

DIM, CLASSES = 256, 60
FRAME_DIM = 64
LABELLED, DRAWS = 0.05, 3
RECORDING = 10_000  # frames
RULE: Rule = "C"  # the default: a network with a hidden layer


def made(count: int, seed: int, dim: int = DIM) -> tuple[Array, Array]:
    """(N, D) float32 and (N,) classes."""
    return features(count, np.random.default_rng(0).standard_normal((CLASSES, dim), np.float32), seed)


def split(count: int) -> tuple[Array, Array, Array, Array]:
    """Features and classes of so many training clips, and of a quarter as many test clips."""
    return *made(count, 1), *made(count // 4, 2)


def linear(count: int) -> Callable[[], object]:
    """The published linear probe, with its recipe's 100 epochs."""
    settings = LinearConfig(lr=0.1, epochs=100, milestones=(80,))
    parts = split(count)
    return lambda: sgd(*parts, CLASSES, settings)


def logistic_probe(count: int) -> Callable[[], object]:
    """Logistic regression."""
    train, labels, test, _ = split(count)
    return lambda: logistic(train, labels, test, CLASSES)


def few_labels(count: int) -> Callable[[], object]:
    """Logistic regression on 5 % of the labels, three times."""
    train, labels, test, _ = split(count)
    some = [np.random.default_rng(i).permutation(count)[: round(LABELLED * count)] for i in range(DRAWS)]
    return lambda: [logistic(train[rows], labels[rows], test, CLASSES) for rows in some]


def neighbours(count: int) -> Callable[[], object]:
    """The class of the nearest training clip."""
    train, labels, test, _ = split(count)
    return lambda: nearest_label(train, labels, test)


def ranking(count: int) -> Callable[[], object]:
    """Recall and mean average precision of the training clips in order of likeness."""
    parts = split(count)
    return lambda: rank(*parts)


def detection(count: int) -> Callable[[], object]:
    """The classifier of frames is trained on so many, and finds segments in as many."""
    (train, labels), (test, _) = (made(count, seed, FRAME_DIM) for seed in (1, 2))
    offsets = np.append(np.arange(0, count, RECORDING), count)

    def run() -> object:
        classifier = fit(train, offsets, labels, CLASSES, Context(4, 8), classifier_for(RULE))
        return propose(classify(test, offsets, classifier), offsets, RULE)

    return run


PARTS = {
    "linear, SGD": linear,
    "linear, logistic": logistic_probe,
    "5 % of labels": few_labels,
    "kNN": neighbours,
    "ranking": ranking,
    "detection, frames": detection,
}


def timed(name: str, count: int) -> Part:
    """A part at one size; making the features does not count."""
    torch.set_num_threads(1)
    run = PARTS[name](count)
    wall, began = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - wall, time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Part(name, count, count if "frames" in name else None, seconds, cpu, peak)


def measure(name: str, counts: Sequence[int], at_most: float) -> Iterator[Part]:
    """A part at all sizes that do not take too long."""
    done: list[Part] = []
    for count in counts:
        if foretold(done[-2:], count) > at_most:
            return
        with get_context("spawn").Pool(1) as process:
            done.append(process.apply(timed, (name, count)))
        yield done[-1]


def foretold(done: Sequence[Part], count: int) -> float:
    """Seconds of a further size, on the line through two in a log-log figure; 0 before there are two."""
    if len(done) < 2:
        return 0.0
    (x, y), (x2, y2) = ((math.log(part.clips), math.log(part.cpu_seconds)) for part in done)
    return math.exp(y2 + (y2 - y) / (x2 - x) * (math.log(count) - x2))


def draw(parts: Sequence[Part], path: Path) -> None:
    """Seconds and memory against size, both axes logarithmic; a line for each part."""
    figure = new_figure(9.6, 4.6)
    left, right = figure.subplots(1, 2)
    for i, name in enumerate(dict.fromkeys(part.name for part in parts)):
        line = sorted((part for part in parts if part.name == name), key=lambda part: part.clips)
        size = [part.clips for part in line]
        style = {"color": HUES[i % len(HUES)], "marker": MARKERS[i % len(MARKERS)], "label": name}
        style |= {"linestyle": "-" if i < len(HUES) else "--"}
        left.plot(size, [part.cpu_seconds for part in line], markersize=4, **style)
        right.plot(size, [part.peak_mb for part in line], markersize=4, **style)
    for axes, title in ((left, "seconds of one thread"), (right, "peak of memory, MB")):
        plain(axes)
        axes.set(xscale="log", yscale="log")
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel("clips", color=INK)
        axes.set_title(title, color=INK, fontsize=10, loc="left")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS), metavar="PART")
    parser.add_argument("--at-most", type=float, default=600, help="seconds (default: 600)")
    parser.add_argument("--json", type=Path, help="write the figures here, added to those that are there")
    parser.add_argument("--draw", type=Path, help="draw what the file of --json holds, as PNG or SVG")
    parser.add_argument("--beside", type=Path, help="with what this file of `benchmarks.scale` holds")
    options = parser.parse_args()
    if options.draw and not options.json:
        parser.error("--draw needs --json, the file with the figures to draw")
    for name in options.parts:
        for part in measure(name, options.sizes, options.at_most):
            print(
                f"{part.clips:>11,}  {name:18} {part.cpu_seconds:9.2f} s of CPU {part.peak_mb:7.0f} MB",
                flush=True,
            )
            if options.json:
                add(options.json, part)
    if options.draw:
        files = [file for file in (options.json, options.beside) if file]
        draw([Part(**each) for file in files for each in json.loads(file.read_text())], options.draw)


if __name__ == "__main__":
    main()
