"""Methods: ways to train an encoder without labels, one file each; `METHODS` finds them by name."""

from kineme.methods.aimclr import AimCLR
from kineme.methods.base import Method
from kineme.methods.mamp import MAMP
from kineme.methods.mpct import MPCT
from kineme.methods.scdnet import SCDNet
from kineme.methods.slim import SLiM
from kineme.methods.tandem import Tandem
from kineme.methods.usdrl import USDRL
from kineme.registry import Registry

METHODS: Registry[type[Method]] = Registry(
    "method",
    {
        "aimclr": "kineme.methods.aimclr.AimCLR",
        "usdrl": "kineme.methods.usdrl.USDRL",
        "mpct": "kineme.methods.mpct.MPCT",
        "scdnet": "kineme.methods.scdnet.SCDNet",
        "mamp": "kineme.methods.mamp.MAMP",
        "slim": "kineme.methods.slim.SLiM",
        "tandem": "kineme.methods.tandem.Tandem",
    },
    base=Method,
)

__all__ = ["MAMP", "METHODS", "MPCT", "USDRL", "AimCLR", "Method", "SCDNet", "SLiM", "Tandem"]
