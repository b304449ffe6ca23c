"""Watch poses as they are made: a model pre-trained without labels, one example, a stream → events.

python examples/watch_poses.py
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import kineme

ACTIONS = ["wave", "clap", "drink", "sit down", "squat", "jump up", "kick", "bow"]
SHORT = {"train.epochs": 30, "train.batch_size": 32, "encoder.hidden": 64, "train.knn_every": 0}


def main() -> None:
    """Pipes recordings of people it has never seen into `kineme watch`, and asks for bows."""
    with TemporaryDirectory() as folder:
        store = kineme.generate_store(
            Path(folder, "store"), subjects=8, repetitions=1, cameras=[2], actions=ACTIONS
        )
        run = Path(folder, "run")
        kineme.pretrain("usdrl-small", run, store=store.path, overrides=SHORT)

        new = kineme.generate_store(
            Path(folder, "new"),
            subjects=2,
            repetitions=2,
            cameras=[2],
            actions=ACTIONS,
            untrimmed=True,
            seed=1,
        )
        stream, truth = [json.dumps({"layout": "ntu25", "fps": 30})], []
        for row in range(len(new)):  # one after the other, as a camera would send them
            begin = len(stream) - 1
            stream += [json.dumps({"joints": pose.tolist()}) for pose in new.clip(row)[:, 0]]
            told = new.intervals[new.intervals["clip"] == row]
            truth += [
                (ACTIONS[each["label"]], (begin + each["start"]) / 30, (begin + each["end"]) / 30)
                for each in told
            ]

        bow = store.names[store.labels == ACTIONS.index("bow")][0]
        words = ["watch", str(run), "--like", f"{bow}[0.5s:2.5s]", "--library", str(store.path)]
        done = subprocess.run(
            [sys.executable, "-m", "kineme", *words], input="\n".join(stream), capture_output=True, text=True
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    print(done.stderr.strip().splitlines()[-1])  # what has been done, and the delay
    events = [json.loads(line) for line in done.stdout.splitlines()]
    hits = 0
    for event in events:
        if event["event"] == "end":
            start, end = event["start"], event["end"]
            shown = [label for label, first, last in truth if first < end and start < last]
            hits += "bow" in shown
            print(f"{start:6.1f} s to {end:6.1f} s, similarity {event['similarity']:.3f}: {', '.join(shown)}")
    found = sum(event["event"] == "end" for event in events)
    print(f"it was a bow: {100 * hits / max(found, 1):.1f} % of {found} events")


if __name__ == "__main__":
    main()
