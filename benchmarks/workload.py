"""A case made real: the method with its clips, and one function for each part that is timed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.cases import Case
from benchmarks.plain import PLAIN
from kineme.clips.batches import Clips
from kineme.encoders import ENCODERS, ClipShape, Features, View
from kineme.generate import generate_clips
from kineme.layouts import get_layout
from kineme.methods import METHODS
from kineme.preprocessing import get_preprocessing

LAYOUT = get_layout("ntu25")
BODIES = 2


def is_registered(case: Case) -> bool:
    """Whether this version of Kineme has the case's method and encoder."""
    return case.method in METHODS and case.encoder in ENCODERS


def generated_clips(device: torch.device) -> Clips:
    """Some hundred clips of the built-in generator, resident on the device; the same ones every time."""
    plain = get_preprocessing("plain")
    drawn = generate_clips(subjects=4, repetitions=1, cameras=(1,), seed=0)
    clips = [plain(clip.xyz, LAYOUT) for clip in drawn]
    # The recipe drops slots that are empty throughout; a store fills them up again, and so does this.
    frames = [np.pad(xyz, ((0, 0), (0, BODIES - xyz.shape[1]), (0, 0), (0, 0))) for xyz in clips]
    length = torch.tensor([len(xyz) for xyz in frames])
    return Clips(
        torch.from_numpy(np.concatenate(frames)).to(device),
        (length.cumsum(0) - length).to(device),
        length.to(device),
    )


class Workload:
    """A method in training, on batches of generated clips; or, if `plain`, its plain form.

    Every workload of a case starts from the same weights and sees the same batches.
    """

    def __init__(self, case: Case, clips: Clips, precision: str, plain: bool = False) -> None:
        torch.manual_seed(0)
        self.device = clips.start.device
        self.clips = clips
        self.batch = case.batch
        self.precision = precision
        encoder = ENCODERS[case.encoder](ClipShape(LAYOUT, case.frames, BODIES, case.stream))
        self.method = METHODS[case.method](encoder, **case.settings).to(self.device)
        self.plain = PLAIN[case.method] if plain else None
        self.optimizer = self._make_optimizer(case)
        self.generator = torch.Generator(self.device)
        self.steps = 0
        self.views = self.augment()

    def _make_optimizer(self, case: Case) -> torch.optim.Optimizer:
        parameters = [p for p in self.method.parameters() if p.requires_grad]
        if case.optimizer == "sgd":
            return torch.optim.SGD(parameters, case.lr, momentum=0.9, weight_decay=1e-4)
        if case.optimizer == "adamw":
            return torch.optim.AdamW(parameters, case.lr, weight_decay=0.05, fused=True)
        return torch.optim.Adam(parameters, case.lr, weight_decay=1e-5)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    @torch.no_grad()
    def augment(self) -> Sequence[View]:
        """The views of one batch; a batch is the next clips, over and over."""
        self.generator.manual_seed(self.steps)
        rows = (torch.arange(self.batch, device=self.device) + self.steps * self.batch) % len(self.clips)
        if self.plain:
            return self.plain.views(self.method, self.clips[rows], self.generator)
        return self.method.views(self.clips[rows], self.generator)

    def step(self) -> Tensor:
        """Forward of all views, loss, backward, optimiser, on the views drawn last; gives the loss."""
        self.method.train()
        torch.manual_seed(self.steps)  # dropout
        with self.autocast():
            self.method.before_step(0.0)
            if self.plain:
                outputs = self.plain.loss(self.method, list(self.views))
            else:
                outputs = self.method.loss(self.views, 0.0)
        loss = outputs["loss"]
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.method.after_step(outputs, 0.0)
        self.steps += 1
        return loss.detach()

    @torch.inference_mode()
    def encode(self) -> Tensor:
        """The features of one view of the batch, as evaluation computes them."""
        self.method.eval()
        with self.autocast():
            features: Features = self.method.encoder(self.views[0].clips)
            return features.clip
