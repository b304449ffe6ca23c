"""Clips, randomness and learning rate of a step follow from its number, so that runs can be resumed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from kineme.config import TrainConfig
from kineme.errors import KinemeError
from kineme.training.module import EpochBatches, Training, learning_rate, step_seed, weight_decay


def rates(train: TrainConfig, steps: int) -> list[float]:
    """The rate at each epoch's first step."""
    return [learning_rate(train, epoch * steps, steps) for epoch in range(train.epochs)]


def test_a_step_schedule_lowers_the_rate_after_each_milestone() -> None:
    train = TrainConfig(epochs=6, lr=0.5, milestones=(2, 4))
    assert rates(train, 10) == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])
    assert learning_rate(train, 19, 10) == 0.5  # the last step of the second epoch


def test_without_milestones_the_rate_stays() -> None:
    assert rates(TrainConfig(epochs=3, lr=0.5), 7) == [0.5, 0.5, 0.5]


def test_a_cosine_falls_from_the_rate_to_zero() -> None:
    train = TrainConfig(epochs=4, lr=0.5, schedule="cosine")
    assert rates(train, 10) == pytest.approx(
        [0.5, 0.25 * (1 + math.sqrt(0.5)), 0.25, 0.25 * (1 - math.sqrt(0.5))]
    )
    every = [learning_rate(train, step, 10) for step in range(40)]
    assert every == sorted(every, reverse=True)
    assert 0 < every[-1] < 0.001
    assert learning_rate(train, 40, 10) == pytest.approx(0)


def test_warm_up_rises_linearly_to_the_rate() -> None:
    train = TrainConfig(epochs=10, lr=0.5, warmup=2.0)
    every = [learning_rate(train, step, 5) for step in range(12)]
    assert every == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.5, 0.5])


def test_warm_up_multiplies_the_schedule() -> None:
    train = TrainConfig(epochs=4, lr=0.5, warmup=1.0, schedule="cosine")
    bare = TrainConfig(epochs=4, lr=0.5, schedule="cosine")
    assert learning_rate(train, 1, 4) == pytest.approx(learning_rate(bare, 1, 4) / 2)
    assert learning_rate(train, 9, 4) == learning_rate(bare, 9, 4)


def test_a_warm_up_from_zero_is_followed_by_a_half_cosine_to_the_final_rate() -> None:
    """MAMP's: 20 of 400 epochs up to 1e-3, and down to 5e-4."""
    train = TrainConfig(epochs=400, lr=1e-3, warmup=20, final_lr=5e-4, schedule="warmup-cosine")
    steps = {0: 0.0, 50: 1.25e-4, 400: 1e-3, 20 * 20 + 190 * 20: 7.5e-4, 400 * 20: 5e-4}
    for step, rate in steps.items():
        assert learning_rate(train, step, 20) == pytest.approx(rate), step
    falling = [learning_rate(train, step, 20) for step in range(400, 8000)]
    assert falling == sorted(falling, reverse=True)


