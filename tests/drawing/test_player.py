"""The HTML player: what the page carries is what the clip holds."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from kineme.drawing.player import UNSEEN, TimelineRow, head, legend, page, player, scene, timeline
from kineme.layouts import Layout

STICK = Layout.from_names(
    "stick", ["hip", "neck", "left_hand", "right_hand"], [None, "hip", "neck", "neck"], facing=[2, 3]
)


def standing(frames: int = 5, bodies: int = 1) -> Any:
    """A body that faces +z, its left hand at x = +1, 2 m tall, and moves to the side by 1 m."""
    xyz = np.zeros((frames, bodies, 4, 3), dtype=np.float32)
    xyz[:, 0] = [[0, 0, 0], [0, 2, 0], [1, 1.5, 0], [-1, 1.5, 0]]
    xyz[:, 0, :, 0] += np.linspace(0, 1, frames)[:, None]
    return xyz


def attribute(html: str, name: str) -> str:
    (value,) = re.findall(rf'data-{name}="([^"]*)"', html)
    return str(value)


def carried(html: str, bodies: int = 1) -> Any:
    """(T, M, V, 3) coordinates in a player's HTML, NaN where unseen."""
    points = np.frombuffer(base64.b64decode(attribute(html, "points")), dtype="<i2").astype(float)
    points[points == UNSEEN] = np.nan
    return points.reshape(-1, bodies, 4, 3) * float(attribute(html, "step"))


def test_coordinates_survive_to_a_65535th_of_the_scene() -> None:
    rng = np.random.default_rng(0)
    clip = (standing() + 0.1 * rng.standard_normal((5, 1, 4, 3))).astype(np.float32)
    html = player("a", clip, STICK)
    points = carried(html)
    step = float(attribute(html, "step"))
    assert step == pytest.approx(np.abs(points).max() / 32767)
    for joints in ((0, 1), (0, 2), (3, 1)):  # a rotation and a shift keep distances
        wanted = np.linalg.norm(clip[:, 0, joints[0]] - clip[:, 0, joints[1]], axis=-1)
        found = np.linalg.norm(points[:, 0, joints[0]] - points[:, 0, joints[1]], axis=-1)
        np.testing.assert_allclose(found, wanted, atol=2 * step)


@pytest.mark.parametrize("turn", [0.0, 1.0, 3.0])
def test_bodies_stand_in_the_middle_and_show_their_front(turn: float) -> None:
    """Seen from the front and 35 degrees from its right: the left hand is right in the picture, and back."""
    about_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    html = player("a", standing() @ about_y.T, STICK)
    points = carried(html)
    hands = points[:, 0, 2] - points[:, 0, 3]
    expected = [2 * np.cos(np.radians(35)), 0, -2 * np.sin(np.radians(35))]
    np.testing.assert_allclose(hands, np.tile(expected, (5, 1)), atol=1e-3)
    np.testing.assert_allclose(points.min(axis=(0, 1, 2)), -points.max(axis=(0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(points[:, 0, 1, 1], 1, atol=1e-3)
    assert (float(attribute(html, "tall")), float(attribute(html, "floor"))) == (1, -1)


def test_other_axes_may_point_up() -> None:
    turned = standing()[..., [2, 0, 1]]  # x, y, z → z, x, y: what was y is now z
    html = player("a", turned, STICK, up=(0, 0, 1))
    np.testing.assert_array_equal(carried(html), carried(player("a", standing(), STICK)))


def test_what_is_seen_from_above_has_no_floor_below_it() -> None:
    html = player("a", standing()[..., [0, 2, 1]] * [1, 1, -1], STICK)
    assert attribute(html, "floor") == "nan"
    np.testing.assert_allclose(carried(html)[0, 0, 1] - carried(html)[0, 0, 0], [0, 2, 0], atol=1e-3)


def test_absent_bodies_and_unseen_joints_are_not_drawn() -> None:
    clip = standing(bodies=2)
    clip[2, 0, 1] = np.nan
    clip[3:, 1] = clip[3:, 0] + 1
    points = carried(player("a", clip, STICK), bodies=2)
    unseen = np.isnan(points).all(axis=-1)
    assert unseen[:3, 1].all()
    assert unseen[2, 0].tolist() == [False, True, False, False]
    assert unseen.sum() == 3 * 4 + 1
    assert np.isnan(carried(player("a", np.zeros((2, 1, 4, 3)), STICK))).all()


def test_the_page_knows_bones_sides_and_time() -> None:
    html = player("a", standing(), STICK, fps=12.5, first=40, autoplay=False)
    assert attribute(html, "parents") == "-1 0 1 1"
    assert attribute(html, "sides") == "0 0 1 2"
    assert (attribute(html, "fps"), attribute(html, "first"), attribute(html, "frames")) == (
        "12.5",
        "40",
        "5",
    )
    assert attribute(html, "autoplay") == "0"


def test_small_players_have_no_controls() -> None:
    assert "<button" in player("a", standing(), STICK)
    assert "<button" not in player("a", standing(), STICK, controls=False)


def test_bands_lie_where_their_frames_are_and_equal_texts_look_alike() -> None:
    rows = [
        TimelineRow("truth", [(100, 150, "wave"), (180, 400, "bow")]),
        TimelineRow("found", [(0, 120, "bow"), (0, 90, "x")]),
    ]
    html = timeline("a", 200, rows, first=100)
    bands = re.findall(r'left:([\d.]+)%;width:([\d.]+)%;background:var\(--kineme-hue-(\d)\)"', html)
    assert [(float(left), float(width), int(hue)) for left, width, hue in bands] == [
        (0, 25, 0),
        (40, 60, 1),
        (0, 10, 1),
    ]
    assert re.findall(r'data-start="(\d+)" data-end="(\d+)"', html) == [
        ("0", "50"),
        ("80", "200"),
        ("0", "20"),
    ]
    assert 'data-player="a"' in html


def test_names_from_strangers_stay_text() -> None:
    evil = '"><script>alert(1)</script>'
    moving = player(evil, standing(), STICK, caption=evil)
    actions = timeline(evil, 5, [TimelineRow(evil, [(0, 2, evil)])])
    html = page(evil, moving, actions, subtitle=evil)
    assert "<script>alert" not in html
    assert html.count("<script") == 1


def test_a_page_holds_all_it_needs() -> None:
    html = page("two", player("a", standing(), STICK), player("b", standing(), STICK), legend(2))
    assert html.count("<script>") == html.count("<style>") == 1
    assert head() in html
    assert not re.search(r"https?:|src=|@import|url\(", html)
    assert 'id="a"' in html
    assert 'id="b"' in html
    assert legend(1).count("<span") == 2


def test_every_colour_that_is_named_has_a_value_for_light_and_for_dark() -> None:
    style = files("kineme.drawing").joinpath("player.css").read_text(encoding="utf-8")
    light, dark = (re.findall(r"(--kineme-[\w-]+): #", part) for part in style.split("@media", 1))
    assert sorted(light) == sorted(dark)
    assert set(re.findall(r"var\((--kineme-[a-z-]+\d?)\)", style)) <= set(light)
    assert sum("hue" in name for name in light) == 8


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_script_is_javascript() -> None:
    with files("kineme.drawing").joinpath("player.js").open("rb") as script:
        subprocess.run(["node", "--check", "-"], stdin=script, check=True)


def test_a_scene_is_what_a_player_carries() -> None:
    html = player("a", standing(), STICK, fps=12.5, first=3)
    told = scene(standing(), STICK, fps=12.5, first=3)
    assert {key: attribute(html, key) for key in told} == {key: str(value) for key, value in told.items()}
