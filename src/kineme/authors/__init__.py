"""The published programs' checkpoint layouts, one file a system.

Each turns a state dict in its authors' layout into one of our methods, its sizes inferred from the tensors.
"""

from collections.abc import Callable

from kineme.authors import aimclr, scdnet, usdrl
from kineme.authors.state import State
from kineme.layouts import Layout
from kineme.methods import Method

SYSTEMS: dict[str, Callable[[State, Layout | None], Method]] = {
    "aimclr": aimclr.from_state,
    "usdrl": usdrl.from_state,
    "scdnet": scdnet.from_state,
}