def test_the_penalty_goes_to_its_end_along_half_a_cosine() -> None:
    """SLiM's: from 0.04 to 0.2."""
    train = TrainConfig(weight_decay=0.04, final_weight_decay=0.2)
    found = [weight_decay(train, progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    quarter = 0.04 + 0.16 * (1 - math.sqrt(0.5)) / 2
    assert found == pytest.approx([0.04, quarter, 0.12, 0.2])
    assert weight_decay(TrainConfig(weight_decay=0.04), 0.5) is None


class Parts(Training):
    """A matrix with a bias, and a first stage that learns at a tenth of the rate."""

    remedy = ""

    def __init__(self, train: TrainConfig) -> None:
        L.LightningModule.__init__(self)
        self.train_config = train
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def losses(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        raise NotImplementedError

    def shares(self) -> list[tuple[float, list[nn.Parameter]]]:
        return [(0.1, [*self.first.parameters()]), (1.0, [*self.second.parameters()])]


def test_vectors_can_be_spared_weight_decay_and_stages_have_their_share_of_the_rate() -> None:
    train = TrainConfig(optimizer="adamw", lr=1.0, weight_decay=0.05, betas=(0.9, 0.95), decay_vectors=False)
    module = Parts(train)
    groups = module.configure_optimizers().param_groups
    found = [(group["share"], group["weight_decay"], len(group["params"])) for group in groups]
    assert found == [(0.1, 0.05, 1), (0.1, 0.0, 1), (1.0, 0.05, 1), (1.0, 0.0, 1)]
    assert groups[1]["params"][0] is module.first.bias
    assert all(group["betas"] == (0.9, 0.95) for group in groups)
    decayed = Parts(TrainConfig(weight_decay=0.05)).configure_optimizers().param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in decayed] == [(0.05, 2), (0.05, 2)]


def test_groups_of_parameters_are_clipped_each_by_its_own_norm() -> None:
    class Apart(Parts):
        def clipped_together(self) -> list[list[nn.Parameter]]:
            return [[*self.first.parameters()], [*self.second.parameters()]]

    for kind, expected in ((Apart, (1.0, 1.0)), (Parts, (0.6, 0.8))):
        module = kind(TrainConfig())
        for part, norm in ((module.first, 3.0), (module.second, 4.0)):
            part.weight.grad, part.bias.grad = torch.zeros(2, 2), torch.tensor([0.0, norm])
        module.configure_gradient_clipping(module.configure_optimizers(), 1.0)
        assert module.first.bias.grad.norm().item() == pytest.approx(expected[0], abs=1e-5)
        assert module.second.bias.grad.norm().item() == pytest.approx(expected[1], abs=1e-5)


def test_seeds_of_steps_ranks_and_runs_are_their_own() -> None:
    seeds = {step_seed(seed, step, rank) for seed in range(5) for step in range(100) for rank in range(4)}
    assert len(seeds) == 5 * 100 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)
    torch.Generator().manual_seed(max(seeds))


def dealt(
    epoch: int,
    *,
    clips: Sequence[int] = (23,),
    seed: int = 0,
    world: int = 1,
    size: int = 4,
    accumulate: int = 1,
) -> list[list[list[int]]]:
    """By rank, the batches of an epoch."""
    ranks = []
    train = TrainConfig(batch_size=size, seed=seed, accumulate=accumulate)
    for rank in range(world):
        batches = EpochBatches(clips, train, rank, world)
        batches.set_epoch(epoch)
        ranks.append([rows.tolist() for rows in batches])
        assert len(ranks[-1]) == len(batches)
    return ranks


def test_an_epoch_takes_each_clip_at_most_once_and_leaves_out_an_incomplete_batch() -> None:
    (batches,) = dealt(0)
    assert [len(rows) for rows in batches] == [4] * 5
    everything = [row for rows in batches for row in rows]
    assert len(set(everything)) == 20
    assert set(everything) <= set(range(23))


def test_the_order_follows_from_seed_and_epoch() -> None:
    assert dealt(3) == dealt(3)
    assert dealt(3) != dealt(4)
    assert dealt(3) != dealt(3, seed=1)
    third, fourth = ({row for rows in dealt(epoch)[0] for row in rows} for epoch in (3, 4))
    assert third != fourth  # another incomplete batch each time


def test_ranks_share_one_permutation_without_overlap() -> None:
    ranks = dealt(1, world=2)
    assert [[len(rows) for rows in batches] for batches in ranks] == [[4, 4], [4, 4]]
    taken = [row for batches in ranks for rows in batches for row in rows]
    assert len(set(taken)) == 16
    (alone,) = dealt(1, size=8)
    assert [first + second for first, second in zip(*ranks, strict=True)] == alone  # as one process with both


def test_batches_that_do_not_make_a_whole_optimiser_step_are_left_out() -> None:
    """Lightning would divide the sum of fewer gradients by as many as ever."""
    (batches,) = dealt(0, accumulate=2)
    assert batches == dealt(0)[0][:4]  # of five
    with pytest.raises(KinemeError, match=r"23 training clips do not fill one batch of 24"):
        dealt(0, accumulate=6)


def test_a_step_takes_clips_of_one_store() -> None:
    (batches,) = dealt(0, clips=[10, 13])
    assert sorted(len({row < 10 for row in rows}) for rows in batches) == [1] * 5
    assert sum(max(rows) < 10 for rows in batches) == 2
    assert len({row for rows in batches for row in rows}) == 20
    ranks = dealt(0, clips=[10, 13], world=2)
    steps = [first + second for first, second in zip(*ranks, strict=True)]
    assert sorted(max(rows) < 10 for rows in steps) == [False, True]
    assert dealt(0, clips=[10, 13]) == [batches]
    starts = {batches[0][0] < 10 for epoch in range(9) for batches in dealt(epoch, clips=[10, 13])}
    assert starts == {True, False}  # now one store comes first, now the other


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(
        KinemeError, match=r"23 training clips do not fill one batch of 32; lower train\.batch_size"
    ):
        EpochBatches([23], TrainConfig(batch_size=16), 0, 2)
    with pytest.raises(KinemeError, match=r"7 training clips of one store do not fill one batch of 8"):
        EpochBatches([23, 7], TrainConfig(batch_size=8))
