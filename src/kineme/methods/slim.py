"""SLiM: masked feature prediction and global-local contrast (Do et al., NeurIPS 2026, arXiv 2603.10648).

There is no decoder: a student sees clips in which tubes of joints are masked, and short pieces of clips, and
predicts the prototypes to which a teacher assigns the whole clips and their hidden patches. The teacher is
the student's running mean, and is what a run keeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from kineme import augment
from kineme.clips.batches import Clips
from kineme.encoders.absent import joints_of, patches_of
from kineme.encoders.base import MaskedEncoder, View
from kineme.errors import KinemeError, check_between
from kineme.layouts.parts import body_parts
from kineme.losses.prototypes import koleo, prototype_cross_entropy, sinkhorn
from kineme.methods.base import Method
from kineme.methods.contrast import momentum_copy, momentum_update
from kineme.methods.prototypes import PrototypeHead
from kineme.preprocessing.bodies import spine_end
from kineme.streams import numbers, to_stream

GLOBALS = 2
STRONG_NOISE = 5  # times the noise: that of the second global view
NOISY, ZEROED = 0.1, 0.2  # how often that view is noisy and loses an axis
SHORTEST, LEAST = 16, 8  # a window has at least as many frames as its view, between these two


class SLiM(Method):
    """Predicts a teacher's prototypes of whole clips and of hidden patches from masked and short views.

    Deviation: the teacher moves before the next step instead of after the last, which differs only at the
    very end of training. A body is drawn from those seen in any of several evenly spaced frames of a clip.
    Clips of fewer than 16 frames are taken whole, while the authors play them back and forth. Bones are
    scaled from the origin outwards, so that no joint is left behind; clips turn all the way round, as in the
    paper, while the authors' program turns them by 0.3 rad. Clips are kept apart from those of all devices,
    in the authors' program from those of their own.

    Args:
        encoder: an encoder with a class token and patches that can be masked.
        prototypes: Prototypes K of each of the two heads.
        head_hidden: Width of the two hidden layers of a head.
        head_out: Width of the features that are compared with prototypes.
        momentum: Initial momentum of the teacher; it rises to 1 along half a cosine.
        student_temperature: Temperature of the student's softmax.
        teacher_temperatures: Temperatures of the teacher's assignments: at the start, and after the rise.
        temperature_rise: Share of training in which the teacher's temperature rises.
        freeze: Share of training, from the start, in which the prototypes stay fixed. As published it amounts
            to 1,250 steps: prototypes that move from the start become equal, and nothing is learned.
        koleo: Weight of the term that keeps clips apart.
        embedding_rate: Share of the learning rate at which the first layer is trained.
        global_crop: Minimum and maximum share of a clip's frames in a global view.
        local_crops: For each local view of a global one: its number of frames, and the minimum and maximum
            share of the global view's range.
        masked: Share of the global views that are masked.
        mask_ratio: Minimum and maximum share of a view's patches that are masked.
        bone_scale: Bones of trunk, arms and legs become longer or shorter by up to this share.
        tilt: Maximum angle of a rotation about the two horizontal axes, in radians.
        turn: Maximum angle of a rotation about the vertical axis, in radians.
        noise: Standard deviation of Gaussian noise, in the clips' units.

    >>> import kineme
    >>> shape = kineme.ClipShape(kineme.get_layout("coco17"), 16, 2)
    >>> encoder = kineme.RotaryTransformer(shape, hidden=16, heads=2, depth=1)
    >>> method = SLiM(encoder, prototypes=32, head_hidden=16, head_out=8, local_crops=[(8, 0.2, 0.5)])
    >>> clips = Clips(torch.randn(80, 2, 17, 3), torch.tensor([0, 40]), torch.tensor([40, 40]))
    >>> views = method.views(clips, torch.Generator().manual_seed(0))
    >>> [tuple(view.clips.shape) for view in views]  # two global ones and a local one of each
    [(2, 3, 16, 17, 1), (2, 3, 16, 17, 1), (2, 3, 8, 17, 1), (2, 3, 8, 17, 1)]
    >>> sorted(method.loss(views, progress=0.0))
    ['contrast', 'koleo', 'loss', 'prediction']
    """

    encoder_type: ClassVar[type] = MaskedEncoder
    encoder: MaskedEncoder
    teacher: MaskedEncoder
    mirror: Tensor
    places: Tensor

    def __init__(
        self,
        encoder: MaskedEncoder,
        *,
        prototypes: int = 65536,
        head_hidden: int = 2048,
        head_out: int = 256,
        momentum: float = 0.994,
        student_temperature: float = 0.1,
        teacher_temperatures: tuple[float, float] = (0.04, 0.07),
        temperature_rise: float = 0.2,
        freeze: float = 1 / 150,
        koleo: float = 0.1,
        embedding_rate: float = 0.2,
        global_crop: tuple[float, float] = (0.5, 1.0),
        local_crops: Sequence[tuple[int, float, float]] = (
            (32, 0.35, 0.7),
            (16, 0.15, 0.4),
            (16, 0.15, 0.4),
            (8, 0.05, 0.2),
        ),
        masked: float = 0.5,
        mask_ratio: tuple[float, float] = (0.5, 0.9),
        bone_scale: float = 0.15,
        tilt: float = 0.3,
        turn: float = math.pi,
        noise: float = 0.01,
    ) -> None:
        super().__init__()
        for name, value in (("prototypes", prototypes), ("head_hidden", head_hidden), ("head_out", head_out)):
            check_between(name, value, 1)
        self.encoder = encoder
        layout = encoder.shape.layout
        sizes = encoder.hidden, head_hidden, head_out, prototypes
        self.clip_head, self.patch_head = PrototypeHead(*sizes), PrototypeHead(*sizes)
        self.teacher = momentum_copy(encoder)
        self.teacher_clip_head = momentum_copy(self.clip_head)
        self.teacher_patch_head = momentum_copy(self.patch_head)
        self.register_buffer("mirror", torch.from_numpy(layout.mirror), persistent=False)
        places = augment.part_places(body_parts(layout), layout.num_joints)
        self.register_buffer("places", places, persistent=False)
        self.centre = [layout.root] if layout.facing is None else spine_end(layout, "slim")
        self.momentum = momentum
        self.student_temperature = student_temperature
        self.teacher_temperatures = teacher_temperatures
        self.temperature_rise = temperature_rise
        self.freeze = freeze
        self.koleo = koleo
        self.embedding_rate = embedding_rate
        self.global_crop = global_crop
        self.local_crops = local_crops
        self.masked = masked
        self.mask_ratio = mask_ratio
        self.bone_scale = bone_scale
        self.tilt, self.turn, self.noise = tilt, turn, noise
        self._check_settings()

    def _check_settings(self) -> None:
        for name in ("momentum", "masked", "freeze", "bone_scale", "temperature_rise"):
            check_between(name, getattr(self, name), 0, 1)
        for name in ("koleo", "embedding_rate", "tilt", "turn", "noise"):
            check_between(name, getattr(self, name), 0)
        _check_shares("global_crop", *self.global_crop)
        _check_shares("mask_ratio", *self.mask_ratio)
        patch = self.encoder.patch
        for frames, *shares in self.local_crops:
            _check_shares("local_crops", *shares)
            if frames < 1 or frames % patch:
                raise KinemeError(f"local_crops: {frames} frames are no whole number of patches of {patch}")
        if min(self.student_temperature, *self.teacher_temperatures) <= 0:
            raise KinemeError("student_temperature, teacher_temperatures: must be more than 0")

    @property
    def learned(self) -> MaskedEncoder:
        """The teacher."""
        return self.teacher

    def shares(self) -> list[tuple[float, list[nn.Parameter]]]:
        """The first layer is trained more slowly."""
        slow = self.encoder.embedding_parameters()
        known = {id(each) for each in slow}
        rest = [each for each in self.parameters() if id(each) not in known]
        return [(1.0, rest), (self.embedding_rate, [*slow])]  # the log shows the rate of the first group

    def clipped_together(self) -> list[list[nn.Parameter]]:
        """The encoder and each head by themselves."""
        return [[*each.parameters()] for each in (self.encoder, self.clip_head, self.patch_head)]

    def views(self, clips: Clips, generator: torch.Generator) -> tuple[View, ...]:
        """Two global views, then the local views of the first and of the second, all of one body."""
        frames, n = self.encoder.shape.frames, len(clips)
        body, centre = self._body(clips, generator)
        windows = [self._window(clips.length, frames, self.global_crop, generator) for _ in range(GLOBALS)]
        sizes = [frames] * GLOBALS
        for begin, length in tuple(windows):
            for local, *shares in self.local_crops:
                inside, kept = self._window(length, local, (shares[0], shares[1]), generator)
                windows.append((begin + inside, kept))
                sizes.append(local)
        masks = self._masks(sizes, n, generator)
        found: dict[int, View] = {}
        for size in dict.fromkeys(sizes):  # views of one length share their transforms
            which = [number for number, each in enumerate(sizes) if each == size]
            start, length = (torch.cat([windows[number][i] for number in which]) for i in range(2))
            every = clips[torch.arange(n, device=start.device).repeat(len(which))]
            every = replace(every, start=every.start + start, length=length)
            x = every.sample(augment.draw_frames(length, size, generator))
            of_body = torch.arange(len(x), device=x.device), ..., body.repeat(len(which))
            x = x[of_body][..., None] - centre.repeat(len(which), 1)[:, :, None, None, None]
            number = numbers(which, x.device)[:, None].expand(-1, n).flatten()
            x, mirrored = self._augmented(x, number, generator)
            present = every.present
            if present is not None:
                present = torch.where(mirrored[:, None], present[:, self.mirror], present)
            x = to_stream(x, self.encoder.shape.stream, self.encoder.shape.layout)
            parts = [None] * len(which) if present is None else present.chunk(len(which))
            for at, part, given in zip(which, x.chunk(len(which)), parts, strict=True):
                found[at] = View(part, masks[at], present=given)
        return tuple(found[number] for number in range(len(sizes)))

    def _body(self, clips: Clips, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(N,) which body of each clip, one that is present; (N, C) its spine in the first frame."""
        whole = clips.resize(self.encoder.shape.frames)
        present = (whole != 0).any(3).any(2).any(1)  # (N, M)
        chance = augment.rand(tuple(present.shape), generator)
        body = torch.where(present, chance, chance - 1).argmax(1)
        first = clips.sample(torch.zeros(len(clips), 1, device=clips.start.device))[:, :, 0]
        spine = first[:, :, numbers(self.centre, first.device)].mean(2)
        return body, spine[torch.arange(len(clips), device=body.device), :, body]

    @staticmethod
    def _window(
        length: Tensor, frames: int, shares: tuple[float, float], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        return augment.draw_window(length, max(LEAST, min(SHORTEST, frames)), shares, generator)

    def _augmented(self, x: Tensor, view: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Mirrors, scales, turns joints (N, C, T, V, 1) and adds noise, by the number (N,) of their view.

        Also gives which clips (N,) are mirrored.
        """
        n = len(x)

        def coin(probability: float = 0.5) -> Tensor:
            return augment.draw_coin(n, probability, generator)

        mirrored = coin()
        x = augment.reflect(x, mirrored, self.mirror)
        factors = augment.draw_bone_scales(x, self.bone_scale, generator)
        x = augment.scale_bones(x, factors, self.encoder.shape.layout)
        x = augment.rotate(x, augment.draw_turn(n, self.tilt, self.turn, generator))
        second = view == 1  # of the global views the noisier one, which may lose an axis
        noisy = torch.where(second, coin(NOISY), (view < GLOBALS) | coin())
        x = augment.noise(x, self.noise * torch.where(second, STRONG_NOISE, 1) * noisy, generator)
        axis = torch.where(second & coin(ZEROED), augment.draw_axis(n, generator), -1)
        return augment.mask_axis(x, axis), mirrored

    def _masks(self, sizes: Sequence[int], n: int, generator: torch.Generator) -> list[Tensor]:
        """The mask (N, T, V, 1) of each view: some of the global ones, and all local ones."""
        device, patch, joints = generator.device, self.encoder.patch, self.places.shape[1]
        common, processes, part = augment.of_all(generator)  # ratios are spread over the whole batch
        every = processes * n
        chosen = int(GLOBALS * every * self.masked)
        ratios = torch.zeros(GLOBALS * every, device=device)
        order = torch.randperm(GLOBALS * every, generator=common, device=device)
        ratios[order[:chosen]] = augment.draw_ratios(chosen, *self.mask_ratio, common)
        local = [augment.draw_ratios(every, *self.mask_ratio, common) for _ in sizes[GLOBALS:]]
        segments = torch.cat([torch.full((n,), size // patch, device=device) for size in sizes])
        budget = (part(torch.cat([ratios, *local])).double() * segments * joints).long()
        most = max(sizes) // patch
        tubes = augment.draw_tubes(budget, segments, segments.clamp_max(8), self.places, most, generator)
        seen = ~tubes.repeat_interleave(patch, dim=1)[..., None]
        return [mask[:, :size] for mask, size in zip(seen.chunk(len(sizes)), sizes, strict=True)]

    def before_step(self, progress: float) -> None:
        """Moves the teacher towards the student."""
        momentum = 1 - (1 - self.momentum) * (1 + math.cos(math.pi * progress)) / 2
        for teacher, student in (
            (self.teacher, self.encoder),
            (self.teacher_clip_head, self.clip_head),
            (self.teacher_patch_head, self.patch_head),
        ):
            momentum_update(teacher, student, momentum)

    def teacher_temperature(self, progress: float) -> float:
        """It rises linearly at first, then stays."""
        first, last = self.teacher_temperatures
        share = min(1.0, progress / self.temperature_rise) if self.temperature_rise else 1.0
        return first + (last - first) * share

    def loss(self, views: Sequence[View], progress: float) -> dict[str, Tensor]:
        """`loss` = `contrast` + `prediction` + 0.1·`koleo`, with the weight that is set.

        `contrast` is the cross-entropy of every view with the teacher's prototypes of the global views,
        `prediction` is that of the hidden patches of the global views, and `koleo` keeps clips apart.

        Raises:
            KinemeError: the batch is a single clip.
        """
        whole, local = views[:GLOBALS], views[GLOBALS:]
        clips = torch.cat([view.clips for view in whole])
        seen = torch.cat([_shown(view) for view in whole])
        hidden = self.encoder.hidden_patches(seen)
        present = _present(whole)
        if present is not None:  # what was never recorded cannot be predicted
            joints = joints_of(present, self.encoder.streams, self.encoder.shape.layout)
            hidden = hidden & patches_of(joints, clips.shape[2] // self.encoder.patch, clips.shape[4])
        where = hidden.flatten().nonzero()[:, 0]  # the device is waited for here, where it has little to do
        with torch.no_grad():
            temperature = self.teacher_temperature(progress)
            kind, patches = self.teacher.tokens(clips, present=present)
            target = sinkhorn(self.teacher_clip_head(kind[:, 0]), temperature)
            hidden_target = sinkhorn(self.teacher_patch_head(patches.flatten(0, 2)[where]), temperature)
        kind, patches = self.encoder.tokens(clips, seen, present=present)
        learning = progress >= self.freeze
        tokens = torch.cat((kind[:, 0], self._local_tokens(local)))
        contrast = self._contrast(target, tokens, learning)
        weight = (hidden / hidden.sum((1, 2), keepdim=True).clamp_min(1)).flatten()[where] / len(clips)
        found = self.patch_head.features(patches.flatten(0, 2)[where])
        prediction = self._error(hidden_target, found, self.patch_head.prototypes(learning), weight)
        apart = torch.stack([koleo(each) for each in kind[:, 0].chunk(GLOBALS)]).sum()
        return {
            "loss": contrast + prediction + self.koleo * apart,
            "contrast": contrast.detach(),
            "prediction": prediction.detach(),
            "koleo": apart.detach(),
        }

    def _local_tokens(self, views: Sequence[View]) -> Tensor:
        """The student's class tokens (views · N, D), in the order of the views; one pass for each length."""
        found: dict[int, Tensor] = {}
        for size in dict.fromkeys(view.clips.shape[2] for view in views):
            which = [number for number, view in enumerate(views) if view.clips.shape[2] == size]
            clips, seen = (
                torch.cat([part(views[number]) for number in which])
                for part in (lambda view: view.clips, _shown)
            )
            present = _present([views[number] for number in which])
            tokens = self.encoder.tokens(clips, seen, present=present)[0][:, 0]
            found |= dict(zip(which, tokens.chunk(len(which)), strict=True))
        return torch.cat([found[number] for number in range(len(views))])

    def _contrast(self, target: Tensor, tokens: Tensor, learning: bool) -> Tensor:
        """Mean cross-entropy of each view with the global views, of a global one with the other.

        Args:
            target: (2·N, K), the teacher's assignments of the global views.
            tokens: (views·N, D), the student's class tokens.
            learning: whether the prototypes learn.
        """
        first, second = target.chunk(GLOBALS)
        local = len(tokens) // len(first) - GLOBALS
        # A local view's cross-entropies with both global views are one, with the sum of their targets.
        goal = torch.cat([second, first, (first + second).repeat(local, 1)])
        weight = goal.new_full((len(tokens),), 1 / (len(first) * (GLOBALS * local + 2)))
        head = self.clip_head
        return self._error(goal, head.features(tokens), head.prototypes(learning), weight)

    def _error(self, target: Tensor, features: Tensor, prototypes: Tensor, weight: Tensor) -> Tensor:
        return prototype_cross_entropy(target, features, prototypes, self.student_temperature, weight)


def _shown(view: View) -> Tensor:
    """The mask of a view, (N, T, V, M)."""
    return torch.ones_like(view.clips[:, 0], dtype=torch.bool) if view.mask is None else view.mask


def _present(views: Sequence[View]) -> Tensor | None:
    """Which joints views of one length have, one after the other (N, V); None where they have all."""
    given = [view.present for view in views if view.present is not None]
    return torch.cat(given) if given else None


def _check_shares(name: str, low: float, high: float) -> None:
    if not 0 < low <= high <= 1:
        raise KinemeError(f"{name}: {low} to {high} is not a range of shares; both must be between 0 and 1")
