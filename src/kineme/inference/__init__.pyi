from .classifying.classifier import Classifier, read_classifier
from .classifying.examination import Examination
from .classifying.examples import Example, read_examples
from .classifying.prediction import PredictedSegment, Prediction, predict, write_predictions
from .classifying.suggesting import Suggestion, suggest, write_suggestions
from .classifying.teaching import teach
from .clustering.changes import Changes
from .clustering.cluster import cluster
from .clustering.segments import Kind, Kinds, Segment
from .embed import embed_table
from .exporting.export import Exported, export
from .searching.hits import Hit
from .searching.index import Index, open_index
from .searching.pages import write_page
from .searching.queries import Query, read_query
from .searching.retrieval import search
from .tables import Block, write_table
from .watching.events import Event, Judge
from .watching.likeness import Likeness, like
from .watching.taught import Taught
from .watching.watcher import Watcher

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
