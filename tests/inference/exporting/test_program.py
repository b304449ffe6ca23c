"""The program that goes with an exported model prepares recordings as `Model.embed` does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from inference.exporting.layouts import UPPER

from kineme.augment.missing import filled_frames
from kineme.checkpoints import build_encoder, fingerprint
from kineme.clips.batches import joined
from kineme.encoders import ClipShape
from kineme.errors import KinemeError
from kineme.inference.exporting.export import as_json, load_program, made_up
from kineme.inference.exporting.program import Recordings, check_exportable, describe, program
from kineme.layouts import Layout, get_layout
from kineme.layouts.body import BODY
from kineme.model import Model, clip_input
from kineme.preprocessing import Unavailable, get_preprocessing, parse_preprocessing
from kineme.settings import config_from_dict
from kineme.sources.poses.given import given_poses
from kineme.sources.reading import Reading
from kineme.typing import Array

ROOT = Path(__file__).parents[3]
NTU = get_layout("ntu25")
PREPROCESSINGS = [
    *("plain", "plain(facing=True)", "plain(scale=True)", "plain(centre=clip, facing=True, scale=True)"),
    *("crossclr", "agcn", "ctrgcn", "ctrgcn(bodies=copied)", "ctrgcn(bodies=recorded)"),
]


def a_model(
    preprocessing: str = "plain",
    *,
    layout: str = "ntu25",
    units: str | None = "metres",
    **shape: Any,
) -> Model:
    """An untrained STTR of 8 channels, with 13 frames and a crop of 0.9 unless told otherwise."""
    shape = {"frames": 13, "bodies": 2, "stream": "joint", "crop": 0.9} | shape
    return replace(untrained(layout, **shape), preprocessing=parse_preprocessing(preprocessing), units=units)


@cache
def untrained(layout: str, frames: int, bodies: int, stream: str, crop: float) -> Model:
    """The model of `a_model` that a test then has a variant of."""
    config = config_from_dict(
        {
            "data": {"frames": frames, "stream": stream},
            "method": {"name": "usdrl"},
            "encoder": {"name": "sttr", "hidden": 8, "depth": 1},
            "evaluate": {"crop": crop},
        },
        "test",
    ).to_dict()
    torch.manual_seed(0)
    encoder = build_encoder(config["encoder"], ClipShape(get_layout(layout), frames, bodies, stream))
    return Model(
        encoder.eval(), "usdrl", get_preprocessing("plain"), config, fingerprint(encoder), 1, "metres"
    )


def written(model: Model, recordings: Recordings, folder: Path) -> Any:
    """The program as a module; its networks are never run."""
    (folder / "run.py").write_text(program(model, recordings, classifies=False), encoding="utf-8")
    (folder / "model.json").write_text(as_json(describe(model, recordings, None, None)), encoding="utf-8")
    return load_program(folder)


@pytest.fixture
def without_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs can be loaded without their ONNX files."""
    runtime: Any = ModuleType("onnxruntime")
    runtime.__spec__ = ModuleSpec("onnxruntime", None)  # PyTorch asks for it
    runtime.InferenceSession = lambda path, providers: SimpleNamespace(run=None)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)


def wanted(model: Model, recordings: Recordings, array: Array, **options: Any) -> Array:
    """(C, T, V, M) that the encoder reads when Kineme embeds a recording."""
    source = given_poses([array], recordings.layout, Reading(fps=recordings.fps, **options))
    (clip,) = model.prepared(source, recordings.joint_map)
    xyz = filled_frames(clip.xyz, clip.present, model.shape.layout)
    return model.shape.take(clip_input(joined([xyz]), model.shape, model.crop))[0].numpy()


def assert_same_clips(model: Model, recordings: Recordings, folder: Path, **options: Any) -> None:
    module = written(model, recordings, folder)
    for array in made_up(model, recordings):
        expected = wanted(model, recordings, array, **options)
        np.testing.assert_allclose(module.clip(array, recordings.fps), expected, atol=2e-5)


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("stream", ["joint", "bone", "motion"])
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_clips_are_those_that_kineme_makes(preprocessing: str, stream: str, tmp_path: Path) -> None:
    model = a_model(preprocessing, stream=stream, units=None)
    assert_same_clips(model, Recordings(NTU), tmp_path, axes="y-up", units="m")


