"""`kineme demo`: the whole pipeline in minutes: clips, pre-training, evaluation, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.outputs import hold_folder
from kineme.errors import KinemeError

if TYPE_CHECKING:
    from kineme.clips.store import ClipStore
    from kineme.evaluation.results import Result
    from kineme.evaluation.task import Task

SHOWN = 6  # clips drawn as strips
MARK = ".kineme-demo"  # in the folder of a demo, whose clips, run and figures the next one replaces


def demo(
    *,
    out: Path = Path("demo"),
    data: Path | None = None,
    split: str | None = None,
    recipe: str = "demo",
    epochs: int | None = None,
    seed: int = 0,
) -> None:
    """Generate motion, pre-train on it without labels, evaluate the encoder and draw figures.

    Prints one table and writes four figures (training loss, embedding, confusion matrix, skeletons) to the
    output folder. With --data it does the same with your own recordings; if they have no labels, it skips the
    evaluation and draws only the loss and the skeletons.

    Args:
        out: Folder for clips, run and figures; an earlier demo there is replaced.
        data: Clip store, or .npz container of recordings, to use instead of generated motion.
        split: Division into training and test parts. Default: a published split that the clips allow;
            otherwise every other person is for training and the rest for testing. Generated motion also keeps
            one camera for testing.
        recipe: Recipe to train with: a file, or the name of one that comes with Kineme.
        epochs: Passes over the training clips, instead of the recipe's number.
        seed: Seed of generation and training.
    """
    from rich.console import Console

    from kineme.clips.splits import split_rows, usual_split
    from kineme.commands import tables
    from kineme.commands.training_bar import ProgressLine
    from kineme.drawing import figures
    from kineme.evaluation.task import open_task
    from kineme.settings import load_config
    from kineme.training.history import HISTORY, read_history
    from kineme.training.run import train

    say = Console(stderr=True, highlight=False).print
    config = load_config(recipe, [f"--train.seed={seed}", *([f"--train.epochs={epochs}"] if epochs else [])])
    hold_folder(out, "this demo")
    _begin(out)
    say("[bold]1/4[/] clips")
    store = _clips(out, data, seed)
    split = split or usual_split(store)
    measured = split != "all" and bool((store.labels >= 0).any())
    part = "all clips" if split == "all" else f"the training part of {split}"
    say(f"[bold]2/4[/] pre-training on {part}, without labels")
    config.data.store, config.data.split = str(store.path), split
    clips = len(split_rows(store, split, "train"))
    # The user's recordings may be fewer than a batch of the recipe, and losses compare at least two clips.
    config.train.batch_size = max(2, min(config.train.batch_size, clips))
    if measured and config.evaluate.linear.lr is None:
        raise KinemeError(f"{recipe}: sets no evaluate.linear.lr, which the demo needs; set it there")
    run = out / "run"
    train(config, run, overwrite=True, callbacks=[ProgressLine()])
    folder, numbers = out / "figures", ""
    if measured:
        say("[bold]3/4[/] evaluation")
        task = open_task(run)
        results = _measure(task, seed)
    else:
        say("[bold]3/4[/] no evaluation: it needs labelled clips of several people")
    say("[bold]4/4[/] figures")
    figures.training_curves(read_history(run / HISTORY), folder / "training.png")
    _draw_skeletons(store, folder / "skeletons.png")
    if measured:
        _draw_results(task, results[-1], folder)
        Console().print(tables.recognition(*results))
        numbers = f"numbers in {run / 'results'}, "
    say(f"figures in {folder}, {numbers}history in {run / HISTORY}", soft_wrap=True)


def _measure(task: Task, seed: int) -> list[Result]:
    """Nearest neighbours and the linear probe, saved in the run."""
    from kineme.evaluation import recognition
    from kineme.evaluation.results import save

    results = []
    for protocol in (recognition.knn, recognition.linear):
        result, predictions = protocol(task, seed=seed)
        save(result, task.result_path(result.protocol), beside={".npz": predictions})
        results.append(result)
    return results


def _draw_results(task: Task, linear: Result, folder: Path) -> None:
    """The embedding of the test clips, and which classes the linear probe confuses."""
    import numpy as np

    from kineme.drawing import figures

    names, features = task.store.manifest.class_names, task.features(task.model, task.test_rows)
    figures.embedding(features, task.test_labels, names, folder / "embedding.png")
    figures.confusion(np.array(linear.confusion_matrix), names, folder / "confusion.png")


def _begin(out: Path) -> None:
    """Marks the folder of a demo, which must be new, empty or an earlier demo's."""
    from kineme.files import atomic_write, foreign

    if (out / MARK).is_file():
        return
    if out.exists() and (not out.is_dir() or foreign(out, []) is not None):
        raise KinemeError(f"{out}: exists and does not hold a demo; choose another folder")
    with atomic_write(out / MARK) as aside:
        aside.write_text("`kineme demo` replaces clips, run and figures in this folder.\n", encoding="utf-8")


def _clips(out: Path, data: Path | None, seed: int) -> ClipStore:
    """The user's store, or one made from a container or of generated motion."""
    from kineme.clips.store import ClipStore
    from kineme.generate import generate_store
    from kineme.preparing import prepare

    if data is None:
        return generate_store(out / "clips", seed=seed, overwrite=True)
    if data.is_dir():
        return ClipStore(data)
    return prepare("container", data, out / "clips", overwrite=True).store


def _draw_skeletons(store: ClipStore, path: Path) -> None:
    """Strips of skeletons: one clip per class, or any clips if they have no labels."""
    import numpy as np

    from kineme.drawing.skeletons import Scene, skeleton_strip

    names = store.manifest.class_names
    classes, first = np.unique(store.labels, return_index=True)
    rows = first[classes >= 0] if (classes >= 0).any() else np.arange(len(store))
    rows = rows[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).round().astype(int)]
    scenes = []
    for row in rows:
        name, label = str(store.names[row]), store.labels[row]
        scenes.append(Scene(store.clip(row), f"{names[label]} ({name})" if label >= 0 else name))
    skeleton_strip(scenes, store.layout, path, up=store.manifest.preprocessing.up)
