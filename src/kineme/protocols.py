"""The protocols that evaluate an encoder, as functions.

    task = kineme.protocols.open_task("runs/joint")
    result, predictions = kineme.protocols.knn(task)
    result.scores["knn"].value       # per cent of the test clips

A task is a run, a store, and the training and test parts of a split. Each protocol returns a `Result`, which
the commands `kineme evaluate` and `kineme fuse` print and save.

>>> import kineme
>>> task = kineme.protocols.open_task(example_run)
>>> result, predictions = kineme.protocols.knn(task, baselines=False)
>>> result.protocol, result.test_clips, 0 <= result.scores["knn"].value <= 100
('knn', 12, True)
"""

from kineme.evaluation.comparison import Difference, compare
from kineme.evaluation.detection.protocol import detect
from kineme.evaluation.early import early
from kineme.evaluation.fewlabels import frozen
from kineme.evaluation.fewshot import fewshot
from kineme.evaluation.finetune import finetune, semi
from kineme.evaluation.fusion import fuse, open_stream
from kineme.evaluation.linear import logistic, sgd
from kineme.evaluation.options import TaskOptions
from kineme.evaluation.recognition import knn, linear, transfer
from kineme.evaluation.results import Predictions, Result, Score
from kineme.evaluation.robust import robust
from kineme.evaluation.task import Task, open_task

__all__ = [
    "Difference",
    "Predictions",
    "Result",
    "Score",
    "Task",
    "TaskOptions",
    "compare",
    "detect",
    "early",
    "fewshot",
    "finetune",
    "frozen",
    "fuse",
    "knn",
    "linear",
    "logistic",
    "open_stream",
    "open_task",
    "robust",
    "semi",
    "sgd",
    "transfer",
]
