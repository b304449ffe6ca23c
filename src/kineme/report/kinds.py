"""Kinds of motion as a page: exemplars that play, how long and how often, what follows what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from kineme import __version__
from kineme.drawing.gallery import Card, gallery
from kineme.drawing.player import HUES, head, legend
from kineme.drawing.posture import present
from kineme.files import atomic_write
from kineme.inference.clustering.kinds import NONE
from kineme.inference.clustering.segments import Kind, Kinds, Segment
from kineme.inference.recordings import LongClip, Recordings
from kineme.inference.searching.pages import FRAMES
from kineme.report.examined import evenly
from kineme.report.templating import TEMPLATES, render
from kineme.typing import Array

SHOWN = 24  # kinds that have a part of their own
EXEMPLARS = 6  # of each that play
LINES = 40  # of the timeline, at most
LINE = (60.0, 120.0, 300.0, 600.0)  # seconds of one: the first at which all recordings are shown, or the last
BINS = 20  # of a histogram of lengths


def write_kinds(found: Kinds, path: Path, inputs: Sequence[Recordings]) -> None:
    """Writes what `cluster` found as one HTML file, which needs no network.

    Recordings are read again, for the frames of the exemplars.

    Args:
        found: what `cluster_opened` gave.
        path: of the page.
        inputs: as they were given to it.

    Raises:
        KinemeError: an input cannot be read, or the page cannot be written.
    """
    kinds = found.kinds[:SHOWN]
    wanted = {place for kind in kinds for place in kind.exemplars[:EXEMPLARS]}
    clips = dict(_frames(inputs, found.segments, sorted(wanted), FRAMES // max(len(wanted), 1)))
    layout, fps, up = inputs[0].layout, inputs[0].fps, inputs[0].preprocessing.up
    bins = _bins(found.segments)
    parts = []
    for kind in kinds:
        cards = [_card(found.segments[place], *clips[place]) for place in kind.exemplars[:EXEMPLARS]]
        parts.append(
            {
                "kind": kind,
                "gallery": gallery(f"kind-{kind.number}-clips", cards, layout, fps=fps, up=up),
                "lengths": _histogram(found.segments, kind, bins),
            }
        )
    text = render(
        "kinds.html",
        title=", ".join(Path(each.name).name for each in inputs),
        found=found,
        parts=parts,
        unlike=NONE,
        hues=HUES - 1,  # the last is grey, as is what is in no kind
        recordings=len({(each.source, each.name) for each in found.segments}),
        people=len({each.subject for each in found.segments} - {""}),
        minutes=sum(each.length for each in found.segments) / 60,
        timeline=timeline_of(found) if found.untrimmed else None,
        following=_following(found) if found.untrimmed else [],
        legend=legend(max(clip.shape[1] for clip, _ in clips.values())),
        head=head(),
        style=TEMPLATES.asset("report.css"),
        version=__version__,
    )
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _frames(
    inputs: Sequence[Recordings], segments: Sequence[Segment], wanted: Sequence[int], most: int
) -> Iterator[tuple[int, tuple[Array, int]]]:
    """Places of segments, their frames at the first input's rate, at most so many, and where they begin."""
    sought: dict[tuple[str, str], list[int]] = {}
    for place in wanted:
        sought.setdefault((segments[place].source, segments[place].name), []).append(place)
    for recordings in inputs:
        fps, every = recordings.fps, recordings.fps / inputs[0].fps
        for _, opened in recordings.opened(0):
            frames = opened.frames if isinstance(opened, LongClip) else len(opened.xyz)
            for place in sought.pop((recordings.name, opened.name), ()):
                first = min(math.floor(segments[place].start * fps + 0.5), frames - 1)
                end = max(min(math.floor(segments[place].end * fps + 0.5), frames), first + 1)
                end = min(end, first + math.ceil(most * every))
                if isinstance(opened, LongClip):
                    xyz = opened.part(first, end - first).xyz
                else:
                    xyz = opened.xyz[first:end]
                shown = xyz[np.arange(0, len(xyz), every).astype(np.int64)[:most]]
                bodies = np.flatnonzero(np.any(present(shown), axis=0)).max(initial=0) + 1
                yield place, (shown[:, :bodies], first)
            if not sought:
                return


def _card(segment: Segment, clip: Array, first: int) -> Card:
    told = (segment.label, f"subject {segment.subject}" if segment.subject else "")
    lines = (f"{segment.start:.1f} s to {segment.end:.1f} s", " · ".join(filter(None, told)))
    return Card(clip, segment.name, "\n".join(filter(None, lines)), first=first)


def _bins(segments: Sequence[Segment]) -> Array:
    """Edges in seconds, the same for all kinds; the last bin holds what is longer, too."""
    longest = float(np.quantile([each.length for each in segments], 0.98))
    return np.linspace(0, longest or 1.0, BINS + 1)


def _histogram(segments: Sequence[Segment], kind: Kind, bins: Array) -> Markup:
    lengths = np.array([each.length for each in segments if each.kind == kind.number])
    counts, _ = np.histogram(np.minimum(lengths, bins[-1]), bins)
    return render(
        "lengths.html",
        heights=(100 * counts / counts.max()).round(1).tolist(),
        label=f"{lengths.min():.1f} s to {lengths.max():.1f} s, {np.median(lengths):.1f} s at the median",
        longest=f"{bins[-1]:.1f} s",
    )


@dataclass(frozen=True)
class Timeline:
    """What happens when: lines of recordings, chosen evenly where there are many.

    Attributes:
        length: of a line, in seconds.
        lines: name and bands of each.
        recordings: how many are shown.
        beyond: seconds of these that are not.
    """

    length: float
    lines: Sequence[Mapping[str, Any]]
    recordings: int
    beyond: float


def timeline_of(found: Kinds) -> Timeline:
    """Lines as short as may be, down to a minute, for all recordings to be shown whole."""
    recordings: dict[tuple[str, str], list[Segment]] = {}
    for segment in found.segments:
        recordings.setdefault((segment.source, segment.name), []).append(segment)
    names = list(recordings)
    shown = [names[i] for i in evenly(np.arange(len(names)), LINES).tolist()]
    ends = [recordings[name][-1].end for name in shown]
    fitting = next((each for each in LINE if sum(math.ceil(end / each) for end in ends) <= LINES), None)
    line, most = (fitting, LINES) if fitting else (LINE[-1], max(LINES // len(shown), 1))
    length = min(max(ends), line)
    lines = []
    for name, end in zip(shown, ends, strict=True):
        for begin in (line * number for number in range(min(math.ceil(end / line), most))):
            bands = [
                {
                    "kind": each.kind,
                    "left": 100 * max(each.start - begin, 0) / length,
                    "width": 100 * (min(each.end - begin, line) - max(each.start - begin, 0)) / length,
                    "text": f"{each.start:.1f} s to {each.end:.1f} s",
                }
                for each in recordings[name]
                if each.start < begin + line and each.end > begin
            ]
            start = f" from {begin / 60:.0f} min" if begin else ""
            lines.append({"name": name[1] + start, "bands": bands})
    return Timeline(length, lines, len(shown), sum(max(end - most * line, 0) for end in ends))


def _following(found: Kinds) -> list[dict[str, Any]]:
    """Rows of kinds: how often, and in what share of cases, each kind follows."""
    counts = found.following()
    rows = []
    for kind, row in zip(found.kinds, counts.tolist(), strict=True):
        total = sum(row) or 1
        rows.append({"kind": kind.number, "cells": [(count, round(100 * count / total)) for count in row]})
    return rows
