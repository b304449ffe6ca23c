"""Kineme: self-supervised learning of human motion from skeletons.

    import kineme

    kineme.prepare("poses", "recordings", "stores/mine")
    model = kineme.pretrain("usdrl-small", "runs/mine", store="stores/mine")
    features = model.embed("recordings/walk.csv")

The public names are in `__init__.pyi`; each is imported when it is first used.
"""

import lazy_loader

__version__ = "0.2.0.dev0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
