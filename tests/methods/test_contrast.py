"""Momentum, queue and InfoNCE, on one process and on two."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from spawning import on_two
from torch import Tensor, nn

from kineme.errors import KinemeError
from kineme.losses.contrast import batch_logits, contrast_logits, info_nce
from kineme.methods.contrast import KeyQueue, momentum_copy, momentum_update


def keys(*values: int) -> Tensor:
    """One key a value, told apart by it."""
    return torch.tensor(values, dtype=torch.float32)[:, None].expand(-1, 2).clone()


def stored(queue: KeyQueue) -> list[float]:
    return queue.keys[:, 0].tolist()


def test_the_queue_begins_with_random_unit_keys() -> None:
    queue = KeyQueue(8, 5)
    torch.testing.assert_close(queue.keys.norm(dim=1), torch.ones(8))


@pytest.mark.parametrize(("size", "dim", "message"), [(0, 4, "queue: is 0"), (4, -1, "projection: is -1")])
def test_a_queue_of_nothing_is_refused(size: int, dim: int, message: str) -> None:
    with pytest.raises(KinemeError, match=f"{message}; it must be at least 1"):
        KeyQueue(size, dim)


def test_the_queue_replaces_its_oldest_keys_and_wraps_round() -> None:
    queue = KeyQueue(6, 2)
    for start in (0, 2, 4):
        queue.enqueue(keys(start, start + 1))
    assert stored(queue) == [0, 1, 2, 3, 4, 5]
    assert queue.next_row == 0
    queue.enqueue(keys(6, 7))
    assert stored(queue) == [6, 7, 2, 3, 4, 5]
    assert queue.next_row == 2
    queue.enqueue(keys(8, 9))
    queue.enqueue(keys(10, 11))
    queue.enqueue(keys(12, 13))
    assert stored(queue) == [12, 13, 8, 9, 10, 11]


def test_a_batch_as_large_as_the_queue_replaces_all() -> None:
    queue = KeyQueue(3, 2)
    queue.enqueue(keys(1, 2, 3))
    assert (stored(queue), queue.next_row.item()) == ([1, 2, 3], 0)


@pytest.mark.parametrize("count", [4, 12])
def test_a_batch_that_does_not_divide_the_queue_is_refused(count: int) -> None:
    queue = KeyQueue(6, 2)
    before = queue.keys.clone()
    with pytest.raises(KinemeError, match=f"queue of 6 .* batch of {count} clips; change method.queue"):
        queue.enqueue(keys(*range(count)))
    assert torch.equal(queue.keys, before)


def test_entries_stay_when_the_queue_moves_on() -> None:
    queue = KeyQueue(2, 2)
    queue.enqueue(keys(1, 2))
    entries = queue.entries()
    queue.enqueue(keys(3, 4))
    assert torch.equal(entries, keys(1, 2))


def test_the_queue_travels_with_the_state() -> None:
    queue, other = KeyQueue(4, 2), KeyQueue(4, 2)
    queue.enqueue(keys(1, 2))
    other.load_state_dict(queue.state_dict())
    other.enqueue(keys(3, 4))
    assert stored(other) == [1, 2, 3, 4]


def test_the_momentum_update_moves_parameters_but_no_statistics() -> None:
    query = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    key = momentum_copy(query)
    assert not any(parameter.requires_grad for parameter in key.parameters())
    with torch.no_grad():
        for parameter in query.parameters():
            parameter.add_(1)
        query[1].running_mean += 5
    before = [parameter.clone() for parameter in key.parameters()]
    momentum_update(key, query, 0.9)
    momentum_update(key, query, 0.9)
    for old, now in zip(before, key.parameters(), strict=True):
        torch.testing.assert_close(now, old + (1 - 0.9**2))
    assert torch.equal(key[1].running_mean, torch.zeros(3))


def test_logits_are_similarities_over_the_temperature_with_the_own_key_first() -> None:
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    key = torch.tensor([[0.6, 0.8], [0.6, 0.8]])
    queue = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.8, 0.6]])
    expected = torch.tensor([[0.6, 1.0, 0.0, 0.8], [0.8, 0.0, -1.0, 0.6]]) / 0.5
    torch.testing.assert_close(contrast_logits(query, key, queue, 0.5), expected)


def test_without_a_queue_the_other_keys_of_the_batch_are_the_negatives() -> None:
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    key = torch.tensor([[0.8, 0.6], [0.0, -1.0], [1.0, 0.0]])
    expected = torch.tensor([[0.8, 0.0, 1.0], [-1.0, 0.6, 0.0], [0.6, 0.96, -0.8]]) / 0.5  # the own first
    torch.testing.assert_close(batch_logits(query, key, 0.5), expected)


def test_logits_are_float32_under_mixed_precision() -> None:
    query, key, queue = (F.normalize(torch.randn(n, 16), dim=1) for n in (4, 4, 9))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = contrast_logits(query, key, queue, 0.07)
    assert torch.equal(mixed, contrast_logits(query, key, queue, 0.07))


def test_info_nce_is_cross_entropy_of_the_first() -> None:
    logits = torch.randn(5, 8)
    expected = F.cross_entropy(logits, torch.zeros(5, dtype=torch.int64))
    torch.testing.assert_close(info_nce(logits), expected)
    assert info_nce(torch.zeros(3, 8)).item() == pytest.approx(math.log(8))
    far = torch.tensor([[-200.0, 200.0]])
    assert info_nce(far).item() == pytest.approx(400)  # log(softmax) would be infinite


def enqueue_on(rank: int, out: str) -> None:
    queue = KeyQueue(8, 2)
    queue.enqueue(keys(10 * rank, 10 * rank + 1))
    queue.enqueue(keys(10 * rank + 2, 10 * rank + 3))
    refused = ""
    try:
        queue.enqueue(keys(1, 2, 3))  # six of both processes
    except KinemeError as error:
        refused = str(error)
    torch.save({"keys": queue.keys, "next_row": queue.next_row, "refused": refused}, f"{out}/{rank}.pt")


def test_the_queue_takes_the_keys_of_all_processes_in_order_of_rank(tmp_path: Path) -> None:
    on_two(enqueue_on, str(tmp_path))
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["keys"][:, 0].tolist() == [0, 1, 10, 11, 2, 3, 12, 13]
        assert found["next_row"] == 0
        assert "batch of 6 clips" in found["refused"]