@pytest.mark.usefixtures("without_networks")
def test_an_encoder_of_one_body_whole_clips_and_more_frames_than_they_have(tmp_path: Path) -> None:
    model = a_model(bodies=1, crop=1.0, frames=150)
    assert_same_clips(model, Recordings(NTU), tmp_path)


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("preprocessing", ["plain(facing=True)", "agcn", "ctrgcn"])
def test_joints_of_another_layout_are_found_by_name(preprocessing: str, tmp_path: Path) -> None:
    model = a_model(preprocessing, stream="bone")
    recordings = Recordings(
        get_layout("mediapipe33"), fps=10.0, joint_map={"spine_mid": ("left_hip", "nose")}
    )
    assert_same_clips(model, recordings, tmp_path, axes="y-up", units="m")


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("joint", [0, 20, 24])
def test_a_joint_at_the_origin_of_another_layout_is_missing_before_agcn(joint: int, tmp_path: Path) -> None:
    """As the root is of recordings that are relative to it."""
    model, recordings = a_model("agcn", layout="body"), Recordings(NTU, fps=10.0)
    module = written(model, recordings, tmp_path)
    array = np.random.default_rng(0).normal(size=(30, 1, 25, 3)).astype(np.float32)
    array[:10] -= array[:10, :, joint : joint + 1]  # from then on it is elsewhere
    np.testing.assert_allclose(module.clip(array, 10.0), wanted(model, recordings, array), atol=2e-5)


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("stream", ["joint", "bone"])
@pytest.mark.parametrize("preprocessing", ["plain(facing=True, scale=True)", "crossclr", "agcn", "ctrgcn"])
@pytest.mark.parametrize("layout", [NTU, get_layout("coco17"), UPPER, BODY], ids=lambda layout: layout.name)
def test_joints_go_to_their_places_in_the_body_and_absent_ones_to_their_neighbours(
    layout: Layout, preprocessing: str, stream: str, tmp_path: Path
) -> None:
    model = a_model(preprocessing, layout="body", stream=stream, units=None)
    assert_same_clips(model, Recordings(layout), tmp_path, axes="y-up", units="m")


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("preprocessing", ["ctrgcn", "ctrgcn(bodies=copied)"])
def test_people_who_come_and_go_before_ctrgcn(preprocessing: str, tmp_path: Path) -> None:
    """One after another, in one shared frame, together, briefly, with gaps, and wider than high."""
    model, recordings = a_model(preprocessing), Recordings(NTU, fps=10.0)
    module = written(model, recordings, tmp_path)
    rng = np.random.default_rng(0)
    upright = rng.normal(size=(2, 25, 3)) * [0.2, 0.6, 0.1] + np.array([[[0, 0, 3]], [[1, 0, 3]]])
    lying = upright[..., [1, 0, 2]]

    def clip(*seen: tuple[slice, bool]) -> Array:
        array = np.zeros((60, len(seen), 25, 3))
        for body, (frames, lies) in enumerate(seen):
            sway = (body + 1) * 0.1 * rng.normal(size=(60, 1, 3))
            array[frames, body] = ((lying if lies else upright)[body] + sway)[frames]
        return array.astype(np.float32)

    found = {}
    for name, array in {
        "one follows the other": clip((slice(30), False), (slice(30, 60), False)),
        "they share a frame": clip((slice(31), False), (slice(30, 60), False)),
        "they share two frames": clip((slice(32), False), (slice(30, 60), False)),
        "together": clip((slice(60), False), (slice(60), False)),
        "one is brief": clip((slice(60), False), (slice(11), False)),
        "both are brief": clip((slice(9), False), (slice(20, 31), False)),
        "one lies": clip((slice(60), True), (slice(60), False)),
        "the other lies": clip((slice(60), False), (slice(60), True)),
        "both lie": clip((slice(60), True), (slice(60), True)),
        "one comes late": clip((slice(10, 60), False)),
        "one is away": clip((slice(60), False)),
    }.items():
        if name == "one is away":
            array[20:35] = 0
        found[name] = module.clip(array, 10.0)
        np.testing.assert_allclose(found[name], wanted(model, recordings, array), atol=1e-5, err_msg=name)
    alone = {
        name
        for name, clip in found.items()
        if (clip[..., 1] == (clip[..., 0] if "copied" in preprocessing else 0)).all()
    }
    assert alone >= {
        "one is brief",
        "both are brief",
        "one lies",
        "the other lies",
        "both lie",
        "one comes late",
    }
    assert not alone & {"together", "they share two frames"}


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("layout", ["coco17", "mediapipe33"])
@pytest.mark.parametrize(("units", "image"), [("body sizes", None), ("image heights", (1280, 720))])
def test_poses_in_images(layout: str, units: str, image: tuple[int, int] | None, tmp_path: Path) -> None:
    """In pixels and y down; MediaPipe has a depth besides."""
    model = a_model("plain(centre=clip)", layout=layout, units=units)
    given = {} if image is None else {"image": "1280x720"}
    assert_same_clips(model, Recordings(get_layout(layout), image=image), tmp_path, axes="y-down", **given)


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize(("units", "image"), [("body sizes", None), ("image heights", (1280, 720))])
def test_pictures_without_anybody_are_refused(
    units: str, image: tuple[int, int] | None, tmp_path: Path
) -> None:
    model = a_model(layout="coco17", units=units)
    module = written(model, Recordings(get_layout("coco17"), image=image), tmp_path)
    for nothing in (np.nan, 0):
        with pytest.raises(ValueError, match="nobody is there"):
            module.clip(np.full((20, 17, 2), nothing), 30)


