"""The films of `films.py` for every test here."""

from sources.video.films import cinema

__all__ = ["cinema"]
