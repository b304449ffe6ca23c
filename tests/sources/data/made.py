"""Makes the files of this folder that are written by the formats' own libraries; README.md says with which.

python made.py OUT
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sleap_io as sio
import torch
from ultralytics.engine.results import Results

OUT = Path(sys.argv[1])
NODES = ["head", "thorax", "abdomen", "wing_left", "wing_right"]


def flies() -> sio.Labels:
    """Two flies in frames 4 to 7 of a video; the second is not there in frame 6."""
    skeleton = sio.Skeleton(
        NODES,
        edges=[("thorax", "head"), ("thorax", "abdomen"), ("thorax", "wing_left"), ("thorax", "wing_right")],
        symmetries=[("wing_left", "wing_right")],
        name="fly",
    )
    video = sio.Video(filename="flies.mp4", open_backend=False)
    tracks = [sio.Track("one"), sio.Track("two")]
    frames = []
    for t in range(4, 8):
        found = []
        for who in (0, 1):
            if (t, who) == (6, 1):
                continue
            points = np.array([[100 * who + 10 * at + t, 50.5 + at**2] for at in range(5)])
            points[4] = np.nan if t == 5 else points[4]
            found.append(
                sio.PredictedInstance.from_numpy(
                    points, skeleton=skeleton, point_scores=np.full(5, 0.75), score=0.5, track=tracks[who]
                )
            )
        frames.append(sio.LabeledFrame(video=video, frame_idx=t, instances=found))
    return sio.Labels(frames, videos=[video], tracks=tracks, skeletons=[skeleton])


def mouse() -> pd.DataFrame:
    """Four frames of a mouse, as DeepLabCut has them before it writes its `.h5`."""
    columns = pd.MultiIndex.from_product(
        [["DLC_resnet50_demo"], ["snout", "leftear", "tailbase"], ["x", "y", "likelihood"]],
        names=["scorer", "bodyparts", "coords"],
    )
    values = [[[10 * at + t, 20.25 + at, 0.9 if t != 2 else 0.1] for at in range(3)] for t in range(4)]
    return pd.DataFrame(np.array(values, dtype=float).reshape(4, -1), columns=columns)


labels = flies()
sio.save_slp(labels, OUT / "sleap_io.slp", embed=False)
sio.save_analysis_h5(labels, OUT / "sleap_io.h5")
mouse().to_hdf(OUT / "pandas_table.h5", key="df_with_missing", format="table", mode="w")
mouse().to_hdf(OUT / "pandas_fixed.h5", key="df_with_missing", mode="w")
sio.save_csv(labels, OUT / "sleap_io.csv", format="sleap")

stick = np.random.default_rng(0).uniform(-80, 80, (17, 2))
results = []
for t in range(2):
    people = [
        np.pad(stick + np.array([200 + 80 * k + 3 * t, 240]), ((0, 0), (0, 1)), constant_values=0.9)
        for k in (0, 1)
    ]
    boxes = torch.tensor([[100, 100, 200, 200, 3 + k, 0.9, 0] for k in (0, 1)])
    points = torch.tensor(np.stack(people), dtype=torch.float32)
    picture = np.zeros((480, 640, 3), np.uint8)
    results.append(Results(picture, "walk.mp4", {0: "person"}, boxes=boxes, keypoints=points))
    results[-1].save_txt(OUT / "yolo" / f"walk_{t + 1}.txt", save_conf=True)
(OUT / "ultralytics.json").write_text(json.dumps([each.summary() for each in results]))