@pytest.mark.usefixtures("without_networks")
def test_gaps(tmp_path: Path) -> None:
    """Up to half a second is interpolated; a body that is away for longer is absent; a joint must not be."""
    model, recordings = a_model(), Recordings(NTU, fps=10.0)
    module = written(model, recordings, tmp_path)
    whole = made_up(model, recordings)[-1][:, :1]

    def missing(frames: slice, joints: slice) -> Array:
        array = whole.copy()
        array[frames, 0, joints] = np.nan
        return array

    for array in (
        missing(slice(10, 15), slice(3, 4)),  # a joint, half a second
        missing(slice(10, 15), slice(None)),  # a body, half a second
        missing(slice(10, 40), slice(None)),  # a body, longer
        missing(slice(30), slice(None)),  # a body that comes late
        missing(slice(10, 15), slice(4, 25)),  # too few joints are left to count
        np.where(np.arange(len(whole))[:, None, None, None] < 30, 0, whole),
    ):
        np.testing.assert_allclose(module.clip(array, 10.0), wanted(model, recordings, array), atol=1e-5)
    for array in (
        missing(slice(10, 16), slice(3, 4)),
        missing(slice(5), slice(3, 4)),
        missing(slice(None), slice(None)),
    ):
        with pytest.raises(ValueError, match="nobody is there, or a joint is missing for too long"):
            module.clip(array, 10.0)
    assert module.clip(missing(slice(10, 16), slice(3, 4)), 12.0).shape == (3, 13, 25, 2)


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize("shape", [(9, 25), (9, 24, 3), (9, 3, 25, 3), (9, 25, 2), (0, 25, 3)])
def test_arrays_of_another_shape_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    module = written(a_model(), Recordings(NTU), tmp_path)
    with pytest.raises(ValueError, match=r"expected \(T, up to 2 bodies, 25, 3\), not|nobody is there"):
        module.clip(np.ones(shape))


@pytest.mark.usefixtures("without_networks")
def test_csv_files_have_a_column_for_each_coordinate_of_a_joint(tmp_path: Path) -> None:
    """In any order, with others between; an empty field is a joint that was not found."""
    module = written(a_model(), Recordings(NTU), tmp_path)
    array = made_up(a_model(), Recordings(NTU))[0][:, 0]
    array[2, 5] = np.nan
    names = [f"{joint}_{axis}" for joint in NTU.joints for axis in "xyz"]
    columns = np.random.default_rng(0).permutation(len(names)).tolist()
    lines = [",".join(["frame", *(names[column] for column in columns)])]
    for number, frame in enumerate(array.reshape(len(array), -1)):
        lines.append(",".join([str(number), *(f"{frame[at]:.9g}".replace("nan", "") for at in columns)]))
    (tmp_path / "walk.csv").write_text("\n".join(lines) + "\n")
    np.testing.assert_array_equal(module.read(str(tmp_path / "walk.csv")).astype(np.float32), array)
    np.save(tmp_path / "walk.npy", array)
    np.testing.assert_array_equal(module.read(str(tmp_path / "walk.npy")), array)


