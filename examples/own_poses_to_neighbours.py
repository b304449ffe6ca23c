"""Find similar motion in your own recordings: arrays (T, V, 3) → features → nearest neighbours.

python examples/own_poses_to_neighbours.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import kineme
from kineme.generate import generate_clips
from kineme.metrics.neighbours import nearest

ACTIONS = ["wave", "clap", "drink", "sit down", "squat", "jump up", "kick", "bow"]
SHORT = {"train.epochs": 30, "train.batch_size": 32, "encoder.hidden": 64, "train.knn_every": 0}


def recordings(people: int, seed: int) -> tuple[list[np.ndarray], list[str]]:
    """A stand-in for your own files: poses (T, 25, 3) in metres with y up, and their actions."""
    clips = list(generate_clips(subjects=people, repetitions=1, cameras=[2], actions=ACTIONS, seed=seed))
    return [clip.xyz[:, 0] for clip in clips], [ACTIONS[clip.label] for clip in clips]


def main() -> None:
    """Pre-trains a small encoder without labels, then searches with people it has never seen."""
    with TemporaryDirectory() as folder:
        store = Path(folder, "store")
        kineme.generate_store(store, subjects=8, repetitions=1, cameras=[2], actions=ACTIONS)
        model = kineme.pretrain("usdrl-small", Path(folder, "run"), store=store, overrides=SHORT)
        # Later, load it from its run directory: kineme.load("runs/mine").

        library, shown = recordings(people=6, seed=1)
        queries, wanted = recordings(people=2, seed=2)
        index, asked = model.embed(library), model.embed(queries)  # (48, 128), (16, 128)
        rows, similarity = nearest(index, asked, k=3)

    for query, neighbours, cosines in zip(wanted, rows, similarity, strict=True):
        found = ", ".join(
            f"{shown[row]} {cosine:.2f}" for row, cosine in zip(neighbours, cosines, strict=True)
        )
        print(f"{query:9} → {found}")
    hits = np.mean([shown[row] == query for row, query in zip(rows[:, 0], wanted, strict=True)])
    print(f"nearest clip shows the same action: {100 * hits:.1f} % of {len(queries)} queries")


if __name__ == "__main__":
    main()
