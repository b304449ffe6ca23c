"""Kineme: self-supervised learning of human motion from skeletons."""

__version__ = "0.1.0"
