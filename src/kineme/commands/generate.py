"""`kineme generate`: a clip store for those without a data set."""

from __future__ import annotations

from pathlib import Path


def generate(
    out: Path,
    *,
    subjects: int = 12,
    repetitions: int = 2,
    cameras: list[int] | None = None,
    actions: list[str] | None = None,
    untrimmed: bool = False,
    seconds: float = 60.0,
    preprocessing: str = "plain",
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Makes a clip store of generated motion: people wave, sit down, shake hands before three cameras.

    Args:
        out: directory of the new store.
        subjects: number of people.
        repetitions: performances of each action by each person; where untrimmed, recordings of each person.
        cameras: ids of the cameras that film, such as `[1, 3]`. Default: all three, 1 to 3.
        actions: names of the actions, such as `[wave, sit down]`. Default: all.
        untrimmed: long recordings with labelled intervals, for detection, in place of one clip an action.
        seconds: length of an untrimmed recording.
        preprocessing: what is done to the clips, such as `plain` or `plain(facing=True)`.
        seed: the same seed makes the same store.
        overwrite: replace a store that is there already.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from kineme.generate import generate_store

    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("generating", total=None)
        store = generate_store(
            out,
            subjects=subjects,
            repetitions=repetitions,
            cameras=(1, 2, 3) if cameras is None else cameras,
            actions=actions,
            untrimmed=untrimmed,
            seconds=seconds,
            preprocessing=preprocessing,
            seed=seed,
            overwrite=overwrite,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    counts = f"{len(store)} clips, {len(store.frames)} frames, {len(store.manifest.class_names)} classes"
    print(f"{out}: {counts}, preprocessing {store.manifest.preprocessing.id}")
