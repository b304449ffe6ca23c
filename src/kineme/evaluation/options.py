"""Options of the protocols, apart from the rest so that the commands' help does not load PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
Kind = Literal["centred", "tokens"]
Rule = Literal["A", "B", "C"]

# Detection by default, as cross-validation over training people found it.
KIND: Kind = "centred"  # windows of which every frame is the centre
WINDOW = 64  # frames, in all three papers
NEIGHBOURS = 4  # on either side, from which the class of a frame is read as well
RULE: Rule = "C"  # of segments


@dataclass(frozen=True)
class TaskOptions:
    """What a pre-trained encoder is measured on.

    Args:
        store: Clip store to measure on; by default that of pre-training.
        split: Division of the store into training and test parts; by default that of pre-training.
        stream: Streams to use with an encoder of several: one of them, or two, as `joint+bone`; by default
            all.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
        leave_out_overlap: Leave out test clips that the encoder has seen in pre-training.
        map_joints: Convert clips of another layout to the encoder's joints, matched by name.
        joint_map: YAML file with the sources of joints that cannot be matched by name (`head: helmet`).
    """

    store: Path | None = None
    split: str | None = None
    stream: str | None = None
    device: Device = "auto"
    allow_preprocessing: bool = False
    leave_out_overlap: bool = False
    map_joints: bool = False
    joint_map: Path | None = None


@dataclass(frozen=True)
class FinetuneOptions:
    """How fine-tuning differs from the recipe.

    Args:
        from_scratch: Also train the same network, in the same way, without pre-training, as a baseline.
        epochs: Passes over the clips, instead of the recipe's.
        lr: Learning rate, instead of the recipe's.
        batch_size: Clips per step, instead of the recipe's.
    """

    from_scratch: bool = False
    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None


USUAL, AS_IN_RECIPE = TaskOptions(), FinetuneOptions()
