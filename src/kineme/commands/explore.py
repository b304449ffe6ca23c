"""`kineme explore`: a library of motion on a local page."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineme.clips.folders import is_store
from kineme.commands.paths import check_models, check_stores
from kineme.commands.said import say
from kineme.errors import KinemeError
from kineme.evaluation.options import Device
from kineme.words import counted

if TYPE_CHECKING:
    from kineme.clips.store import ClipStore
    from kineme.explore.library import Library

USAGE = "kineme explore [OPTIONS] STORE RUN [OTHER]"


def explore(
    store: Path,
    run: Path,
    other: Path | None = None,
    *,
    labels: Path | None = None,
    window: str | None = None,
    port: int = 0,
    browser: bool = True,
    batch_size: int = 256,
    device: Device = "auto",
    allow_preprocessing: bool = False,
) -> None:
    """Open a page in the browser to view a library of motion, search it by example and label it.

    The page shows a map of all clips, with similar motion close together; searches by example; teaches a
    classifier from the labels you give, and shows how well it does; and plays long recordings over a
    timeline. With two runs it shows where they disagree.

      kineme explore stores/mine runs/mine

    Everything computed is kept in STORE.index. Labels are a table for `kineme teach`, saved at every
    keystroke. The page is served to this computer only, until Ctrl-C.

    Args:
        store: Clip store to explore. It may also come after the run, as in other commands.
        run: Run directory, model.safetensors or published checkpoint.
        other: A second run to compare with the first.
        labels: CSV table of labels; an existing one is continued. Default: STORE.labels.csv.
        window: Length of the windows that the points of the map stand for, such as 2s. Default: whole clips,
            or 2s if recordings are long.
        port: Port of the page. Default: any free one.
        browser: Open the page in the browser; its link is printed either way.
        batch_size: Clips per pass of the encoder.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
    """
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise KinemeError(
            f"the page needs {missing[0]}, which is not installed: pip install 'kineme[explore]'"
        )
    if is_store(run) and not is_store(store):  # RUN STORE, the order of most commands
        store, run = run, store
    check_stores(store)
    check_models(run, other)
    from kineme.commands.times import seconds

    length = seconds(window, "window")
    import webbrowser

    from kineme.clips.store import ClipStore
    from kineme.evaluation.task import chosen_device
    from kineme.explore.compare import Comparison
    from kineme.explore.labels import Labels
    from kineme.explore.learning import Learner
    from kineme.explore.serving import listening, serve
    from kineme.explore.told import Explored

    opened, place = ClipStore(store), chosen_device(device)
    listener = listening(port)
    runs = [each for each in (run, other) if each is not None]
    options = {"device": place, "allow_preprocessing": allow_preprocessing, "batch_size": batch_size}
    libraries = _libraries(runs, opened, window=length, **options)
    library = libraries[0]
    table = labels or opened.path.resolve().with_name(f"{opened.path.resolve().name}.labels.csv")
    kept = Labels(table, library.seconds)
    titles = {"store": store.name, "run": run.name, "other": "" if other is None else other.name}
    explored = Explored(
        library,
        kept,
        Learner(library, kept),
        Comparison(*libraries) if other is not None else None,
        {**titles, "labels": str(table)},
    )

    def started(link: str) -> None:
        say(f"labels are in {table}")
        say(f"{link}\nCtrl-C stops it")
        if browser:
            webbrowser.open(link)

    serve(explored, listener, started)
    say(f"\nstopped; {counted(len(kept.parts()), 'label')} kept in {table}")


def _libraries(runs: list[Path], store: ClipStore, **options: Any) -> list[Library]:
    """The motions of a store as each run reads them, beside those of the first."""
    from rich.console import Console

    from kineme.commands.bar import progress_bar
    from kineme.explore.library import open_library
    from kineme.loading import load

    console, models = Console(stderr=True, highlight=False), [load(run) for run in runs]
    libraries: list[Library] = []
    for run, model in zip(runs, models, strict=True):
        with progress_bar(f"features of {store.path.name} by {run.name}") as progress:
            options |= {"beside": libraries[0] if libraries else None, "progress": progress}
            found = open_library(model, store, say=lambda text: console.print(f"{text} …"), **options)
            libraries.append(found)
    return libraries
