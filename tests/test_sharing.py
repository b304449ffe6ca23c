"""Runs are shared on a hub (a server of the test's own), and loaded from there."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hub import Hub, Repository, serving

import kineme
from kineme.__main__ import main
from kineme.checkpoints import save_encoder
from kineme.errors import KinemeError
from kineme.evaluation.results import Result, Score
from kineme.hub import fetch, parse_address
from kineme.inference.classifying.classifier import Classifier, read_classifier
from kineme.inference.classifying.examination import Examination
from kineme.inference.classifying.head import fit
from kineme.inference.classifying.paths import find_classifier
from kineme.loading import load_run
from kineme.pretraining import pretrain
from kineme.sharing import push
from kineme.sharing.card import as_text
from kineme.sharing.private import without_paths

constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on loopback, and a cache and a login of its own."""
    with serving() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)  # version 0.30 has none
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "writer")
        yield served


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a store of two people, with a result, a classifier, and what must not be shared."""
    folder = tmp_path_factory.mktemp("secret-place")
    store = folder / "clinic-of-anna"
    kineme.generate_store(store, subjects=2, repetitions=1, cameras=[2, 3], actions=["wave", "bow"])
    run = folder / "run"
    short = {"train.epochs": 1, "train.batch_size": 4, "encoder.hidden": 16, "data.frames": 16}
    pretrain("usdrl-small", run, store=store, overrides={**short, "data.split": "subjects:1+cameras:2,3"})
    model = load_run(run)
    features = model.embed(store, device="cpu")
    labels = np.arange(len(features)) % 2
    Classifier(
        class_names=("wave | hello", "<b>bow</b>"),
        counts=(4, 4),
        head=fit(features[:, None], labels, 2),
        distances=np.linspace(0, 1, 8),
        seconds=2.0,
        weights=model.weights,
        preprocessing="plain",
        examination=Examination(75.0, (60.0, 90.0), 8, "people", 2, (75.0, 75.0), (), (), (0.0, 0.0), 1.0),
    ).save(run / "classifiers" / "moves (2).safetensors")
    result = Result(
        protocol="linear", method="usdrl", encoder="sttr", stream="joint", weights=model.weights,
        pretrained_epochs=1, preprocessing="plain", crop=1.0, seed=0,
        settings={"epochs": 3, "from": [str(store)]},
        version="0.2", commit=None, store=str(store), fingerprint="0" * 64, store_preprocessing="plain",
        split="subjects:anna,ben", train_clips=4, test_clips=4,
        scores={"logistic": Score(62.5, (50.0, 75.0))}, baselines={}, detailed="logistic",
        class_names=["wave", "bow"], per_class_accuracy=[50.0, 75.0], confusion_matrix=[[1, 1], [0, 2]],
        time="2026-01-01", seconds=1.0,
    )  # fmt: skip
    (run / "results").mkdir(exist_ok=True)
    (run / "results" / "linear-subjects-anna-ben.json").write_text(result.to_json(), encoding="utf-8")
    old = replace(result, weights="0" * 64, protocol="knn")
    (run / "results" / "knn.json").write_text(old.to_json(), encoding="utf-8")
    (run / "results" / "other.json").write_text("{}")
    (run / "classifiers" / "damaged.safetensors").write_bytes(b"no classifier")
    return run


NAMES = [
    "README.md",
    "classifiers/moves (2).safetensors",
    "config.yaml",
    "model.safetensors",
    "results/01-linear.json",
]


def test_a_shared_model_is_the_same_everywhere(hub: Hub, trained: Path) -> None:
    shared = push(trained, "user/walking", licence="cc-by-4.0")
    assert shared.url == f"{hub.url}/user/walking"
    assert sorted(hub.repositories["user/walking"].files) == [".gitattributes", *NAMES]
    here, there = load_run(trained), kineme.load(Path("hf:user/walking"))  # a path on the command line
    assert there.weights == here.weights
    array = np.random.default_rng(0).normal(size=(40, 25, 3))
    np.testing.assert_array_equal(there.embed(array, device="cpu"), here.embed(array, device="cpu"))


def test_nothing_private_leaves_the_machine(hub: Hub, trained: Path) -> None:
    """No clips, no names of people or clips, no place of this machine, in any file."""
    push(trained, "user/walking", licence="cc-by-4.0")
    sent = b"\n".join(hub.repositories["user/walking"].files.values())
    people, clips = ("anna,ben", "subjects:1"), ("S001C002",)
    for secret in (str(trained.parent), "secret-place", f"{Path.home()}/", *people, *clips):
        assert secret.encode() not in sent, secret
    assert b"subjects: 2 people" in sent
    config = yaml.safe_load(hub.repositories["user/walking"].files["config.yaml"])
    assert config["data"]["store"] is None
    result = json.loads(hub.repositories["user/walking"].files["results/01-linear.json"])
    assert (result["store"], result["settings"]["from"]) == ("clinic-of-anna", ["clinic-of-anna"])


@pytest.mark.parametrize(
    ("split", "shared"),
    [
        ("xsub/2", "xsub/2"),
        ("leave:anna,ben/1+cameras:1,2", "leave: 2 people/1+cameras:1,2"),
        (["odd-even", "subjects:anna"], ["odd-even", "subjects: 1 person"]),
    ],
)
def test_a_split_is_shared_without_people(split: str | list[str], shared: str | list[str]) -> None:
    assert without_paths({"data": {"store": "mine", "split": split}})["data"]["split"] == shared


def test_the_card(trained: Path) -> None:
    card = push(trained, "user/walking", licence="CC-BY-4.0", dry_run=True).card
    _, metadata, text = card.split("---\n", 2)
    about = yaml.safe_load(metadata)
    assert about["license"] == "cc-by-4.0"
    assert about["library_name"] == "kineme"
    assert {"skeleton", "usdrl", "sttr", "ntu25"} <= set(about["tags"])
    (entry,) = about["model-index"][0]["results"]
    assert entry["metrics"] == [{"type": "accuracy", "name": "logistic", "value": 62.5}]
    assert 'kineme.load("hf:user/walking")' in text
    assert "| trained on | 4 clips from `generated`, split subjects: 1 person+cameras:2,3 |" in text
    assert "| linear | clinic-of-anna | subjects: 2 people | logistic | 62.5 | 50.0 to 75.0 | 4 |" in text
    assert r"| moves (2) | wave \| hello, \<b\>bow\</b\> | 8 |" in text
    assert "| preprocessing | plain |" in text


def test_a_licence_that_the_hub_does_not_know(trained: Path) -> None:
    card = push(trained, "user/walking", licence="NTU RGB+D terms", dry_run=True).card
    about = yaml.safe_load(card.split("---\n")[1])
    assert (about["license"], about["license_name"]) == ("other", "ntu-rgb-d-terms")
    assert "NTU RGB+D terms" in card


def test_a_dry_run_sends_nothing(hub: Hub, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(trained), "user/walking", "--licence", "mit", "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert [line.split(maxsplit=1)[1] for line in printed.out.splitlines()[:5]] == NAMES
    assert "# walking" in printed.out
    assert "warning: not shared: " in printed.err  # a damaged classifier
    assert printed.err.endswith("nothing was uploaded to user/walking\n")
    assert hub.requests == []


def test_the_command(hub: Hub, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(trained), "user/walking", "--licence", "mit", "--private"]) == 0
    assert capsys.readouterr().err.endswith('/user/walking; next: kineme.load("hf:user/walking")\n')
    assert hub.repositories["user/walking"].private
    assert main(["push", str(trained), "user/walking"]) == 2  # nobody can be asked
    assert "--licence: is missing" in capsys.readouterr().err


def test_a_second_upload_replaces_the_first(hub: Hub, trained: Path, tmp_path: Path) -> None:
    push(trained, "user/walking", licence="mit")
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    shutil.rmtree(run / "classifiers")
    push(run, "user/walking", licence="mit")
    assert "classifiers/moves (2).safetensors" not in hub.repositories["user/walking"].files
    assert "results/01-linear.json" in hub.repositories["user/walking"].files


def test_revisions(hub: Hub, trained: Path) -> None:
    push(trained, "user/walking", licence="mit")
    repository = hub.repositories["user/walking"]
    first = repository.revisions["v1"] = repository.revisions["main"]
    repository.commit({"README.md": b"emptied"})
    assert kineme.load("hf:user/walking@v1").method == "usdrl"
    assert kineme.load(f"hf:user/walking@{first}").method == "usdrl"
    with pytest.raises(KinemeError, match=r"hf:user/walking: holds no model\.safetensors"):
        kineme.load("hf:user/walking")
    with pytest.raises(KinemeError, match=r"hf:user/walking@v2: has no such revision"):
        kineme.load("hf:user/walking@v2")


def test_without_a_network_the_cache_is_used(
    hub: Hub, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(trained, "user/walking", licence="mit")
    kineme.load("hf:user/walking")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    assert kineme.load("hf:user/walking").method == "usdrl"
    with pytest.raises(
        KinemeError, match="hf:user/other: the hub cannot be reached, and the model is not in the"
    ):
        kineme.load("hf:user/other")
    with pytest.raises(KinemeError, match="the hub cannot be reached"):
        push(trained, "user/walking", licence="mit")


def test_classifiers_come_along(hub: Hub, trained: Path) -> None:
    push(trained, "user/walking", licence="mit")
    model = kineme.load("hf:user/walking")
    path = find_classifier(Path("hf:user/walking"), None)
    assert read_classifier(path, model).class_names == ("wave | hello", "<b>bow</b>")


def test_logins(hub: Hub, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(KinemeError, match="you are not logged in to the hub"):
        push(trained, "user/walking", licence="mit")
    monkeypatch.setenv("HF_TOKEN", "reader")
    with pytest.raises(KinemeError, match="user/walking: the token has no right to do this"):
        push(trained, "user/walking", licence="mit")
    monkeypatch.setenv("HF_TOKEN", "forged")
    with pytest.raises(KinemeError, match="user/walking: the token is not valid"):
        push(trained, "user/walking", licence="mit")
    hub.repositories["user/closed"] = Repository(private=True)
    monkeypatch.delenv("HF_TOKEN")
    for name in ("user/closed", "user/nothing"):
        with pytest.raises(KinemeError, match=f"hf:{name}: no such model, or it is private"):
            kineme.load(f"hf:{name}")


def test_files_of_strangers_are_asked_for_by_checked_names_only(
    hub: Hub, trained: Path, tmp_path: Path
) -> None:
    """Nothing else is downloaded, whatever a repository calls its files."""
    weights = (trained / "model.safetensors").read_bytes()
    strange = [
        "../../evil.json", "results/../../evil.json", "results/a/b.json", "evil.py", "state.ckpt",
        "model.pkl", "classifiers/../evil.safetensors", "classifiers/.evil.safetensors",
        "classifiers/a\nevil.safetensors", "/etc/passwd", "results/.hidden.json",
    ]  # fmt: skip
    hub.repositories["user/evil"] = Repository()
    hub.repositories["user/evil"].commit({"model.safetensors": weights, **dict.fromkeys(strange, b"evil")})
    folder = fetch("hf:user/evil")
    assert [path.name for path in folder.rglob("*")] == ["model.safetensors"]
    assert not list(tmp_path.rglob("*evil.*"))
    assert not [each for each in hub.requests if "evil." in each or "passwd" in each or "ckpt" in each]


@pytest.mark.parametrize("part", ["encoder", "method", "preprocessing"])
def test_a_model_of_a_stranger_imports_nothing(part: str, hub: Hub, trained: Path, tmp_path: Path) -> None:
    """A dotted path names a module that would be imported, so it is refused."""
    (tmp_path / "imported_by_mistake.py").write_text("raise SystemExit('imported')\n")
    model = load_run(trained)
    config: Any = json.loads(json.dumps(model.config))
    preprocessing: Any = model.preprocessing
    if part == "preprocessing":

        class Named:
            def to_dict(self) -> dict[str, Any]:
                return {"name": "imported_by_mistake.Thing", "parameters": {}}

        preprocessing = Named()
    else:
        config[part]["name"] = "imported_by_mistake.Thing"
    save_encoder(tmp_path / "model.safetensors", model.encoder, preprocessing, config)
    hub.repositories["user/evil"] = Repository()
    hub.repositories["user/evil"].commit({"model.safetensors": (tmp_path / "model.safetensors").read_bytes()})
    with pytest.raises(KinemeError, match=rf"{part} imported_by_mistake\.Thing is code outside Kineme"):
        kineme.load("hf:user/evil")


def test_damaged_weights(hub: Hub) -> None:
    hub.repositories["user/damaged"] = Repository()
    hub.repositories["user/damaged"].commit({"model.safetensors": b"not safetensors"})
    with pytest.raises(KinemeError, match="not a model that this Kineme can load"):
        kineme.load("hf:user/damaged")


@pytest.mark.parametrize(
    "address",
    ["hf:name", "hf:", "hf:user/name/more", "hf:../name", "hf:user/..", "hf:user/name@../x", "hf:u/a b"],
)
def test_malformed_addresses(address: str) -> None:
    with pytest.raises(KinemeError, match=r"is not a repository name; write user/name|has no valid revision"):
        parse_address(address)


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="no such run or weights"):
        push(tmp_path, "user/name", licence="mit", dry_run=True)
    with pytest.raises(KinemeError, match="`licence`: is empty"):
        push(tmp_path, "user/name", licence=" ", dry_run=True)
    with pytest.raises(KinemeError, match="is not a repository"):
        push(tmp_path, "name", licence="mit", dry_run=True)


def test_text_of_users_is_no_markup() -> None:
    shown = as_text("a|b <script> [x](y) `c`\nd")
    assert shown == r"a\|b \<script\> \[x\](y) \`c\` d"
    assert re.fullmatch(r"[^\n]*", shown)
