"""An exported model gives the features of `Model.embed` without PyTorch and without Kineme."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from inference.exporting.layouts import UPPER
from inference.models import model as stick_model
from inference.models import motion
from onnxruntime import InferenceSession
from safetensors.numpy import save_file

from conftest import STICK
from kineme.__main__ import main
from kineme.checkpoints import build_encoder, save_encoder
from kineme.clips.batches import Clips
from kineme.clips.store import ClipStore
from kineme.encoders import ClipShape
from kineme.errors import KinemeError
from kineme.generate import generate_store
from kineme.inference import export
from kineme.inference.classifying.classifier import Classifier
from kineme.inference.classifying.examination import Examination
from kineme.inference.classifying.head import fit
from kineme.inference.classifying.reading import read, read_copies
from kineme.inference.exporting import export as exporting
from kineme.inference.exporting import graphs
from kineme.inference.exporting.export import Exported, load_program
from kineme.layouts import Layout, get_layout
from kineme.layouts.body import body_weights
from kineme.loading import load_run
from kineme.model import Model
from kineme.preprocessing import parse_preprocessing
from kineme.settings import config_from_dict
from kineme.streams import TOGETHER
from kineme.typing import Array

ROOT = Path(__file__).parents[3]
ENCODERS = {
    "stgcn": ("aimclr", {"channels": [8, 16, 16], "strided": [1]}),
    "sttr": ("usdrl", {"hidden": 16, "heads": 2, "depth": 1}),
    "dste": ("usdrl", {"hidden": 16, "heads": 2, "depth": 1}),
    "disentangled": ("scdnet", {"hidden": 16, "heads": 2, "stem": [8, 16]}),
    "mamp": ("mamp", {"hidden": 16, "heads": 2, "depth": 2}),
    "canonical": ("tandem", {"hidden": 16, "heads": 2, "depth": 1}),
    "slim": ("slim", {"hidden": 16, "heads": 2, "depth": 2}),
}


def a_run(
    folder: Path, encoder: str, preprocessing: str = "plain", stream: str = "joint", layout: str = "ntu25"
) -> Path:
    """An untrained encoder in a run directory; its batch norms have statistics."""
    method, settings = ENCODERS[encoder]
    config = config_from_dict(
        {
            "data": {"frames": 16, "stream": stream},
            "method": {"name": method},
            "encoder": {"name": encoder, **settings},
        },
        "test",
    ).to_dict()
    torch.manual_seed(0)
    joints = get_layout(layout)
    built = build_encoder(config["encoder"], ClipShape(joints, 16, 2, stream)).train()
    for _ in range(5):
        built(torch.randn(12, 3, 16, joints.num_joints, 2))
    folder.mkdir(parents=True)
    save_encoder(folder / "model.safetensors", built, parse_preprocessing(preprocessing), config, 1, "metres")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run(tmp_path_factory.mktemp("runs") / "stgcn", "stgcn")


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """That run, exported; not to be changed."""
    return export(load_run(run), tmp_path_factory.mktemp("exports") / "stgcn", licence="CC-BY-4.0")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Array]:
    """Generated motion (T, M, V, 3) of one and of two people."""
    path = tmp_path_factory.mktemp("stores") / "generated"
    generate_store(path, subjects=2, repetitions=1, cameras=[2], actions=["wave", "bow", "shake hands"])
    store = ClipStore(path)
    return [store.clip(row) for row in range(len(store))]


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that takes recordings of any layout."""
    return a_run(tmp_path_factory.mktemp("runs") / "body", "canonical", "plain", TOGETHER, layout="body")


@pytest.fixture(scope="module")
def taught(run: Path, recordings: list[Array]) -> Classifier:
    """A classifier of the generated actions, on that run."""
    model = load_run(run)
    return a_classifier(model, model.clips(recordings))


