"""`kineme explore`: a library of motion on a local page."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kineme.commands.said import say
from kineme.errors import KinemeError
from kineme.evaluation.options import Device

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
    """Open a page in the browser on which a library of motion is seen, searched by example and labelled.

    The page shows a map of all clips, on which motion that is alike lies together; finds what is like an
    example; teaches a classifier from the labels that are given there, and shows how well it does; and plays
    long recordings over a timeline. With two runs it shows where they disagree.

      kineme explore stores/mine runs/mine

    What is computed is kept in STORE.index. Labels are a table for `kineme teach`, written at every key. The
    page is served to this computer alone, until Ctrl-C.

    Args:
        store: Clip store to explore.
        run: Run directory, model.safetensors or published checkpoint.
        other: A second run to compare with the first.
        labels: CSV table of labels; an existing one is continued. Default: STORE.labels.csv.
        window: Length of the windows that are the points of the map, such as 2s. Default: whole clips; 2s
            where recordings are long.
        port: Of the page. Default: any that is free.
        browser: Open the page in the browser; its link is printed either way.
        batch_size: Clips per pass of the encoder.
        device: Where to compute; `auto` takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
    """
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise KinemeError(
            f"the page needs {missing[0]}, which is not installed: pip install 'kineme[explore]'"
        )
    import webbrowser

    from rich.console import Console

    from kineme.clips.published import counted
    from kineme.clips.store import ClipStore
    from kineme.commands.bar import progress_bar
    from kineme.commands.times import seconds
    from kineme.evaluation.task import chosen_device
    from kineme.explore.compare import Comparison
    from kineme.explore.labels import Labels
    from kineme.explore.learning import Learner
    from kineme.explore.library import Library, open_library
    from kineme.explore.serving import listening, serve
    from kineme.explore.told import Explored
    from kineme.loading import load

    opened, place = ClipStore(store), chosen_device(device)
    listener = listening(port)
    models = [load(each) for each in (run, other) if each is not None]
    console = Console(stderr=True, highlight=False)
    libraries: list[Library] = []
    for path, model in zip((run, other), models, strict=False):
        assert path is not None
        with progress_bar(f"features of {store.name} by {path.name}") as progress:
            libraries.append(
                open_library(
                    model,
                    opened,
                    window=seconds(window, "window"),
                    beside=libraries[0] if libraries else None,
                    device=place,
                    allow_preprocessing=allow_preprocessing,
                    batch_size=batch_size,
                    progress=progress,
                    say=lambda text: console.print(f"{text} …"),
                )
            )
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
