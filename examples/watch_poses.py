"""Watch poses as they are produced: pre-train without labels, teach a classifier, pipe a stream in → events.

python examples/watch_poses.py
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import kineme
from kineme.generate import generate_clips
from kineme.inference import Example, teach

ACTIONS = ["wave", "clap", "drink", "sit down", "squat", "jump up", "kick", "bow"]
SHORT = {"train.epochs": 30, "train.batch_size": 32, "encoder.hidden": 64, "train.knn_every": 0}


def stream() -> tuple[list[str], list[tuple[str, float, float]]]:
    """A stand-in for a camera: JSON lines of people the model has never seen, and their actions."""
    clips = list(generate_clips(subjects=2, repetitions=1, cameras=[2], actions=ACTIONS, seed=2))
    lines, shown = [json.dumps({"layout": "ntu25", "fps": 30})], []
    for row in np.random.default_rng(0).permutation(len(clips)):
        begin = len(lines) - 1
        lines += [json.dumps({"joints": pose.tolist()}) for pose in clips[row].xyz[:, 0]]
        shown.append((ACTIONS[clips[row].label], begin / 30, (len(lines) - 1) / 30))
    return lines, shown


def main() -> None:
    """Pipes a stream into `kineme watch`, and compares its events with what was shown."""
    with TemporaryDirectory() as folder:
        store = kineme.generate_store(
            Path(folder, "store"), subjects=8, repetitions=1, cameras=[2], actions=ACTIONS
        )
        run = Path(folder, "run")
        model = kineme.pretrain("usdrl-small", run, store=store.path, overrides=SHORT)
        labels = [ACTIONS[label] for label in store.labels]
        examples = [Example(name, label) for name, label in zip(store.names.tolist(), labels, strict=True)]
        teach(model, examples, store=store).save(run / "classifiers" / "actions.safetensors")

        lines, shown = stream()
        command = [sys.executable, "-m", "kineme", "watch", str(run), "--window", "3s"]
        done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [event for event in events if event["event"] == "end"]
    for event in ends:
        start, end = event["start"], event["end"]
        print(f"{start:5.1f} s to {end:5.1f} s: {event['label']:9} {event['probability']:.2f}")
    found = [
        any(event["label"] == label and event["start"] < last and first < event["end"] for event in ends)
        for label, first, last in shown
    ]
    print(done.stderr.strip().splitlines()[-1])  # counts, and the delay
    print(f"found: {100 * np.mean(found):.1f} % of {len(found)} actions, in {len(ends)} events")


if __name__ == "__main__":
    main()
