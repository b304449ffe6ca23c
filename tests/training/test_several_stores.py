"""One encoder for stores of several layouts: its run, its resumption, and what it takes afterwards."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from sensors import seen_by

from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.clips.store import ClipStore
from kineme.config import Config
from kineme.encoders import absent
from kineme.errors import KinemeError
from kineme.evaluation.task import TaskOptions, open_task
from kineme.fitting import fitted_config
from kineme.layouts import LAYOUTS
from kineme.layouts.body import BODY, body_places
from kineme.loading import load_run
from kineme.methods import USDRL
from kineme.settings import config_from_dict
from kineme.training.directory import load_run_config
from kineme.training.run import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores, `kinect` and `coco`, and a run of both."""
    folder = tmp_path_factory.mktemp("several")
    seen_by(folder / "kinect", clips=12, frames=12)
    seen_by(folder / "coco", "coco17", clips=8, frames=12)
    train(settings(folder), folder / "run")
    return folder


def settings(folder: Path, **data: object) -> Config:
    stores = [str(folder / name) for name in ("kinect", "coco")]
    sections = {
        "data": {"store": stores, "split": ["all", "all"], "frames": 8, **data},
        "train": {"epochs": 2, "batch_size": 4, "lr": 0.01, "device": "cpu", "knn_every": 1},
        "method": {"name": "usdrl"},
        "encoder": {"name": "sttr", "hidden": 8},
    }
    return config_from_dict(sections, "test")


def test_a_run_of_several_stores_knows_all_of_them(folder: Path) -> None:
    config = load_run_config(folder / "run")
    assert config.data.stores == [str(folder / "kinect"), str(folder / "coco")]
    model = load_run(folder / "run")
    assert (model.shape.layout, model.shape.bodies) == (BODY, 1)
    seen = Seen.load(folder / "run" / SEEN_CLIPS)
    for name, clips in (("kinect", 12), ("coco", 8)):
        assert len(seen.among(ClipStore(folder / name), np.arange(clips))) == clips


def test_an_encoder_that_cannot_leave_out_joints_is_named(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The layout `body` has joints that each of the stores lacks."""
    absent._warn.cache_clear()  # it is said once in a process
    config = settings(folder, store=str(folder / "kinect"), split="all")
    config.encoder = {"name": "stgcn", "channels": [8], "strided": []}
    config.method = {"name": "aimclr", "queue": 16}
    train(config, tmp_path / "kinect")  # which has all of its joints
    assert "cannot leave out joints" not in caplog.text
    both = settings(folder)
    both.encoder, both.method = config.encoder, config.method
    train(both, tmp_path / "both")
    assert "STGCN cannot leave out joints" in caplog.text


def test_it_resumes_as_if_it_had_not_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, steps = USDRL.loss, iter(range(100))

    def loss(self: USDRL, *arguments: object) -> object:
        if next(steps) == 7:  # of five in an epoch
            raise KeyboardInterrupt
        return original(self, *arguments)  # type: ignore[arg-type]

    config = settings(folder)
    with monkeypatch.context() as patch:
        patch.setattr(USDRL, "loss", loss)
        with pytest.raises(KeyboardInterrupt):
            train(config, folder / "again")
    train(config, folder / "again", resume=True)
    one, other = (torch.load(folder / run / "state.ckpt", weights_only=True) for run in ("run", "again"))
    assert one["global_step"] == other["global_step"] == 10
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())


def test_its_model_takes_layouts_that_it_was_not_trained_on(folder: Path) -> None:
    model = load_run(folder / "run")
    store = seen_by(folder / "smpl", "smpl22", clips=2, frames=12)
    fitted = model.fitted(store)
    assert fitted.present is not None
    assert set(np.flatnonzero(fitted.present[0])) == set(body_places(LAYOUTS["smpl22"]))
    from_store = model.embed(store)
    arrays = [np.array(store.clip(row)) for row in range(2)]  # as a recording; it is prepared once more
    np.testing.assert_allclose(model.embed(arrays, layout="smpl22"), from_store, atol=1e-4)
    assert np.abs(from_store[0] - from_store[1]).max() > 1e-3  # one grows, the other shrinks


def test_what_a_layout_lacks_plays_no_part(folder: Path) -> None:
    """A recording in COCO's joints is embedded as one of the whole body that lacks all others."""
    model = load_run(folder / "run")
    store = ClipStore(folder / "coco")
    clips = model.clips(store, device="cpu")
    changed = clips.frames.clone()
    changed[:, :, [joint for joint in range(59) if joint not in body_places(LAYOUTS["coco17"])]] = 9.0
    other = type(clips)(changed, clips.start, clips.length, clips.present)
    np.testing.assert_array_equal(model.encode(clips, device="cpu"), model.encode(other, device="cpu"))


def test_it_is_measured_on_a_store_that_is_named(folder: Path) -> None:
    with pytest.raises(KinemeError, match=r"was trained on several stores, .*kinect, .*coco; pass the one"):
        open_task(folder / "run")
    with pytest.raises(KinemeError, match="split 'all' tests on clips that it trains on"):
        open_task(folder / "run", TaskOptions(folder / "coco"))
    seen_by(folder / "new", "h36m17", clips=3, frames=12)
    task = open_task(folder / "run", TaskOptions(folder / "new", "odd-even", device="cpu"))
    assert (task.store.layout, task.train_rows.tolist(), task.seen_clips) == (BODY, [0, 1], 0)


def test_windows_need_one_frame_rate(folder: Path) -> None:
    seen_by(folder / "slow", "coco17", clips=8, frames=12, fps=25.0)
    config = settings(folder, store=[str(folder / "kinect"), str(folder / "slow")], window=6)
    with pytest.raises(KinemeError, match=r"differ in frames per second, so data.window would be of several"):
        train(config, folder / "windows")


def test_clips_that_sit_out_are_those_of_every_store(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(folder)
    config.train.batch_size, config.train.epochs = 7, 1
    with caplog.at_level(logging.WARNING):
        train(config, folder / "ragged")
    assert "6 of 20 clips are left out of each epoch" in caplog.text  # 5 of 12, 1 of 8
    assert "train.batch_size=4 leaves out fewer" in caplog.text


def test_settings_fit_the_clips_of_several_stores(folder: Path) -> None:
    stores = [folder / "kinect", folder / "coco"]
    chosen = fitted_config(stores)
    assert chosen.config.data.stores == [str(each) for each in stores]
    assert chosen.config.train.batch_size == 4
    assert chosen.reasons[0].startswith("clips: all 20 of 2 stores")
