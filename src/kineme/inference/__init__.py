"""What a trained model is for: tables of features, motion found by example, use without PyTorch."""

from kineme.inference.embed import embed_table
from kineme.inference.exporting import Exported, export
from kineme.inference.retrieval import Hit, search
from kineme.inference.tables import Block, write_table

__all__ = ["Block", "Exported", "Hit", "embed_table", "export", "search", "write_table"]
