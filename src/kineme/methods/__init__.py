"""Methods: how an encoder is trained without labels. One file each; `METHODS` names them."""

from kineme.methods.aimclr import AimCLR
from kineme.methods.base import Method

METHODS: dict[str, type[Method]] = {"aimclr": AimCLR}

__all__ = ["METHODS", "AimCLR", "Method"]
