"""What processes exchange is what one process would have had."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from spawning import on_two
from torch import Tensor, nn

from kineme import augment, processes

ROWS = 3 + torch.randn(8, 4, 5, generator=torch.Generator().manual_seed(0))  # (N, C, T)


def test_alone_everything_is_its_own() -> None:
    for function in (processes.total, processes.greatest, processes.gather, processes.gather_batch):
        assert function(ROWS) is ROWS
    assert (processes.count(), processes.rank()) == (1, 0)


def trained(norm: nn.BatchNorm1d, rows: Tensor) -> dict[str, Tensor]:
    """What a norm gives, its gradients and its statistics; the loss is a mean over rows."""
    rows = rows.clone().requires_grad_()
    out = norm(rows)
    (out.sin().sum((1, 2)).mean()).backward()
    assert rows.grad is not None
    parameters = {name: each.grad for name, each in norm.named_parameters() if each.grad is not None}
    return {"out": out.detach(), "rows": rows.grad, **parameters, **dict(norm.named_buffers())}


def exchange(rank: int, out: str) -> None:
    own = ROWS.chunk(2)[rank]
    norm = nn.Sequential(nn.BatchNorm1d(4))
    processes.synchronise_norms(norm)
    rows = own.clone().requires_grad_()
    processes.gather_batch(rows).square().sum().backward()
    generator = augment.Share("cpu", clips=3, rank=rank, processes=2).seeded(0, own=rank)
    found = {
        "gathered": processes.gather(own, dim=1),
        "sum": processes.total(own),
        "greatest": processes.greatest(own.amax()),
        "gradient": rows.grad,
        "coins": augment.rand((2 * 3, 2), generator),
        "norm": trained(norm[0], own),  # type: ignore[arg-type]
    }
    torch.save(found, f"{out}/{rank}.pt")


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    on_two(exchange, str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for each, own in zip((first, second), ROWS.chunk(2), strict=True):
        assert torch.equal(each["gathered"], torch.cat(ROWS.chunk(2), 1))
        torch.testing.assert_close(each["sum"], sum(ROWS.chunk(2)))
        assert each["greatest"] == ROWS.amax()
        torch.testing.assert_close(each["gradient"], 2 * 2 * own)  # times W: DDP divides by it

    together = augment.rand((2 * 6, 2), torch.Generator().manual_seed(0)).view(2, 2, 3, 2)
    for rank, each in enumerate((first, second)):
        assert torch.equal(each["coins"].view(2, 3, 2), together[:, rank])

    alone = trained(nn.BatchNorm1d(4), ROWS)
    both = {name: torch.stack([first["norm"][name], second["norm"][name]]) for name in alone}
    torch.testing.assert_close(both["out"].flatten(0, 1), alone["out"])
    torch.testing.assert_close(both["rows"].flatten(0, 1) / 2, alone["rows"])  # each has a mean over half
    for name in ("weight", "bias"):
        torch.testing.assert_close(both[name].mean(0), alone[name], atol=1e-6, rtol=1e-5)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        for part in both[name]:
            torch.testing.assert_close(part, alone[name])


def test_norms_are_as_they_were_in_evaluation_and_where_the_batch_is_whole() -> None:
    module = nn.ModuleList([nn.BatchNorm1d(4), processes.WholeBatchNorm(4)])
    names = list(module.state_dict())
    processes.synchronise_norms(module)
    assert list(module.state_dict()) == names
    for norm in module:
        torch.testing.assert_close(norm(ROWS), nn.BatchNorm1d(4)(ROWS))
        torch.testing.assert_close(
            norm.eval()(ROWS),
            (ROWS - norm.running_mean[:, None]) / (norm.running_var[:, None] + norm.eps).sqrt(),
        )
    assert "forward" not in vars(module[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_statistics_are_of_single_precision(dtype: torch.dtype) -> None:
    out, mean, variance, rows = processes._Normalise.apply(ROWS.to(dtype), None, None, 1e-5)
    assert (out.dtype, mean.dtype, variance.dtype, rows) == (dtype, torch.float32, torch.float32, 40)
