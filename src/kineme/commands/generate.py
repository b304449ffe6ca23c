"""`kineme generate`: a clip store for those without a data set."""

from __future__ import annotations

from pathlib import Path

from kineme.words import counted


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
    """Make a clip store of generated motion: people wave, sit down, shake hands in front of three cameras.

    Args:
        out: Directory of the new store.
        subjects: Number of people.
        repetitions: Performances of each action by each person; if untrimmed, recordings of each person.
        cameras: Ids of the cameras to use, such as 1 3. Default: all three, 1 to 3.
        actions: Names of the actions, such as wave "sit down". Default: all.
        untrimmed: Make long recordings with labelled intervals, for detection, instead of one clip per
            action.
        seconds: Length of an untrimmed recording.
        preprocessing: Preprocessing of the clips, such as `plain` or `plain(facing=True)`.
        seed: The same seed makes the same store.
        overwrite: Replace an existing store.
    """
    from kineme.commands.bar import progress_bar
    from kineme.generate import generate_store

    with progress_bar(f"generating {out.name}") as progress:
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
            progress=progress,
        )
    numbers = {"clip": len(store), "frame": len(store.frames), "class": len(store.manifest.class_names)}
    counts = ", ".join(counted(number, noun) for noun, number in numbers.items())
    print(f"{out}: {counts}, preprocessing {store.manifest.preprocessing.id}")
