"""What to do with a trained model: search motion by example, cluster it, classify it, and watch it live.

The public names are in `__init__.pyi`; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