def a_classifier(model: Model, clips: Clips) -> Classifier:
    """Of clips that wave, bow and shake hands in turn."""
    copies = read_copies(model, clips, device="cpu")
    labels = np.arange(len(clips)) % 3
    head = fit(copies, labels, 3)
    return Classifier(
        class_names=("wave", "bow", "shake hands"),
        counts=(1, 1, 1),
        head=head,
        distances=np.sort(head.novelty(copies.mean(axis=1))),
        seconds=2.0,
        weights=model.weights,
        preprocessing="plain",
        examination=Examination(None, None, 0, "people", 2, (None,) * 3, (), (), (0.0,) * 3, 1.0),
    )


@pytest.fixture
def at_once(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing the network takes no time, for tests of what is around it."""

    def copied(encoder: object, path: Path, present: object) -> None:
        shutil.copyfile(exported.path / "encoder.onnx", path)

    monkeypatch.setattr(exporting, "write_encoder", copied)


@pytest.fixture
def copy(exported: Exported, tmp_path: Path) -> Path:
    """A copy of the exported folder."""
    return Path(shutil.copytree(exported.path, tmp_path / "exported"))


def test_its_features_are_those_of_the_model(run: Path, exported: Exported, recordings: list[Array]) -> None:
    written = load_program(exported.path)
    found = np.stack([written.embed(each) for each in recordings])
    expected = load_run(run).embed(recordings, device="cpu")
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert exported.difference < exporting.TOLERANCE
    assert len(np.unique(found.round(5), axis=0)) == len(recordings)  # and they tell recordings apart


@pytest.mark.usefixtures("at_once")
def test_classes_are_those_of_the_taught_classifier(
    run: Path, taught: Classifier, recordings: list[Array], tmp_path: Path
) -> None:
    """With their probabilities, and none of these where a recording is further away than the threshold."""
    model = load_run(run)
    done = export(model, tmp_path / "exported", classifier=taught, none=0.5)
    assert done.difference < exporting.TOLERANCE
    unlike = [each[:5, ..., ::-1] for each in recordings]
    given = [*recordings, *unlike]
    written = load_program(done.path)
    found = [written.classify(each) for each in given]
    features = read(model, model.clips(given), device="cpu")
    probabilities = taught.probabilities_of(features)
    far = taught.head.novelty(features) > taught.threshold(0.5)
    names = [taught.class_names[label] for label in probabilities.argmax(axis=1)]
    assert [label for label, _ in found] == np.where(far, "none of these", names).tolist()
    np.testing.assert_allclose([share for _, share in found], probabilities.max(axis=1), atol=1e-4)
    assert 0 < far.sum() < len(far)
    about = json.loads((done.path / "model.json").read_text(encoding="utf-8"))
    assert about["classes"] == ["wave", "bow", "shake hands"]
    np.save(tmp_path / "walk.npy", recordings[0])
    command = [sys.executable, done.path / "run.py", tmp_path / "walk.npy"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip().split(",")[1] == found[0][0]


def test_a_classifier_of_another_model_is_refused(taught: Classifier, tmp_path: Path) -> None:
    other = load_run(a_run(tmp_path / "other", "sttr"))
    with pytest.raises(KinemeError, match="was taught on another encoder"):
        export(other, tmp_path / "exported", classifier=taught)
    with pytest.raises(KinemeError, match="`none` has no effect without `classifier`"):
        export(other, tmp_path / "exported", none=0.05)


@pytest.mark.parametrize("layout", ["ntu25", "coco17", UPPER], ids=["ntu25", "coco17", "upper"])
def test_an_encoder_of_any_layout_takes_recordings_of_the_one_that_is_said(
    layout: str | Layout, body: Path, tmp_path: Path
) -> None:
    joints = (get_layout(layout) if isinstance(layout, str) else layout).num_joints
    arrays = [motion(frames, frames, joints) for frames in (7, 16, 40)]
    model = load_run(body)
    written = load_program(export(model, tmp_path / "exported", layout=layout).path)
    found = np.stack([written.embed(each) for each in arrays])
    expected = model.embed(arrays, layout=layout, device="cpu")
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert len(np.unique(found.round(5), axis=0)) == len(arrays)


def test_a_classifier_on_an_encoder_of_any_layout(body: Path, tmp_path: Path) -> None:
    model = load_run(body)
    arrays = [motion(20, seed, 17) for seed in range(9)]
    clips = model.clips(arrays, layout="coco17")
    taught = a_classifier(model, clips)
    written = load_program(export(model, tmp_path / "exported", layout="coco17", classifier=taught).path)
    found = [written.classify(each) for each in arrays]
    probabilities = taught.probabilities_of(read(model, clips, device="cpu"))
    assert [label for label, _ in found] == [taught.class_names[at] for at in probabilities.argmax(axis=1)]
    np.testing.assert_allclose([share for _, share in found], probabilities.max(axis=1), atol=1e-4)


def test_of_which_layout_the_recordings_are_has_to_be_said_for_an_encoder_of_any(
    body: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(body), "--out", str(tmp_path / "exported")]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--layout: the model takes recordings of any layout, and an export takes those of one" in line
    assert names_below(tmp_path) == []


def test_the_network_takes_any_number_of_clips(exported: Exported, recordings: list[Array]) -> None:
    written = load_program(exported.path)
    clips = np.stack([written.clip(each) for each in recordings])
    one_by_one = np.concatenate([written.ENCODER.run(None, {"clips": clip[None]})[0] for clip in clips])
    together = written.ENCODER.run(None, {"clips": np.tile(clips, (10, 1, 1, 1, 1))})[0]
    np.testing.assert_allclose(together, np.tile(one_by_one, (10, 1)), atol=1e-6)


def test_what_is_in_the_folder(run: Path, exported: Exported) -> None:
    assert sorted(path.name for path in exported.path.iterdir() if path.is_file()) == [
        "encoder.onnx",
        "model.json",
        "run.py",
    ]
    about = json.loads((exported.path / "model.json").read_text(encoding="utf-8"))
    assert (about["method"], about["encoder"], about["licence"]) == ("aimclr", "stgcn", "CC-BY-4.0")
    assert about["input"]["clips"] == ["N", 3, 16, 25, 2]
    assert about["weights"] == load_run(run).weights


def test_the_program_runs_where_neither_pytorch_nor_kineme_can_be_imported(
    copy: Path, recordings: list[Array], tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("torch", "kineme", "scipy", "safetensors"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is blocked')\n")
    np.save(tmp_path / "walk.npy", recordings[0])
    done = subprocess.run(
        [sys.executable, copy / "run.py", "walk.npy"],
        env={**os.environ, "PYTHONPATH": str(blocked)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    name, *numbers = done.stdout.strip().split(",")
    assert name == "walk.npy"
    expected = load_program(copy).embed(recordings[0])
    np.testing.assert_allclose(np.array(numbers, dtype=float), expected, rtol=1e-5, atol=1e-7)


def test_a_mistake_is_one_line_that_names_the_file(copy: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "short.npy", np.ones((9, 17, 3)))
    (tmp_path / "walk.csv").write_text("spine_base_x;spine_base_y\n1;2\n")
    (tmp_path / "cut.csv").write_text("a,b\n1\n1,2\n1,2,3\n")  # numpy has a line for each bad one
    remedy = "give .npy or CSV with commas and columns spine_base_x, ..."
    for name, told in (
        ("short.npy", "expected (T, up to 2 bodies, 25, 3), not (9, 17, 3)"),
        ("walk.csv", f"could not convert string to float: b'1;2'; {remedy}"),
        (
            "cut.csv",
            "Some errors were detected ! Line #2 (got 1 columns instead of 2) Line #4; " + remedy,
        ),
        ("exported", f"[Errno 21] Is a directory: 'exported'; {remedy}"),
    ):
        done = subprocess.run(
            [sys.executable, copy / "run.py", name], capture_output=True, text=True, cwd=tmp_path
        )
        assert (done.returncode, done.stderr, done.stdout) == (1, f"{name}: {told}\n", "")
    done = subprocess.run([sys.executable, copy / "run.py"], capture_output=True, text=True)
    assert done.stdout.startswith("aimclr encoder (stgcn), exported by Kineme")  # how it is used
    asked = subprocess.run([sys.executable, copy / "run.py", "--help"], capture_output=True, text=True)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, done.stdout, "")


@pytest.mark.usefixtures("at_once")
def test_an_export_is_replaced_only_if_asked_to(run: Path, copy: Path) -> None:
    model = load_run(run)
    with pytest.raises(KinemeError, match=r"already holds an export; set `overwrite`"):
        export(model, copy)
    before = (copy / "model.json").read_bytes()
    (copy / "encoder.onnx").write_bytes(b"damaged")
    export(model, copy, overwrite=True, licence="CC-BY-4.0")
    assert (copy / "model.json").read_bytes() == before
    assert load_program(copy)


def test_other_folders_and_files_are_never_replaced(run: Path, copy: Path, tmp_path: Path) -> None:
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(KinemeError, match="contains files that no export wrote"):
        export(load_run(run), copy, overwrite=True)
    with pytest.raises(KinemeError, match="contains files that no export wrote"):
        export(load_run(run), run, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(KinemeError, match="is a file; choose another place"):
        export(load_run(run), tmp_path / "file", overwrite=True)
    with pytest.raises(KinemeError, match="cannot be written"):  # as in a folder without permission
        export(load_run(run), tmp_path / "file" / "exported")


def names_below(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in str(path)
    )


@pytest.mark.usefixtures("at_once")
def test_features_that_differ_from_pytorch_are_not_written(
    run: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left behind, and what was there stays."""
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    monkeypatch.setattr(exporting, "TOLERANCE", 0.0)
    with pytest.raises(KinemeError, match=r"differ from PyTorch's by .* so nothing was written"):
        export(load_run(run), copy, overwrite=True)
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before
    with pytest.raises(KinemeError, match="so nothing was written"):
        export(load_run(run), copy.parent / "new")
    assert names_below(copy.parent) == sorted(["exported", *(f"exported/{name}" for name in before)])


@pytest.mark.usefixtures("at_once")
def test_a_full_disk(
    run: Path, tmp_path: Path, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    with file_size_limit(1000), pytest.raises(KinemeError, match="cannot be written"):
        export(load_run(run), tmp_path / "exported")
    assert names_below(tmp_path) == []


@pytest.mark.parametrize("layout", ["ntu25", "body"])
def test_an_encoder_that_computes_present_bodies_alone(layout: str, tmp_path: Path) -> None:
    """SLiM's, in batches in which every number of bodies is present; also where joints are absent."""
    lacks = layout == "body"
    run = a_run(tmp_path / "run", "slim", layout=layout)
    encoder = load_run(run).encoder.eval()
    present = torch.from_numpy(body_weights(get_layout("coco17"))[1]) if lacks else None
    graphs.write_encoder(encoder, tmp_path / "encoder.onnx", None if present is None else present.numpy())
    session = InferenceSession(tmp_path / "encoder.onnx")
    clips = torch.randn(5, 3, 16, get_layout(layout).num_joints, 2)
    clips[1, ..., 1] = clips[2, ..., 0] = 0
    clips[3] = 0  # nobody
    joints = {} if present is None else {"present": present.expand(5, -1)}
    with torch.no_grad():
        expected = encoder(clips, **joints).clip.numpy()
    for size in (1, 2, 5):
        found = [session.run(None, {"clips": each.numpy()})[0] for each in clips.split(size)]
        assert np.abs(np.concatenate(found) - expected).max() < 1e-4 * np.abs(expected).max()
    assert not expected[3].any()
    assert expected[[0, 1, 2, 4]].any(axis=1).all()


def test_an_encoder_that_fixes_the_number_of_clips_is_refused(tmp_path: Path) -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(len(x), -1).sum(dim=1)

    with pytest.raises(KinemeError, match=r"Fixed cannot be exported .* x\.shape\[0\] for len\(x\)"):
        graphs.write_onnx(Fixed(), torch.zeros(3, 4), ["x"], ["y"], tmp_path / "fixed.onnx")


def test_bad_arguments(run: Path, tmp_path: Path) -> None:
    for fps in (0, np.inf):
        with pytest.raises(KinemeError, match=f"`fps`: is {fps}; it must be more than 0 and finite"):
            export(load_run(run), tmp_path / "exported", fps=fps)
    with pytest.raises(KinemeError, match="`image`: has no effect on a model that was trained on metres"):
        export(load_run(run), tmp_path / "exported", image="640x480")
    with pytest.raises(KinemeError, match="has no joints to place these"):
        export(load_run(run), tmp_path / "exported", layout=STICK)


def test_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path / "nothing"), "--out", str(tmp_path / "exported")]) == 2
    assert "no such run or weights" in capsys.readouterr().err


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layout of one's own, a model of three joints; the folder is named after the run."""
    stick_model(tmp_path / "sticks")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "sticks"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("written to exported-sticks (0.")
    assert said.endswith("next: python exported-sticks/run.py RECORDING\n")
    assert "differ from PyTorch's by at most" in said
    assert main(["export", "sticks"]) == 2
    assert "set --overwrite to replace it" in capsys.readouterr().err


