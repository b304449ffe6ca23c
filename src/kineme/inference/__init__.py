"""What a trained model is for: tables of features, and motion found by example."""

from kineme.inference.embed import embed_table
from kineme.inference.hits import Hit
from kineme.inference.index import Index, open_index
from kineme.inference.pages import write_page
from kineme.inference.retrieval import search
from kineme.inference.tables import Block, write_table

__all__ = ["Block", "Hit", "Index", "embed_table", "open_index", "search", "write_page", "write_table"]
