"""Which process of a launcher this is, by its environment: torchrun's, SLURM's, or Lightning's own."""

from __future__ import annotations

import os
from typing import NamedTuple


class Started(NamedTuple):
    """What a launcher has started.

    Attributes:
        by: its name.
        processes: in all.
        each: on every machine; None where the launcher does not say.
    """

    by: str
    processes: int
    each: int | None


def started() -> Started | None:
    """What torchrun or SLURM has started, this process among it; None where neither has."""
    environment = os.environ
    if "TORCHELASTIC_RUN_ID" in environment:
        return Started("torchrun", int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"]))
    if "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        each = environment.get("SLURM_NTASKS_PER_NODE")
        return Started("SLURM", int(environment["SLURM_NTASKS"]), None if each is None else int(each))
    return None


def repeats() -> bool:
    """Whether torchrun has started this process to do what another one does; it is to be done once.

    Tasks of SLURM may each have work of their own.
    """
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0"


def helps() -> bool:
    """Whether this process trains together with another one, which speaks for both."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return repeats()
    return os.environ.get("LOCAL_RANK", "0") != "0"  # a child of Lightning's