def test_detectors_are_not_exported(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector = tmp_path / "detect.safetensors"
    save_file({"weight": np.zeros(1)}, detector, metadata={"kineme": json.dumps({"rule": "peaks"})})
    words = ["export", str(run), "--out", str(tmp_path / "exported"), "--classifier", str(detector)]
    assert main(words) == 2
    assert "is a detector, which cannot be exported; use `kineme predict`" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("preprocessing", "stream"),
    [("plain(facing=True)", "motion"), ("crossclr", "bone"), ("agcn", "joint"), ("ctrgcn", "motion")],
)
def test_every_encoder(encoder: str, preprocessing: str, stream: str, tmp_path: Path) -> None:
    """On raw recordings, in batches of several sizes: `export` compares, and refuses what differs."""
    model: Model = load_run(a_run(tmp_path / "run", encoder, preprocessing, stream))
    assert export(model, tmp_path / "exported").difference < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["canonical", "sttr", "dste"])
def test_an_encoder_of_several_streams_takes_joints(encoder: str, tmp_path: Path) -> None:
    model = load_run(a_run(tmp_path / "run", encoder, stream=TOGETHER))
    assert export(model, tmp_path / "exported").difference < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "stream"),
    [
        *(("canonical", TOGETHER), ("sttr", TOGETHER), ("dste", TOGETHER)),
        *(("dste", "bone"), ("mamp", "bone"), ("stgcn", "bone"), ("slim", "bone")),
    ],
)
@pytest.mark.parametrize("layout", ["kinect20", "coco17"])
def test_every_encoder_of_any_layout(encoder: str, stream: str, layout: str, tmp_path: Path) -> None:
    """Also of those that cannot leave joints out."""
    model = load_run(a_run(tmp_path / "run", encoder, "plain(facing=True)", stream, "body"))
    assert export(model, tmp_path / "exported", layout=layout).difference < 1e-4


@pytest.mark.slow
def test_the_program_runs_with_numpy_and_onnxruntime_alone(
    run: Path, copy: Path, recordings: list[Array], tmp_path: Path
) -> None:
    """In a virtual environment that has nothing else."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", "numpy", "onnxruntime"]
    if subprocess.run(install, capture_output=True).returncode:
        pytest.skip("the package index cannot be reached")
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([python, "-c", "import torch"], check=True, capture_output=True)
    paths = [tmp_path / f"recording{number}.npy" for number in range(len(recordings))]
    for path, array in zip(paths, recordings, strict=True):
        np.save(path, array)
    done = subprocess.run([python, "run.py", *paths], cwd=copy, capture_output=True, text=True, check=True)
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(path) for path in paths]
    expected = load_run(run).embed(recordings, device="cpu")
    found = np.array([row[1:] for row in rows], dtype=float)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
