"""SLiM's step, plainly: every view clip by clip, and a pass of student or teacher for each of them."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.plain import clips as one
from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders import View
from kineme.layouts.parts import joint_kinds, start, walk
from kineme.losses.prototypes import ROUNDS
from kineme.methods.slim import GLOBALS, NOISY, STRONG_NOISE, ZEROED, SLiM
from kineme.streams import to_stream
from kineme.typing import Array


def views(method: SLiM, clips: Clips, generator: torch.Generator) -> list[View]:
    """Two global views and the local views of each; windows and masks are drawn as the fast form does."""
    shape, n = method.encoder.shape, len(clips)
    body, centre = method._body(clips, generator)
    windows, sizes = [], [shape.frames] * GLOBALS
    for _ in range(GLOBALS):
        windows.append(method._window(clips.length, shape.frames, method.global_crop, generator))
    for begin, length in tuple(windows):
        for local, *shares in method.local_crops:
            inside, kept = method._window(length, local, (shares[0], shares[1]), generator)
            windows.append((begin + inside, kept))
            sizes.append(local)
    masks = method._masks(sizes, n, generator)
    whole = one.padded(clips)
    found = {}
    for size in dict.fromkeys(sizes):
        which = [number for number, each in enumerate(sizes) if each == size]
        draws = drawn(method, [windows[number] for number in which], size, n, generator)
        rows = zip(one.each(*draws), [(v, i) for v in which for i in range(n)], strict=True)
        done: dict[int, list[Array]] = {number: [] for number in which}
        for draw, (number, i) in rows:
            clip = whole[i, int(windows[number][0][i]) :, body[i]][:, None] - centre[i].numpy()
            frames = int(windows[number][1][i])
            done[number].append(augmented(method, clip, frames, number, *draw))
        for number in which:
            x = torch.from_numpy(np.stack(done[number]).transpose(0, 4, 1, 3, 2).astype(np.float32))
            found[number] = View(to_stream(x, shape.stream, shape.layout), masks[number])
    return [found[number] for number in range(len(sizes))]


def drawn(
    method: SLiM, windows: list[tuple[Tensor, Tensor]], size: int, n: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Of the views of one length, one after the other: what `augmented` takes."""
    length = torch.cat([length for _, length in windows])
    count, joints = len(length), method.encoder.shape.layout.num_joints

    def coin(probability: float = 0.5) -> Tensor:
        return augment.draw_coin(count, probability, generator)

    like = torch.zeros(count, 3, size, joints, 1)
    return (
        augment.draw_frames(length, size, generator),
        coin(),
        augment.draw_bone_scales(like, method.bone_scale, generator)[..., 0],
        augment.draw_turn(count, method.tilt, method.turn, generator),
        *(coin(NOISY), coin()),
        torch.randn(like.shape, generator=generator).permute(0, 2, 4, 3, 1),
        *(coin(ZEROED), augment.draw_axis(count, generator)),
    )


def augmented(
    method: SLiM,
    clip: Array,
    length: int,
    number: int,
    at: Array,
    mirrored: bool,
    scales: Array,
    degrees: Array,
    seldom: bool,
    often: bool,
    noise: Array,
    lossy: bool,
    axis: int,
) -> Array:
    """One clip (T, 1, V, C) of the view with that number."""
    clip = one.sample(clip, at, length)
    if mirrored:
        clip = clip[:, :, method.mirror.numpy()] * np.array([-1, 1, 1], dtype=np.float32)
    clip = scaled(method, clip, scales)
    clip = one.linear(clip, one.rotation(degrees))
    if number == 0 or (number == 1 and seldom) or (number >= GLOBALS and often):
        clip = clip + noise * method.noise * (STRONG_NOISE if number == 1 else 1)
    return one.without_axis(clip, axis) if number == 1 and lossy else clip


def scaled(method: SLiM, clip: Array, scales: Array) -> Array:
    """Bones made longer or shorter, from the origin outwards."""
    layout = method.encoder.shape.layout
    kinds, result = joint_kinds(layout), clip.copy()
    for joint, parent in walk(layout, start(layout)):
        bone = clip[:, :, joint] - clip[:, :, parent]
        result[:, :, joint] = result[:, :, parent] + bone * scales[kinds[joint]]
    return result


def loss(method: SLiM, views: list[View]) -> dict[str, Tensor]:
    """Prototypes of the global views and of their hidden patches, as the teacher assigns them."""
    tau, learning = method.student_temperature, method.freeze <= 0
    hidden = [method.encoder.hidden_patches(cast(Tensor, view.mask)) for view in views[:GLOBALS]]
    with torch.no_grad():
        seen = [method.teacher.tokens(view.clips) for view in views[:GLOBALS]]
        kinds = torch.cat([method.teacher_clip_head(kind[:, 0]) for kind, _ in seen])
        target = assigned(kinds, method.teacher_temperature(0.0)).chunk(GLOBALS)
        inner = [method.teacher_patch_head(x[at]) for (_, x), at in zip(seen, hidden, strict=True)]
        wanted = assigned(torch.cat(inner), method.teacher_temperature(0.0))
    tokens = [method.encoder.tokens(view.clips, view.mask) for view in views]
    logits = [method.clip_head(kind[:, 0], learning) / tau for kind, _ in tokens]
    pairs = [
        F.cross_entropy(each, target[g])
        for g in range(GLOBALS)
        for number, each in enumerate(logits)
        if number != g
    ]
    error = torch.zeros(())
    parts = zip(torch.split(wanted, [int(at.sum()) for at in hidden]), hidden, tokens, strict=False)
    for goal, at, (_, patches) in parts:
        each = F.cross_entropy(method.patch_head(patches[at], learning) / tau, goal, reduction="none")
        clip = at.nonzero()[:, 0]
        for i in torch.unique(clip):
            error = error + each[clip == i].mean() / (GLOBALS * len(at))
    apart = sum(nearest(kind[:, 0]) for kind, _ in tokens[:GLOBALS])
    return {"loss": torch.stack(pairs).mean() + error + method.koleo * apart}


def assigned(logits: Tensor, temperature: float) -> Tensor:
    """Rows (N, K) assigned to prototypes so that all get about as many: Sinkhorn's rounds, as they stand."""
    q = torch.exp((logits - logits.max()) / temperature)
    for _ in range(ROUNDS):
        q = q / q.sum(0, keepdim=True) / q.shape[1]
        q = q / q.sum(1, keepdim=True) / q.shape[0]
    return q * len(q)


def nearest(features: Tensor) -> Tensor:
    """-mean log of the distance to the nearest other clip."""
    x = F.normalize(features)
    distances = []
    for i in range(len(x)):
        others = torch.cat([x[:i], x[i + 1 :]])
        distances.append((others - x[i]).square().sum(1).min().sqrt())
    return -torch.log(torch.stack(distances) + 1e-6).mean()
