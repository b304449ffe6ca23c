"""Lightning modules: the clips of a step, its randomness and its learning rate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from kineme import processes
from kineme.augment.draws import Share
from kineme.clips.batches import Clips, resident
from kineme.clips.collection import Collection
from kineme.clips.store import ClipStore
from kineme.config import Config, TrainConfig
from kineme.errors import KinemeError, SharedError
from kineme.methods import Method
from kineme.training.contract import check_losses, check_views
from kineme.training.order import Blocks, epoch_order

UNSEEN = 50  # steps after which an accelerator's losses are looked at; looking waits for it


class Training(L.LightningModule, ABC):
    """Training steps on resident clips.

    All randomness of a step depends on (seed, epoch, batch) only, so a resumed run continues exactly as if it
    had not stopped. Order and views do not depend on the number of processes, which share the clips of a
    step; dropout does: each process draws its own.
    """

    clips: Clips  # on this process's device: neither moved nor saved with the module
    remedy: ClassVar[str]  # for a loss that is not finite

    def __init__(self, train: TrainConfig, store: ClipStore, rows: npt.NDArray[np.int64]) -> None:
        super().__init__()
        self.train_config = train
        self.store, self.rows = store, rows
        self._outputs: list[dict[str, Tensor]] = []  # of the batches in this optimiser step
        self._progress = 0.0
        self._unseen: list[tuple[int, dict[str, Tensor]]] = []  # losses that no one has looked at

    @abstractmethod
    def losses(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Named losses of the clips at `rows`, including `loss`; tensors with axes go to `after_step`."""

    def batches(self) -> Sampler[Tensor]:
        """The rows of each batch of an epoch."""
        trainer = self.trainer
        world, blocks = trainer.world_size, Blocks.of(self.store, self.clips)
        return EpochBatches(
            clips_by_store(self.store, self.clips),
            self.train_config,
            rank=trainer.global_rank,
            world=world,
            blocks=blocks,
        )

    def setup(self, stage: str) -> None:
        """Loads the clips to this process's device."""
        self.clips = resident(self.store, self.rows, self.trainer.strategy.root_device)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Batches of rows; the clips are gathered on the device."""
        return DataLoader(_Rows(), sampler=self.batches(), batch_size=None)

    def before_step(self, progress: float) -> None:
        """Called before the losses of an optimiser step."""

    def after_step(self, outputs: dict[str, Tensor], progress: float) -> None:
        """Called after an optimiser step, for each of its batches."""

    def training_step(self, rows: Tensor, number: int) -> dict[str, Tensor]:
        """The losses of one batch; raises KinemeError if the loss of any process is not finite."""
        train, batches = self.train_config, int(self.trainer.num_training_batches)
        batch = self.current_epoch * batches + number
        torch.manual_seed(step_seed(train.seed, batch, self.global_rank))  # dropout
        if not self._outputs:  # the first batch of an optimiser step
            self._progress = batch / (batches * train.epochs)
            rate, decay = learning_rate(train, batch, batches), weight_decay(train, self._progress)
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = rate * group.get("share", 1.0)
                if decay is not None and group["weight_decay"]:  # that of vectors may be 0, and stays so
                    group["weight_decay"] = decay
            self.before_step(self._progress)
        outputs = self.losses(rows.to(self.clips.start.device), self._generator(batch, len(rows)))
        self._outputs.append({name: value.detach() for name, value in outputs.items() if value.ndim})
        losses = {name: value for name, value in outputs.items() if not value.ndim}
        self._unseen.append((batch, {name: value.detach() for name, value in losses.items()}))
        if self.device.type == "cpu" or len(self._unseen) == UNSEEN or number + 1 == batches:
            self._look()
        return losses

    def _generator(self, batch: int, clips: int) -> torch.Generator:
        """What the views of a batch are drawn from; the same whatever the number of processes."""
        train, rank, world = self.train_config, self.global_rank, processes.count()
        seed = step_seed(train.seed, batch, 0)
        if world == 1:
            return torch.Generator(self.device).manual_seed(seed)
        share = Share(self.device, clips=clips, rank=rank, processes=world)
        return share.seeded(seed, own=step_seed(train.seed, batch, 1 + rank))

    def _look(self) -> None:
        """Raises KinemeError if a loss of any process was not finite. Only here is the device waited for."""
        wrong = ~torch.stack([losses["loss"] for _, losses in self._unseen]).isfinite()
        bad = processes.total(wrong.float()).nonzero()  # all processes stop together
        if len(bad):
            batch, losses = self._unseen[int(bad[0])]
            names = [name for name, value in losses.items() if not torch.isfinite(value) and name != "loss"]
            raise SharedError(
                f"step {batch} (epoch {self.current_epoch + 1}): {', '.join(names) or 'loss'} is not finite; "
                f"training stopped; {self.remedy}"
            )
        self._unseen = []

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Calls `after_step` if the optimiser has stepped."""
        if len(self._outputs) == self.train_config.accumulate:
            for each in self._outputs:
                self.after_step(each, self._progress)
            self._outputs = []

    def shares(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Parameters with the share of the learning rate that they are trained at."""
        return [(1.0, list(self.parameters()))]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses the state of another model, of which PyTorch would say every layer.

        Raises:
            KinemeError: names or shapes of weights differ.
        """
        own, there = self.state_dict(), checkpoint["state_dict"]
        if {name: own[name].shape for name in own} != {name: there[name].shape for name in there}:
            raise KinemeError(
                "state.ckpt: is of another model than config.yaml describes, so the run cannot be resumed; "
                "bring back the file that belongs to it, or train from the start"
            )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser of all parameters that require gradients."""
        train, groups = self.train_config, []
        for share, parameters in self.shares():
            learning = [each for each in parameters if each.requires_grad]
            vectors = [] if train.decay_vectors else [each for each in learning if each.ndim <= 1]
            others = learning if train.decay_vectors else [each for each in learning if each.ndim > 1]
            groups += [
                {"params": members, "share": share, "weight_decay": decay}
                for members, decay in ((others, train.weight_decay), (vectors, 0.0))
                if members
            ]
        if train.optimizer == "sgd":
            on_gpu = self.device.type == "cuda"
            return torch.optim.SGD(groups, train.lr, momentum=train.momentum, fused=on_gpu)
        kind = torch.optim.Adam if train.optimizer == "adam" else torch.optim.AdamW
        return kind(groups, train.lr, betas=train.betas, fused=True)

    def clipped_together(self) -> list[list[nn.Parameter]]:
        """Groups of parameters whose gradients are clipped each by its own norm."""
        return [list(self.parameters())]

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Limits the norm of each group's gradient, which Lightning does for one group and no fused step."""
        if gradient_clip_val is not None:
            for parameters in self.clipped_together():
                nn.utils.clip_grad_norm_(parameters, gradient_clip_val)


class Pretraining(Training):
    """Trains a method on clips, without their labels."""

    remedy = "the last checkpoint is kept. Lower train.lr, or set train.precision=float32"

    def __init__(self, method: Method, config: Config, store: ClipStore, rows: npt.NDArray[np.int64]) -> None:
        super().__init__(config.train, store, rows)
        self.method = method
        self.config = config

    def setup(self, stage: str) -> None:
        """Loads the clips, cut into windows where `data.window` is set."""
        super().setup(stage)
        if self.config.data.window:
            self.clips = self.clips.windows(self.config.data.window)

    def losses(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """The method's losses of its views."""
        if self.train_config.compile != "off":  # graphs may then overwrite what an earlier step gave
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):  # coordinates are not rounded
            views = self.method.views(self.clips[rows], generator)
        check_views(self.method, views)
        outputs = self.method.loss(views, self._progress)
        check_losses(self.method, outputs)
        return outputs

    def shares(self) -> list[tuple[float, list[nn.Parameter]]]:
        """The method's."""
        return self.method.shares()

    def clipped_together(self) -> list[list[nn.Parameter]]:
        """The method's."""
        return self.method.clipped_together()

    def before_step(self, progress: float) -> None:
        """Calls the method's hook."""
        self.method.before_step(progress)

    def after_step(self, outputs: dict[str, Tensor], progress: float) -> None:
        """Calls the method's hook."""
        self.method.after_step(outputs, progress)


def step_seed(seed: int, step: int, stream: int) -> int:
    """The seed of one training step, for one of several streams of random numbers."""
    return int(np.random.SeedSequence([seed, step, stream]).generate_state(1, np.uint64)[0]) >> 1


def learning_rate(train: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step, from its number."""
    epoch = step / steps_per_epoch
    if train.schedule == "warmup-cosine":  # from 0, as masked autoencoders are warmed up
        if epoch < train.warmup:
            return train.lr * epoch / train.warmup
        share = (epoch - train.warmup) / (train.epochs - train.warmup)
        return train.final_lr + (train.lr - train.final_lr) * (1 + math.cos(math.pi * share)) / 2
    rate = train.lr * min(1.0, (epoch + 1 / steps_per_epoch) / train.warmup) if train.warmup else train.lr
    if train.schedule == "cosine":
        return rate * (1 + math.cos(math.pi * epoch / train.epochs)) / 2
    return rate * 0.1 ** sum(math.floor(epoch) >= milestone for milestone in train.milestones)


def weight_decay(train: TrainConfig, progress: float) -> float | None:
    """The penalty of a step, along half a cosine; None if it stays as it is."""
    if train.final_weight_decay is None:
        return None
    change = train.final_weight_decay - train.weight_decay
    return train.weight_decay + change * (1 - math.cos(math.pi * progress)) / 2


def clips_by_store(store: ClipStore, clips: Clips) -> list[int]:
    """How many clips, or windows of clips, are of each store of a collection; of a store all."""
    if not isinstance(store, Collection):
        return [len(clips)]
    of = np.searchsorted(store.index["offset"][store.bounds[1:-1]], clips.start.cpu().numpy(), side="right")
    return [int(count) for count in np.bincount(of, minlength=len(store.stores))]


class EpochBatches(Sampler[Tensor]):
    """The batches of each epoch: an order from (seed, epoch), see `order.py`, dealt out to the ranks.

    The clips of a step are of one store, stores in random order. What a loss compares within a batch is then
    motion: between stores it could tell joints and sensors apart instead. Clips that do not fill a batch on
    each rank, `accumulate` times, are dropped.

    Args:
        clips: how many, of each store.
        train: settings.
        rank: of this process.
        world: number of processes.
        blocks: of a store of many shards, how its clips are read together; None: in any order.

    Raises:
        KinemeError: those of a store do not fill a batch.
    """

    def __init__(
        self,
        clips: Sequence[int],
        train: TrainConfig,
        rank: int = 0,
        world: int = 1,
        blocks: Blocks | None = None,
    ) -> None:
        self.whole = train.batch_size * world * train.accumulate
        if min(clips) < self.whole:
            which = f"{min(clips)} training clips" + " of one store" * (len(clips) > 1)
            remedy = "lower train.batch_size" + " or train.accumulate" * (train.accumulate > 1)
            raise KinemeError(f"{which} do not fill one batch of {self.whole}; {remedy}")
        self.steps = sum(count // self.whole for count in clips)
        self.clips, self.train, self.rank, self.world = clips, train, rank, world
        self.blocks = blocks
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps * self.train.accumulate

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        if self.blocks is not None and len(self.clips) == 1:
            yield from islice(self._read_together(self.blocks), len(self))
            return
        order = epoch_order(self.train.seed, self.epoch, sum(self.clips))
        ends = torch.tensor(self.clips).cumsum(0)
        store = torch.bucketize(order, ends, right=True)
        steps = torch.cat(
            [
                order[store == number][: count // self.whole * self.whole].view(-1, self.whole)
                for number, count in enumerate(self.clips)
            ]
        )
        if len(self.clips) > 1:
            steps = steps[epoch_order(self.train.seed, self.epoch, len(steps))]
        yield from steps.view(len(self), self.world, -1)[:, self.rank]

    def _read_together(self, blocks: Blocks) -> Iterator[Tensor]:
        """Of this rank; what is left of a group of clips comes with the next one."""
        together = self.train.batch_size * self.world
        left = torch.empty(0, dtype=torch.int64)
        for group in blocks.order(self.train.seed, self.epoch):
            rows = torch.cat([left, group])
            count = len(rows) // together
            yield from rows[: count * together].view(count, self.world, -1)[:, self.rank]
            left = rows[count * together :]


class _Rows(Dataset[Tensor]):
    """A batch is an index, which passes through unchanged."""

    def __getitem__(self, rows: Tensor) -> Tensor:
        return rows
