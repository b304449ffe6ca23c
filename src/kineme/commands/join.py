"""`kineme join`: the stores in a folder → one store of many shards."""

from __future__ import annotations

from pathlib import Path

from kineme.words import counted


def join(folder: Path) -> None:
    """Merge all stores in a folder into one, in place: the stores become its shards.

    This lets several machines, or several days, each prepare a part. The stores themselves do not change; run
    the command again to add those that have arrived since.

      kineme prepare poses monday stores/week/monday
      kineme prepare poses tuesday stores/week/tuesday
      kineme join stores/week

    Args:
        folder: Folder of the stores, which must agree in layout, preprocessing, frame rate and classes.
    """
    from kineme.clips.joining import join_stores
    from kineme.commands.bar import progress_bar

    with progress_bar(f"joining {folder.name}") as progress:
        store = join_stores(folder, progress=progress)
    numbers = {"shard": len(store.shards), "clip": len(store), "frame": len(store.frames)}
    print(f"{folder}: {', '.join(counted(number, noun) for noun, number in numbers.items())}")
