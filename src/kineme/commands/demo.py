"""`kineme demo`: everything once, in minutes: clips, pre-training, evaluation, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kineme.errors import KinemeError

if TYPE_CHECKING:
    from kineme.clips.store import ClipStore
    from kineme.evaluation.recognition import Task
    from kineme.evaluation.results import Result

GENERATED_SPLIT = "odd-even+cameras:2,3"  # test: people and a camera that training has not seen
OWN_SPLIT = "odd-even"
SHOWN = 6  # clips drawn as strips of skeletons


def demo(
    *,
    out: Path = Path("demo"),
    data: Path | None = None,
    split: str | None = None,
    recipe: str = "demo",
    epochs: int | None = None,
    seed: int = 0,
) -> None:
    """Generate motion, pre-train on it without labels, measure what was learned, and draw it.

    Ends in one table and four figures (loss, embedding, confusion, skeletons) in the output folder. With
    `--data` the same is done on your own recordings.

    Args:
        out: Folder for the clips, the run and the figures; an earlier demo there is replaced.
        data: Clip store, or .npz container of recordings, instead of generated motion.
        split: How clips are divided into training and test part; by default unseen people (odd and even
            subjects), and for generated motion an unseen camera as well.
        recipe: Recipe to train by: a file, or the name of one that comes with Kineme.
        epochs: Passes over the training clips, instead of the recipe's.
        seed: Of generation and training.
    """
    from rich.console import Console

    from kineme.commands.pretrain import find_recipe
    from kineme.config import load_config
    from kineme.evaluation import recognition
    from kineme.evaluation.results import save, table
    from kineme.training.run import pretrain

    say = Console(stderr=True, highlight=False).print
    say("[bold]1/4[/] clips")
    store = _clips(out, data, seed)
    split = split or (GENERATED_SPLIT if store.manifest.source == "generated" else OWN_SPLIT)
    say(f"[bold]2/4[/] pre-training on the training part of {split}, without labels")
    overrides = [f"--data.store={store.path}", f"--data.split={split}", f"--train.seed={seed}"]
    config = load_config(find_recipe(recipe), [*overrides, *([f"--train.epochs={epochs}"] if epochs else [])])
    run = out / "run"
    pretrain(config, run, overwrite=True)
    say("[bold]3/4[/] evaluation")
    task = recognition.open_task(run)
    results = [recognition.knn(task, seed=seed), recognition.linear(task, seed=seed)]
    for result in results:
        save(result, run)
    say("[bold]4/4[/] figures")
    _draw(task, results[-1], out / "figures")
    Console().print(table(*results))
    say(f"figures in {out / 'figures'}, numbers in {run / 'results'}, history in {run / 'history.csv'}")


def _clips(out: Path, data: Path | None, seed: int) -> ClipStore:
    """The user's store; or a container, or generated motion, made into one."""
    from kineme.clips.generate import generate_store
    from kineme.clips.store import ClipStore
    from kineme.commands.prepare import prepare

    if out.exists() and any(out.iterdir()) and not ((out / "clips").is_dir() or (out / "run").is_dir()):
        raise KinemeError(f"{out}: exists and is no demo's folder; choose another")
    if data is None:
        return generate_store(out / "clips", seed=seed, overwrite=True)
    if data.is_dir():
        return ClipStore(data)
    prepare("container", data, out / "clips", recipe="plain(facing=True)", overwrite=True)
    return ClipStore(out / "clips")


def _draw(task: Task, result: Result, folder: Path) -> None:
    """Loss, embedding of the test clips, confusion matrix, and some clips as strips of skeletons."""
    import numpy as np

    from kineme.evaluation import figures
    from kineme.evaluation.features import extract

    names = task.store.manifest.class_names
    figures.training_curves(task.run / "history.csv", folder / "training.png")
    features = extract(task.pretrained, task.store, task.test, cache=task.run / "features")
    figures.embedding(features, task.test_labels, names, folder / "embedding.png")
    figures.confusion(np.array(result.confusion_matrix), names, folder / "confusion.png")
    classes = np.unique(task.test_labels)
    picked = classes[np.linspace(0, len(classes) - 1, min(SHOWN, len(classes))).round().astype(int)]
    rows = [task.test[np.flatnonzero(task.test_labels == label)[0]] for label in picked]
    figures.skeleton_strip(
        [task.store.clip(row) for row in rows],
        task.store.layout,
        [f"{names[task.store.labels[row]]} ({task.store.names[row]})" for row in rows],
        folder / "skeletons.png",
    )
