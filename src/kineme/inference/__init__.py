"""What a trained model is for: motion found by example, in kinds, named, and watched as it is made."""

from kineme.inference.changes import Changes
from kineme.inference.classifier import Classifier, read_classifier
from kineme.inference.cluster import cluster
from kineme.inference.embed import embed_table
from kineme.inference.events import Event, Judge
from kineme.inference.examination import Examination
from kineme.inference.examples import Example, read_examples
from kineme.inference.hits import Hit
from kineme.inference.index import Index, open_index
from kineme.inference.likeness import Likeness, like
from kineme.inference.pages import write_page
from kineme.inference.prediction import PredictedSegment, Prediction, predict, write_predictions
from kineme.inference.retrieval import search
from kineme.inference.segments import Kind, Kinds, Segment
from kineme.inference.suggesting import Suggestion, suggest, write_suggestions
from kineme.inference.tables import Block, write_table
from kineme.inference.taught import Taught
from kineme.inference.teaching import teach
from kineme.inference.watch import Watcher

__all__ = [
    "Block",
    "Changes",
    "Classifier",
    "Event",
    "Examination",
    "Example",
    "Hit",
    "Index",
    "Judge",
    "Kind",
    "Kinds",
    "Likeness",
    "PredictedSegment",
    "Prediction",
    "Segment",
    "Suggestion",
    "Taught",
    "Watcher",
    "cluster",
    "embed_table",
    "like",
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
