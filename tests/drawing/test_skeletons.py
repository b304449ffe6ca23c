"""Strips and animations of skeletons, read back from their pixels."""

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from kineme.drawing.skeletons import Scene, animation, skeleton_strip
from kineme.drawing.style import LEFT, LEFT_2, RIGHT, RIGHT_2
from kineme.layouts import LAYOUTS

LAYOUT = LAYOUTS["kinect20"]
AT = {name: joint for joint, name in enumerate(LAYOUT.joints)}


def _inked(path, colour):
    """(rows, columns) of the pixels of exactly this colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((np.round(imread(path)[..., :3] * 255) == wanted).all(axis=-1))


def _standing(frames=12, bodies=1, up=1, sign=1.0):
    """A body that stands still: its left at x = +0.2 (it faces +z if y is up), joints stacked along `up`."""
    xyz = np.zeros((frames, bodies, 20, 3))
    heights = {
        "ankle": 0.1,
        "foot": 0.02,
        "knee": 0.5,
        "hip": 1.0,
        "spine": 1.2,
        "shoulder": 1.5,
        "head": 1.8,
    }
    for name, joint in AT.items():
        height = next((h for part, h in heights.items() if part in name), 1.1)
        xyz[:, 0, joint, up] = sign * height
        xyz[:, 0, joint, (up + 2) % 3] = 0.2 * (("left" in name) - ("right" in name))
    return xyz


@pytest.mark.parametrize(("up", "sign"), [(1, 1.0), (2, 1.0), (1, -1.0)], ids=["y", "z", "image coordinates"])
def test_bodies_stand_upright_and_show_their_front(tmp_path, up, sign):
    """Whichever axis points up: seen from the front, a body's left is at the picture's right."""
    axis = np.zeros(3)
    axis[up] = sign
    scene = Scene(_standing(up=up, sign=sign), "still")
    skeleton_strip([scene], LAYOUT, tmp_path / "strip.png", up=axis, poses=2)
    left, right = (_inked(tmp_path / "strip.png", colour) for colour in (LEFT, RIGHT))
    body = 60  # pixels from the top: below the line that names the colours
    assert left[1][left[0] > body].mean() > right[1][right[0] > body].mean() + 20
    assert np.ptp(left[0][left[0] > body]) > 2 * np.ptp(left[1][left[0] > body])  # standing, not lying


def test_a_strip_has_a_row_a_clip_and_absent_bodies_are_left_out(tmp_path):
    alone = _standing()
    with_absent = np.concatenate([alone, np.zeros_like(alone)], axis=1)
    for name, clip in (("two", alone), ("absent", with_absent)):
        skeleton_strip([Scene(clip, "a"), Scene(clip[:3], "b")], LAYOUT, tmp_path / f"{name}.png")
    np.testing.assert_array_equal(imread(tmp_path / "two.png"), imread(tmp_path / "absent.png"))
    skeleton_strip([Scene(alone, "a")], LAYOUT, tmp_path / "one.png")
    assert imread(tmp_path / "two.png").shape[0] > 1.7 * imread(tmp_path / "one.png").shape[0]


def test_a_second_body_has_colours_of_its_own(tmp_path):
    alone = _standing()
    skeleton_strip([Scene(alone, "one")], LAYOUT, tmp_path / "one.png")
    skeleton_strip([Scene(np.concatenate([alone, alone + 1], axis=1), "two")], LAYOUT, tmp_path / "two.png")
    assert len(_inked(tmp_path / "one.png", LEFT_2)[0]) == 0
    assert len(_inked(tmp_path / "two.png", LEFT_2)[0]) > 100


def test_a_limb_that_was_not_seen_is_not_drawn(tmp_path):
    clip = _standing()
    clip[:, :, [joint for name, joint in AT.items() if name.startswith("left")]] = np.nan
    skeleton_strip([Scene(clip, "half")], LAYOUT, tmp_path / "half.png")
    rows, _ = _inked(tmp_path / "half.png", LEFT)
    assert (rows < 60).all()  # but for the line that names the colours


def test_the_time_bar_shows_where_in_the_recording_a_band_lies(tmp_path):
    """Frames 100 to 111 of a recording: the band begins in the middle and is cut at the end."""
    scene = Scene(_standing(), "untrimmed", first=100, bands=[(106, 300, "wave"), (0, 50, "before")])
    skeleton_strip([scene], LAYOUT, tmp_path / "bar.png")
    band = "#9bc4dc"  # the first hue, #0072b2, at 35 % over the bar's grey
    _, columns = _inked(tmp_path / "bar.png", band)
    _, bar = _inked(tmp_path / "bar.png", "#eef0f3")
    assert columns.min() == pytest.approx((bar.min() + columns.max()) / 2, abs=3)
    assert columns.max() - bar.min() > 800


def test_strips_are_the_same_every_time_in_every_format(tmp_path):
    for suffix in ("png", "svg", "pdf"):
        for name in ("first", "second"):
            skeleton_strip([Scene(_standing(), "a")], LAYOUT, tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()
    assert (tmp_path / "first.svg").read_text().startswith("<?xml")


def test_an_animation_moves_at_the_clip_s_own_speed(tmp_path):
    clip = _standing(frames=31)
    clip[:, :, AT["head"], 1] += np.linspace(0, 0.5, 31)[:, None]
    done = []
    animation(
        Scene(clip, "nods"), LAYOUT, tmp_path / "a.gif", fps=30, progress=lambda *each: done.append(each)
    )
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 15  # one in 2.1 frames: 70 ms
        assert (gif.info["duration"], gif.info["loop"]) == (70, 0)
        first = np.asarray(gif.convert("RGB"))
        gif.seek(14)
        assert (np.asarray(gif.convert("RGB")) != first).any()
    assert done[-1] == (15, 15)


def test_a_faster_recording_plays_at_its_own_speed(tmp_path):
    clip = _standing(frames=63)
    clip[:, :, AT["head"], 1] += np.linspace(0, 0.5, 63)[:, None]
    animation(Scene(clip, "nods"), LAYOUT, tmp_path / "a.gif", fps=60)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["duration"]) == (15, 70)  # one in 4.2 frames


def test_the_words_above_an_animation_are_whole_and_apart_from_the_frame_number(tmp_path):
    scene = Scene(_standing(frames=20), "name", "of many words · 300 frames, 10.0 s · subject 07 · camera 1")
    animation(scene, LAYOUT, tmp_path / "a.gif", fps=10)
    with Image.open(tmp_path / "a.gif") as gif:
        first = np.asarray(gif.convert("RGB"))
        gif.seek(gif.n_frames - 1)
        last = np.asarray(gif.convert("RGB"))
    assert (first[:40] < 100).any()
    assert (first[:40, -4:] > 200).all()  # the line ends before the edge
    assert (first[:40] == last[:40]).all()  # the number is elsewhere
    assert (first[-40:] != last[-40:]).any()


@pytest.mark.parametrize("late", [[1], [0, 1]], ids=["the second", "both"])
def test_who_comes_late_is_drawn_in_the_same_colours(tmp_path, late):
    clip = np.concatenate([_standing(), _standing() + 1], axis=1)
    clip[:4, late] = 0
    animation(Scene(clip, "late"), LAYOUT, tmp_path / "late.gif", fps=10)
    with Image.open(tmp_path / "late.gif") as gif:
        gif.seek(gif.n_frames - 1)
        drawn = {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in gif.convert("RGB").getcolors()}
    assert {LEFT, RIGHT, LEFT_2, RIGHT_2} <= drawn


@pytest.mark.parametrize("axes", [(), (0,), (1,)], ids=["a point", "a level line", "an upright line"])
def test_joints_that_coincide_are_drawn(tmp_path, axes):
    clip = np.full((3, 1, 25, 3), 0.5, np.float32)
    for axis in axes:
        clip[..., axis] += np.arange(25)
    scene = Scene(clip, "still $x_{$", bands=[(0, 2, "wait")])
    skeleton_strip([scene], LAYOUTS["ntu25"], tmp_path / "strip.png")
    animation(scene, LAYOUTS["ntu25"], tmp_path / "clip.gif")
    assert (imread(tmp_path / "strip.png")[..., :3] < 0.9).any()
    with Image.open(tmp_path / "clip.gif") as gif:
        assert (np.asarray(gif.convert("RGB")) < 230).any()
