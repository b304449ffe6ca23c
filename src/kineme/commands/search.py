"""`kineme search`: the clips or moments of a store that are nearest to an example."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kineme.commands.said import written
from kineme.evaluation.options import Device

if TYPE_CHECKING:
    from rich.table import Table

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
    joint_map: Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    axes: Literal["y-up", "y-down", "z-up"] | None = None,
    units: str | None = None,
    image: str | None = None,
) -> None:
    """Find motion like an example: the clips or moments of a store whose features are nearest to its own.

    Hits do not overlap each other, nor the example. The index of a library is made at the first search and
    kept beside it, in LIBRARY.index; where that cannot be written, in the cache folder of the user.

      kineme search runs/mine stores/mine --like "walk[2s:4s]" --page walk.html

    Args:
        run: Run directory, model.safetensors or published checkpoint.
        library: Clip store to search.
        like: The example: a clip of the library, by name, or a file of poses. A part of it is written in
            brackets, such as "walk[2s:4s]".
        k: How many to find.
        window: Search moments of so many seconds, such as 2s. Default: as long as the part, else whole clips.
        step: Seconds from the start of a moment to that of the next, such as 0.5s; by default half a window.
        out: CSV table to write as well.
        page: HTML page to write as well, on which the example and the hits play side by side in step.
        neighbours: `exact` compares all moments. `approximate` asks faiss, which takes milliseconds and finds
            nearly all of the nearest. `auto` is approximate beyond a million moments, if faiss is installed.
        batch_size: Clips per pass of the encoder.
        device: Where to compute; `auto` takes the GPU if there is one.
        allow_preprocessing: Accept a store of another preprocessing than the encoder's.
        joint_map: YAML file with the joints or markers of those joints that cannot be found by name
            (`head: helmet`, `neck: [C7, CLAV]`).
        layout: Of a file of poses: a built-in layout or a layout file. Default: what it says.
        fps: Of a file of poses: frames per second. Default: what it says, else 30.
        axes: Of a file of poses: which way y or z points, as of `kineme prepare poses`.
        units: Of a file of poses in three dimensions: the unit of the coordinates, as of `kineme prepare
            poses`.
        image: Of a file of poses in an image: its size, such as 1920x1080.
    """
    from rich.console import Console

    from kineme.clips.store import ClipStore
    from kineme.commands.bar import progress_bar
    from kineme.commands.times import part_of, seconds
    from kineme.evaluation.task import chosen_device
    from kineme.inference.searching import retrieval
    from kineme.inference.searching.hits import write_hits
    from kineme.inference.searching.pages import check_page, write_page
    from kineme.layouts.correspondence import read_joint_map
    from kineme.model import load

    if page is not None:
        check_page(page)
    store, model = ClipStore(library), load(run)
    poses: dict[str, Any] = {"layout": layout, "fps": fps, "axes": axes, "units": units, "image": image}
    joints = read_joint_map(joint_map) if joint_map else None
    store = model.fitted(store, joints)
    query, part = (like, None) if store.row(like) is not None else part_of(like, "like")
    with progress_bar(f"index of {library.name}") as progress:
        hits = retrieval.search(
            model,
            store,
            query,
            part=part,
            k=k,
            window=seconds(window, "window"),
            step=seconds(step, "step"),
            neighbours=neighbours,
            **poses,
            joint_map=joints,
            allow_preprocessing=allow_preprocessing,
            batch_size=batch_size,
            device=chosen_device(device),
            progress=progress,
        )
    if out is not None:
        write_hits(hits, out)
    if page is not None:
        write_page(hits, page, model, store, query, part=part, joint_map=joints, **poses)
    Console().print(_table(hits, like))
    written(*filter(None, (out, page)))


def _table(hits: list[Hit], like: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title=escape(f"like {like}"), title_justify="left", title_style="bold")
    for column in ("similarity", "start", "end"):
        table.add_column(column, justify="right")
    for column in ("name", "label", "subject"):
        table.add_column(column, overflow="fold")
    for hit in hits:
        texts = (escape(text) for text in (hit.name, hit.label, hit.subject))
        table.add_row(f"{hit.similarity:.3f}", f"{hit.start:.2f} s", f"{hit.end:.2f} s", *texts)
    return table
