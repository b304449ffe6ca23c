"""Every tensor of a step is where the clips are: `meta`, which has no numbers, stands for a GPU.

Nor does a step bring any there, as the device would be waited for; what it needs is there from the first on.

PyTorch refuses only some operations on tensors of two devices where one of them is `meta`; here all are.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from stepping import PAIRS, small_method, some_clips, take_a_step
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from kineme.config import FinetuneConfig
from kineme.encoders import ClipShape
from kineme.layouts import get_layout
from kineme.training.supervised import weak_view

OF_NUMBERS = {"unique_dim", "nonzero"}  # the size of what they give depends on numbers: as if all were 1
STEPS = 11  # Tandem reads its feature anew in every tenth


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, but for single numbers, as CUDA does.

    Attributes:
        brought: shapes of the tensors that were copied from the CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.brought: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.name().removeprefix("aten::").partition(".")[0]
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        devices = {each.device.type for each in tensors if each.ndim}
        assert len(devices) < 2 or name in ("_to_copy", "copy_"), f"{name} of tensors on {sorted(devices)}"
        if devices == {"cpu"} and str(kwargs.get("device")) == "meta":
            self.brought.append(tuple(args[0].shape))
        if name in OF_NUMBERS:
            found = func(torch.ones(args[0].shape, dtype=args[0].dtype), *args[1:], **kwargs)
            return tree_map(lambda each: each.to(args[0].device), found)
        return func(*args, **kwargs)


class ElsewhereGenerator(torch._C.Generator):
    """A generator of numbers on `meta`, of which PyTorch has none."""

    device = torch.device("meta")


@pytest.fixture(autouse=True)
def meta_as_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch has no autocast on `meta`."""
    autocast, enabled = torch.autocast, torch.is_autocast_enabled
    monkeypatch.setattr(torch, "autocast", lambda _, **settings: autocast("cpu", **settings))
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: enabled("cpu"))


@pytest.mark.parametrize("lacking", [False, True], ids=["", "joints lacking"])
@pytest.mark.parametrize(("method_name", "encoder_name"), PAIRS)
def test_a_step_is_on_one_device(method_name: str, encoder_name: str, lacking: bool) -> None:
    method, clips = small_method(method_name, encoder_name).to("meta"), some_clips(lacking, "meta")
    generator: Any = ElsewhereGenerator()
    with OneDevice():
        take_a_step(method, clips, generator)
    with OneDevice() as device:
        for _ in range(STEPS if method_name == "tandem" else 1):
            take_a_step(method, clips, generator)
    assert device.brought == []


@pytest.mark.parametrize("lacking", [False, True], ids=["", "joints lacking"])
def test_views_of_fine_tuning_are_on_one_device(lacking: bool) -> None:
    every = {"pad_crop": True, "shear": 0.2, "rotation": 0.3, "mirror": True}
    view = weak_view(
        ClipShape(get_layout("ntu25"), 16, 2),
        FinetuneConfig(**every, bone_scale=0.1, turn=3.0, noise=0.01),
    )
    clips, generator = some_clips(lacking, "meta"), cast(Any, ElsewhereGenerator())
    with OneDevice():
        view(clips, generator)
    with OneDevice() as device:
        joints, present = view(clips, generator)
    assert device.brought == []
    assert joints.device.type == "meta"
    assert (present is not None and present.device.type == "meta") == lacking


def test_two_devices_are_refused() -> None:
    there, here = torch.ones(3, device="meta"), torch.ones(3)
    with OneDevice() as device:
        there + torch.tensor(1.0)
        here.to("meta")
        for mix in (lambda: there + here, lambda: there @ here, lambda: there[here.long()]):
            with pytest.raises(AssertionError, match=r"of tensors on \['cpu', 'meta'\]"):
                mix()
    assert device.brought == [(3,)]
