"""Every command that writes, on clips and models that are as small as can be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from hub import Hub
from reliability.crashes import Case, run
from reliability.visiting import lost, visit

GOLDEN = Path(__file__).parents[1] / "golden"
SETTINGS = {"frames": 8, "store": "stores/moves", "split": "odd-even"}
TRAIN = {"epochs": 2, "batch_size": 4, "lr": 0.01, "device": "cpu", "knn_every": 1}
PROBES = {
    "linear": {"lr": 1.0, "epochs": 2, "milestones": []},
    "finetune": {"lr": 0.01, "epochs": 1, "batch_size": 4},
}
TOKENS = {"name": "sttr", "hidden": 8, "depth": 1}
SYSTEMS = {
    "tandem": ({}, {"name": "canonical", "hidden": 8, "depth": 1}),
    "aimclr": ({"queue": 8, "projection": 4}, {"name": "stgcn", "channels": [4, 8], "strided": [1]}),
    "usdrl": ({}, TOKENS),
    "mpct": ({}, TOKENS),
    "scdnet": ({"queue": 8}, {"name": "disentangled", "hidden": 8, "heads": 1, "stem": [8, 8, 8]}),
    "mamp": (
        {"decoder_hidden": 8, "decoder_depth": 1, "mask_ratio": 0.5},
        {"name": "mamp", "hidden": 8, "depth": 1, "heads": 1},
    ),
    "slim": (
        {"prototypes": 8, "head_hidden": 8, "head_out": 4, "local_crops": [[8, 0.2, 0.5]]},
        {"name": "slim", "hidden": 8, "depth": 1, "heads": 1},
    ),
}
GRID = """\
baselines: false
stores: {moves: kineme generate stores/moves}
runs:
  - {recipes: usdrl.yaml, stores: moves, protocols: [linear, knn]}