@pytest.mark.usefixtures("without_networks")
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("semicolons.csv", "{semicolons}\n1;2\n", "could not convert string to float: b'1;2'"),
        ("decimal.csv", "{semicolons}\n1,5;2,5\n", r"Line #2 \(got 3 columns instead of 1\)"),
        ("walk.json", '{{"frames": [1,\n2, 3]}}\n', "no field of name spine_base_x"),
        ("short.csv", "{commas}\n{numbers}\n1,2\n", r"Line #3 \(got 2 columns instead of 75\)"),
        ("long.csv", "{commas}\n{numbers},1\n{numbers}\n", r"Line #2 \(got 76 columns instead of 75\)"),
        ("other.csv", "hip_x,hip_y\n1,2\n", "no field of name spine_base_x"),
        ("empty.csv", "", "no field of name spine_base_x"),
        ("blank.csv", "\n\n", "no field of name spine_base_x"),
        ("empty.npy", "", "No data left in file"),
        ("text.npy", "1,2", "pickled"),
        ("missing.csv", None, "No such file"),
        ("missing.npy", None, "No such file"),
        ("", None, "Is a directory"),
    ],
)
def test_files_that_cannot_be_read_are_refused_with_the_remedy(
    name: str, content: str | None, reason: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    module = written(a_model(), Recordings(NTU), tmp_path)
    names = [f"{joint}_{axis}" for joint in NTU.joints for axis in "xyz"]
    if content is not None:
        held = {"commas": ",".join(names), "semicolons": ";".join(names), "numbers": ",".join("1" * 75)}
        (tmp_path / name).write_text(content.format(**held))
    with pytest.raises(ValueError, match=reason) as refused:
        module.read(str(tmp_path / name))
    told = str(refused.value)
    assert told.endswith(f"; give .npy or CSV with commas and columns {names[0]}, ...")
    assert len(told) < 160
    assert not recwarn.list  # which would be further lines


@pytest.mark.usefixtures("without_networks")
def test_csv_files_of_spreadsheets_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    module = written(a_model(), Recordings(NTU), tmp_path)
    names = [f"{joint}_{axis}" for joint in NTU.joints for axis in "xyz"]
    (tmp_path / "walk.csv").write_text(f"{','.join(names)}\n{','.join(map(str, range(75)))}\n", "utf-8-sig")
    np.testing.assert_array_equal(module.read(str(tmp_path / "walk.csv")).ravel(), np.arange(75))


def every_program() -> Iterator[tuple[str, str]]:
    """(name, source) of the program for each preprocessing, stream, layout and kind of poses."""
    for stream, bodies, classifies in (("joint", 1, False), ("bone", 2, True), ("motion", 2, False)):
        ntu, body = (a_model(layout=layout, stream=stream, bodies=bodies) for layout in ("ntu25", "body"))
        for preprocessing in PREPROCESSINGS:
            for units, image in (("metres", None), ("body sizes", None), ("image heights", (1280, 720))):
                for model, layout in ((ntu, "ntu25"), (body, "mediapipe33")):
                    other = replace(model, preprocessing=parse_preprocessing(preprocessing), units=units)
                    recordings = Recordings(get_layout(layout), image=image)
                    yield f"{preprocessing}-{stream}-{units}-{layout}", program(other, recordings, classifies)


def test_every_program_is_short_and_as_tidy_as_kineme(tmp_path: Path) -> None:
    """Under 100 lines, but for poses in images and the longer preprocessings, which take a few more."""
    folder = tmp_path / "programs"
    folder.mkdir()
    lines = {}
    for number, (name, source) in enumerate(every_program()):
        (folder / f"program{number}.py").write_text(source, encoding="utf-8")
        lines[name] = source.count("\n")
    long = ("agcn", "ctrgcn")
    usual = {name: count for name, count in lines.items() if "metres" in name and not name.startswith(long)}
    assert max(usual.values()) < 100, max(usual, key=usual.__getitem__)
    assert max(lines.values()) < 115
    for check in (["check", "--ignore=D1", "--no-cache"], ["format", "--check", "--no-cache"]):
        command = [
            sys.executable,
            "-m",
            "ruff",
            *check,
            "--config",
            str(ROOT / "pyproject.toml"),
            str(folder),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_preprocessing_that_is_not_kinemes_own_is_refused() -> None:
    model = a_model()
    theirs = replace(model, preprocessing=Unavailable("theirs", {"by": 2}))
    with pytest.raises(KinemeError, match=r"preprocessing theirs\(by=2\) is not one of Kineme's"):
        check_exportable(theirs)


def test_a_model_of_images_from_above_is_refused() -> None:
    from_above = replace(a_model(), units="body sizes from above")
    with pytest.raises(KinemeError, match="trained on body sizes from above, which exported programs do not"):
        check_exportable(from_above)


def test_the_size_of_images_is_asked_for_where_it_matters() -> None:
    model = a_model(layout="coco17", units="image heights")
    with pytest.raises(KinemeError, match="`image`: the model was trained on poses in images of known size"):
        program(model, Recordings(get_layout("coco17")), classifies=False)
    with pytest.raises(KinemeError, match="`image`: has no effect on a model that was trained on metres"):
        program(a_model(), Recordings(NTU, image=(640, 480)), classifies=False)


def test_what_the_description_says() -> None:
    about = describe(a_model("plain(scale=True)"), Recordings(NTU, fps=25.0), None, "CC-BY-4.0")
    assert about["preprocessing"] == {
        "name": "plain",
        "parameters": {"centre": "frame", "facing": False, "scale": True},
    }
    assert about["input"] == {"clips": ["N", 3, 13, 25, 2], "axes": "N C T V M"}
    assert (about["frames_per_second"], about["crop"], about["licence"]) == (25.0, 0.9, "CC-BY-4.0")
    assert about["layout"]["joints"] == list(NTU.joints)
    assert about["classes"] == []
    assert "arXiv 2412.09220" in about["cite"][0]


def test_what_the_description_says_of_joints_in_the_body() -> None:
    """COCO has elbow and wrist, and the radius stands between them; its hips tell where the pelvis is."""
    coco = get_layout("coco17")
    about = describe(a_model(layout="body"), Recordings(coco), None, None)
    assert sorted(about["present"]) == sorted(coco.joints)
    places, neighbours = (np.array(about[name]) for name in ("joint_weights", "fill_weights"))
    pelvis, radius = BODY.joints.index("pelvis"), BODY.joints.index("left_radius")
    assert dict(zip(coco.joints, places[pelvis], strict=True)) == {
        joint: 0.5 if "hip" in joint else 0 for joint in coco.joints
    }
    assert dict(zip(BODY.joints, neighbours[radius], strict=True)) == {
        joint: 0.5 if joint in ("left_elbow", "left_wrist") else 0 for joint in BODY.joints
    }
    own = [BODY.joints.index(joint) for joint in about["present"]]
    np.testing.assert_array_equal(neighbours[own], np.eye(59)[own])
    assert len(about["layout"]["bones"]) == 58


def test_bodies_are_scaled_by_bones_that_have_both_ends() -> None:
    about = describe(a_model(layout="body"), Recordings(UPPER), None, None)
    ends = {BODY.joints[joint] for bone in about["layout"]["bones"] for joint in bone}
    assert {"left_shoulder", "left_hand", "head", "lumbar"} <= ends
    assert not ends & {"left_hip", "left_knee", "left_ankle", "left_toes"}


def test_recordings_of_the_body_have_all_joints() -> None:
    about = describe(a_model(layout="body"), Recordings(BODY), None, None)
    assert not {"present", "joint_weights", "fill_weights"} & set(about)


def test_a_joint_by_which_bodies_are_turned_has_to_be_among_the_recorded_ones() -> None:
    names = ["pelvis", "left_knee", "right_knee", "left_paddle", "right_paddle"]
    rower = Layout.from_names("rower", names, [None, *["pelvis"] * 4], facing=names[3:])
    model = a_model("plain(facing=True)", layout="body")
    with pytest.raises(KinemeError, match=r"'rower' has no joints to place 'left_shoulder', .* `joint_map`"):
        describe(model, Recordings(rower), None, None)
    joint_map = {"left_shoulder": ("left_paddle",), "right_shoulder": ("right_paddle",)}
    about = describe(model, Recordings(rower, joint_map=joint_map), None, None)
    assert {"left_shoulder", "right_shoulder", "pelvis"} <= set(about["present"])
