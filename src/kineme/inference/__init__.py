"""What a trained model is for: tables of features, motion found by example, kinds of motion."""

from kineme.inference.changes import Changes
from kineme.inference.cluster import cluster
from kineme.inference.embed import embed_table
from kineme.inference.hits import Hit
from kineme.inference.index import Index, open_index
from kineme.inference.pages import write_page
from kineme.inference.retrieval import search
from kineme.inference.segments import Kind, Kinds, Segment
from kineme.inference.tables import Block, write_table

__all__ = [
    "Block",
    "Changes",
    "Hit",
    "Index",
    "Kind",
    "Kinds",
    "Segment",
    "cluster",
    "embed_table",
    "open_index",
    "search",
    "write_page",
    "write_table",
]