"""
DAYS = "monday", "tuesday"
POSES = tuple("--layout coco17 --axes y-up --workers 1".split())
QUICK = ("--no-baselines", "--device", "cpu")


def settings(method: str, **data: object) -> str:
    """A recipe."""
    own, encoder = SYSTEMS[method]
    stream = {"stream": "joint+bone+motion"} if method == "mpct" else {}
    return yaml.safe_dump(
        {
            "data": {**SETTINGS, **stream, **data},
            "train": TRAIN,
            "method": {"name": method, **own},
            "encoder": encoder,
            "evaluate": PROBES,
        }
    )


def lay_out(base: Path) -> None:
    """What the commands begin with: clips, recipes, two runs, labels, a published checkpoint."""
    (base / "stores").mkdir(parents=True)
    for name in SYSTEMS:
        (base / f"{name}.yaml").write_text(settings(name))
    (base / "long.yaml").write_text(settings("usdrl", store="stores/long", window=16))
    (base / "grid.yaml").write_text(GRID)
    (base / "labels.csv").write_text(
        "name,label\n" + "".join(f"clip{i:02},{('rise', 'swing', 'push')[i % 3]}\n" for i in range(12))
    )
    _in_fork(_stores, base)
    for words in (
        ("pretrain", "usdrl.yaml", "--out", "runs/one"),
        ("pretrain", "usdrl.yaml", "--out", "runs/bone", "--data.stream", "bone"),
        ("pretrain", "long.yaml", "--out", "runs/long"),
        ("evaluate", "linear", "runs/one", *QUICK),
        ("evaluate", "linear", "runs/bone", *QUICK),
        ("teach", "runs/one", "labels.csv", "--device", "cpu"),
        *(("prepare", "poses", f"poses/{day}", f"stores/week/{day}", *POSES) for day in DAYS),
    ):
        ended = run(words, base)
        assert ended.status == 0, (words, ended.errors)
    shutil.rmtree(base / "runs/one/features")


def _stores(base: Path) -> None:
    import torch
    from evaluation.detection.recordings import write_recordings
    from golden_fill import load_filled

    from conftest import write_store

    write_store(base / "stores/moves")
    write_recordings(base / "stores/long", frames=40)
    _poses(base / "poses")
    torch.save({"epoch": 300, "state_dict": load_filled("usdrl_sttr.keys.json")}, base / "published.pt")


def _poses(folder: Path) -> None:
    """Files of poses, for shards."""
    for day in DAYS:
        (folder / day).mkdir(parents=True)
        for number in range(3):
            xyz = np.random.default_rng(number).random((10, 17, 3))
            np.save(folder / day / f"{day}{number}.npy", xyz)


def _in_fork(do: Callable[[Path], None], folder: Path) -> None:
    """So that this process starts no threads."""
    child = os.fork()
    if child == 0:
        do(folder)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def cases(hub: Hub) -> list[Case]:
    """Them all."""

    def empty_hub() -> None:
        hub.repositories.clear()
        hub.stored.clear()

    def on_hub() -> dict[str, bytes]:
        return {
            f"{name}/{path}": data
            for name, repository in hub.repositories.items()
            for path, data in repository.files.items()
        }

    def pretraining(name: str, *words: str, also: tuple[str, ...] = ()) -> Case:
        command = ("pretrain", *words)
        again = (("pretrain", "--resume", "runs/new"), command, (*command, "--overwrite"))
        return Case(name, (*command, *also), again)

    def replaced(name: str, *words: str) -> Case:
        """Of a command that keeps what is there unless it is told to overwrite."""
        return Case(name, words, (words, (*words, "--overwrite")))

    evaluations = {
        "linear": ("runs/one", *QUICK),
        "knn": ("runs/one", *QUICK),
        "robust": ("runs/one", *QUICK),
        "early": ("runs/one", *QUICK),
        "fewshot": ("runs/one", "--device", "cpu"),
        "transfer": ("runs/one", "--store", "stores/moves", *QUICK),
        "finetune": ("runs/one", "--device", "cpu"),
        "semi": ("runs/one", "--fractions", "0.5", "--seeds", "1", "--device", "cpu"),
        "detect": ("runs/long", "--window", "8", *QUICK),
    }
    table = ("embed", "runs/one", "stores/moves", "--batch-size", "8", "--device", "cpu", "--out")
    teach = ("teach", "runs/one", "labels.csv", "--device", "cpu")
    return [
        replaced("prepare", "prepare", "ntu120", str(GOLDEN / "ntu_raw"), "stores/new", "--workers", "1"),
        Case(
            "prepare --overwrite",
            ("prepare", "ntu120", str(GOLDEN / "ntu_raw"), "stores/moves", "--workers", "1", "--overwrite"),
        ),
        replaced("prepare --shard", "prepare", "poses", "poses", "stores/new", *POSES, "--shard", "2"),
        Case("join", ("join", "stores/week")),
        replaced(
            "generate", *"generate stores/new --subjects 1 --repetitions 1 --cameras 2 --actions wave".split()
        ),
        *(pretraining(f"pretrain {name}", f"{name}.yaml", "--out", "runs/new") for name in SYSTEMS),
        Case("pretrain --overwrite", ("pretrain", "aimclr.yaml", "--out", "runs/bone", "--overwrite")),
        *(Case(f"evaluate {name}", ("evaluate", name, *words)) for name, words in evaluations.items()),
        Case("fuse", tuple("fuse runs/one runs/bone --device cpu".split())),
        *(Case(f"embed, {suffix}", (*table, f"table.{suffix}")) for suffix in ("npz", "csv", "parquet")),
        Case(
            "cluster",
            tuple("cluster runs/one stores/moves --out kinds.csv --page kinds.html --device cpu".split()),
        ),
        Case("teach", (*teach, "--suggest", "4"), ((*teach, "--suggest", "4"), teach)),
        Case("predict", tuple("predict runs/one stores/moves --out told.csv --device cpu".split())),
        Case(
            "search",
            tuple(
                "search runs/one stores/moves --like clip03 --neighbours approximate --out hits.csv "
                "--page hits.html --device cpu".split()
            ),
        ),
        replaced("export", *"export runs/one --out exported --classifier labels".split()),
        replaced("convert", *"convert usdrl published.pt runs/new --layout ntu25".split()),
        Case("reproduce", tuple("reproduce grid.yaml --out grid".split())),
        Case("demo", tuple("demo --data stores/moves --split odd-even --recipe usdrl.yaml".split())),
        Case("report", tuple("report runs/one --device cpu".split())),
        Case("show", tuple("show stores/moves clip03 --out clip.html".split())),
        Case("layouts --draw", tuple("layouts coco17 --draw joints.png".split())),
        Case("info --figure", tuple("info stores/moves --figure store.png".split())),
        Case(
            "explore",
            tuple("explore stores/moves runs/one --no-browser --device cpu".split()),
            visit=visit,
            lost=lost,
        ),
        Case(
            "push",
            tuple("push runs/one user/name --licence cc0-1.0".split()),
            prepare=empty_hub,
            outside=on_hub,
        ),
    ]
