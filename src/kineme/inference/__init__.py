"""What a trained model is for: motion found by example, kinds of motion, motion named by classifiers."""

from kineme.inference.changes import Changes
from kineme.inference.classifier import Classifier, read_classifier
from kineme.inference.cluster import cluster
from kineme.inference.embed import embed_table
from kineme.inference.examination import Examination
from kineme.inference.examples import Example, read_examples
from kineme.inference.hits import Hit
from kineme.inference.index import Index, open_index
from kineme.inference.pages import write_page
from kineme.inference.prediction import PredictedSegment, Prediction, predict, write_predictions
from kineme.inference.retrieval import search
from kineme.inference.segments import Kind, Kinds, Segment
from kineme.inference.suggesting import Suggestion, suggest, write_suggestions
from kineme.inference.tables import Block, write_table
from kineme.inference.teaching import teach

__all__ = [
    "Block",
    "Changes",
    "Classifier",
    "Examination",
    "Example",
    "Hit",
    "Index",
    "Kind",
    "Kinds",
    "PredictedSegment",
    "Prediction",
    "Segment",
    "Suggestion",
    "cluster",
    "embed_table",
    "open_index",
    "predict",
    "read_classifier",
    "read_examples",
    "search",
    "suggest",
    "teach",
    "write_page",
    "write_predictions",
    "write_suggestions",
    "write_table",
]
