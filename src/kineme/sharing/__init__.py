"""Shares a run on the hub: what leaves this machine, and the card that says what it is.

Shared are the encoder, the settings, taught classifiers and results. Training clips stay here, and so do
names of people and clips, and paths of this machine.
"""

from kineme.sharing.pushing import Shared, push

__all__ = ["Shared", "push"]
