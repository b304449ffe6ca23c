"""`kineme search`: the clips or moments of a store that are nearest to an example."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kineme.commands.outputs import check_no_input, hold
from kineme.commands.paths import check_models
from kineme.commands.reading import AS_FILES_SAY, ReadingOptions
from kineme.commands.said import written
from kineme.evaluation.options import Device

if TYPE_CHECKING:
    from kineme.inference.searching.hits import Hit


def search(
    run: Path,
    library: Path,
    *,
    like: str,
    k: int = 10,
    window: str | None = None,
    step: str | None = None,
    out: Path | None = None,
    page: Path | None = None,
    neighbours: Literal["auto", "exact", "approximate"] = "auto",
    batch_size: int = 256,
    device: Device = "auto",
    allow_preprocessing: bool = False,
    reading: ReadingOptions = AS_FILES_SAY,
) -> None:
    """Find motion like an example: the clips or moments of a store whose features are nearest to its own.

    Hits overlap neither each other nor the example. A library's index is built at the first search and kept
    next to it, in LIBRARY.index, or in the user's cache folder if that cannot be written.

      kineme search runs/mine stores/mine --like "walk[2s:4s]" --page walk.html

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        library: Clip store to search.
        like: The example: a clip of the library, by name, or a file of poses. Part of it is given in
            brackets, such as "walk[2s:4s]".
        k: Number of hits.
        window: Search moments of this length, such as 2s. Default: the length of the part in brackets, else
            whole clips.
        step: Time from the start of one moment to the start of the next, such as 0.5s; by default half a
            window.
        out: CSV table to write as well.
        page: HTML page to write as well, which plays the example and the hits side by side, in sync.
        neighbours: `exact` compares all moments. `approximate` uses faiss, which takes milliseconds and finds
            nearly all of the nearest. `auto` is approximate above a million moments, if faiss is installed.
        batch_size: Clips per pass of the encoder.
        device: Device to compute on; `auto` picks the GPU if there is one.
        allow_preprocessing: Accept a store whose preprocessing differs from the encoder's.
    """
    from kineme.clips.store import ClipStore
    from kineme.commands.times import part_of, seconds
    from kineme.drawing.player import check_page

    if page is not None:
        check_page(page)
    hold(*filter(None, (out, page)))
    check_models(run)
    store, length, every = ClipStore(library), seconds(window, "window"), seconds(step, "step")
    name, part = (like, None) if store.row(like) is not None else part_of(like, "like")
    from kineme.commands.bar import progress_bar
    from kineme.evaluation.task import chosen_device
    from kineme.inference.searching import retrieval
    from kineme.inference.searching.hits import write_hits
    from kineme.inference.searching.pages import write_page
    from kineme.inference.searching.queries import read_query
    from kineme.loading import load

    model = load(run)
    if out is not None:
        check_no_input(out, [Path(name)])
    query = read_query(model, store, name, part=part, **reading.stated())
    with progress_bar(f"index of {library.name}") as progress:
        hits = retrieval.search(
            model,
            store,
            query,
            k=k,
            window=length,
            step=every,
            neighbours=neighbours,
            allow_preprocessing=allow_preprocessing,
            batch_size=batch_size,
            device=chosen_device(device),
            progress=progress,
        )
    if out is not None:
        write_hits(hits, out)
    if page is not None:
        write_page(hits, page, query)
    _show(hits, like)
    written(*filter(None, (out, page)))


def _show(hits: list[Hit], like: str) -> None:
    """Prints a row for each hit, the most similar first."""
    from kineme.commands.listing import show_listing

    texts = ["name", *(each for each in ("label", "subject") if any(getattr(hit, each) for hit in hits))]
    rows = [
        [
            f"{hit.similarity:.3f}",
            f"{hit.start:.2f} s",
            f"{hit.end:.2f} s",
            *(getattr(hit, each) for each in texts),
        ]
        for hit in hits
    ]
    show_listing(f"similar to {like}", ["similarity", "start", "end", *texts], rows, texts=texts)
