"""What a trained model is for: tables of features, motion found and named by example, use without PyTorch."""

from kineme.inference.classifier import Classifier, read_classifier
from kineme.inference.embed import embed_table
from kineme.inference.examination import Examination
from kineme.inference.examples import Example, read_examples
from kineme.inference.exporting import Exported, export
from kineme.inference.prediction import Prediction, Segment, predict, write_predictions
from kineme.inference.retrieval import Hit, search
from kineme.inference.suggesting import Suggestion, suggest, write_suggestions
from kineme.inference.tables import Block, write_table
from kineme.inference.teaching import teach

__all__ = [
    "Block",
    "Classifier",
    "Examination",
    "Example",
    "Exported",
    "Hit",
    "Prediction",
    "Segment",
    "Suggestion",
    "embed_table",
    "export",
    "predict",
    "read_classifier",
    "read_examples",
    "search",
    "suggest",
    "teach",
    "write_predictions",
    "write_suggestions",
    "write_table",
]
