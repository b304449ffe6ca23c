"""Methods: how an encoder is trained without labels. One file each; `METHODS` names them."""

from kineme.methods.aimclr import AimCLR
from kineme.methods.base import Method
from kineme.methods.scdnet import SCDNet
from kineme.methods.usdrl import USDRL

METHODS: dict[str, type[Method]] = {"aimclr": AimCLR, "usdrl": USDRL, "scdnet": SCDNet}

__all__ = ["METHODS", "USDRL", "AimCLR", "Method", "SCDNet"]
