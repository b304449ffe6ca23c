"""What a trained model is for: tables of features, motion found by example, streams that are watched."""

from kineme.inference.embed import embed_table
from kineme.inference.events import Event, Judge
from kineme.inference.likeness import Likeness, like
from kineme.inference.retrieval import Hit, search
from kineme.inference.tables import Block, write_table
from kineme.inference.watch import Watcher

__all__ = [
    "Block",
    "Event",
    "Hit",
    "Judge",
    "Likeness",
    "Watcher",
    "embed_table",
    "like",
    "search",
    "write_table",
]
