"""What a trained model is for: tables of features, and motion found by example."""

from kineme.inference.embed import embed_table
from kineme.inference.retrieval import Hit, search
from kineme.inference.tables import Block, write_table

__all__ = ["Block", "Hit", "embed_table", "search", "write_table"]
