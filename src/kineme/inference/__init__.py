"""What to do with a trained model: search motion by example, cluster it, classify it, and watch it live."""

from kineme.inference.classifying.classifier import Classifier, read_classifier
from kineme.inference.classifying.examination import Examination
from kineme.inference.classifying.examples import Example, read_examples
from kineme.inference.classifying.prediction import PredictedSegment, Prediction, predict, write_predictions
from kineme.inference.classifying.suggesting import Suggestion, suggest, write_suggestions
from kineme.inference.classifying.teaching import teach
from kineme.inference.clustering.changes import Changes
from kineme.inference.clustering.cluster import cluster
from kineme.inference.clustering.segments import Kind, Kinds, Segment
from kineme.inference.embed import embed_table
from kineme.inference.exporting.export import Exported, export
from kineme.inference.searching.hits import Hit
from kineme.inference.searching.index import Index, open_index
from kineme.inference.searching.pages import write_page
from kineme.inference.searching.queries import Query, read_query
from kineme.inference.searching.retrieval import search
from kineme.inference.tables import Block, write_table
from kineme.inference.watching.events import Event, Judge
from kineme.inference.watching.likeness import Likeness, like
from kineme.inference.watching.taught import Taught
from kineme.inference.watching.watcher import Watcher

__all__ = [
    "Block",
    "Changes",
    "Classifier",
    "Event",
    "Examination",
    "Example",
    "Exported",
    "Hit",
    "Index",
    "Judge",
    "Kind",
    "Kinds",
    "Likeness",
    "PredictedSegment",
    "Prediction",
    "Query",
    "Segment",
    "Suggestion",
    "Taught",
    "Watcher",
    "cluster",
    "embed_table",
    "export",
    "like",
    "open_index",
    "predict",
    "read_classifier",
    "read_examples",
    "read_query",
    "search",
    "suggest",
    "teach",
    "write_page",
    "write_predictions",
    "write_suggestions",
    "write_table",
]
