"""What a trained model is for: features; motion found by example, named, and watched as it is made."""

from kineme.inference.classifier import Classifier, read_classifier
from kineme.inference.embed import embed_table
from kineme.inference.events import Event, Judge
from kineme.inference.examination import Examination
from kineme.inference.examples import Example, read_examples
from kineme.inference.likeness import Likeness, like
from kineme.inference.prediction import Prediction, Segment, predict, write_predictions
from kineme.inference.retrieval import Hit, search
from kineme.inference.suggesting import Suggestion, suggest, write_suggestions
from kineme.inference.tables import Block, write_table
from kineme.inference.taught import Taught
from kineme.inference.teaching import teach
from kineme.inference.watch import Watcher

__all__ = [
    "Block",
    "Classifier",
    "Event",
    "Examination",
    "Example",
    "Hit",
    "Judge",
    "Likeness",
    "Prediction",
    "Segment",
    "Suggestion",
    "Taught",
    "Watcher",
    "embed_table",
    "like",
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
