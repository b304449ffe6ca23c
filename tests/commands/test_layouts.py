"""`kineme layouts`: what is listed, printed, drawn, and written for recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kineme.__main__ import main
from kineme.layouts import LAYOUTS, get_layout
from kineme.layouts.builtin import SOURCES

MOCAP = Path(__file__).parents[1] / "mocap"


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in printed[1:] if line[0] != " "} == set(LAYOUTS) == set(SOURCES)
    assert next(line for line in printed if line.startswith("halpe26")).split()[:3] == [
        "halpe26",
        "26",
        "Halpe:",
    ]


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_is_printed_as_a_layout_file(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["layouts", name]) == 0
    (tmp_path / "layout.yaml").write_text(capsys.readouterr().out)
    assert get_layout(tmp_path / "layout.yaml") == LAYOUTS[name]


def test_they_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts", "coco17", "ntu25", "--draw", str(tmp_path / "two.svg")]) == 0
    svg = (tmp_path / "two.svg").read_text()
    assert "coco17 (17)" in svg
    assert "ntu25 (25)" in svg
    assert main(["layouts", "coco17", "--draw", str(tmp_path / "one.svg")]) == 0
    assert "left_elbow" in (tmp_path / "one.svg").read_text()
    assert main(["layouts", "--draw", str(tmp_path / "all.pdf")]) == 2
    assert "must end in .png or .svg" in capsys.readouterr().err


def test_a_recording_with_a_tree_gives_its_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts", "--template", str(MOCAP / "mocapbank.bvh")]) == 0
    (tmp_path / "bank.yaml").write_text(capsys.readouterr().out)
    layout = get_layout(tmp_path / "bank.yaml")
    parents = {layout.joints[child]: layout.joints[parent] for child, parent in layout.bones}
    assert (parents["LeftElbow"], parents["Head_end"]) == ("LeftShoulder", "Head")
    store = str(tmp_path / "store")
    bank = str(tmp_path / "bank.yaml")
    assert main(["prepare", "poses", str(MOCAP / "mocapbank.bvh"), store, "--layout", bank]) == 0
    assert "layout mocapbank, preprocessing plain, source mocapbank, 30 fps" in capsys.readouterr().out


def test_bones_are_found_by_what_keeps_its_distance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hand on an arm that turns, far from a foot."""
    angle = np.linspace(0, 2, 30)
    turn = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    up = np.array([0, 1, 0])
    places = {"foot": 0 * turn - up, "hand": up + turn, "elbow": up + turn / 2, "pelvis": 0 * turn}
    places["shoulder"] = up + 0 * turn
    header = ",".join(f"{name}_{axis}" for name in places for axis in "xyz")
    rows = np.concatenate(list(places.values()), axis=1).round(6).tolist()
    (tmp_path / "arm.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    assert main(["layouts", "--template", str(tmp_path / "arm.csv")]) == 0
    (tmp_path / "arm.yaml").write_text(capsys.readouterr().out)
    layout = get_layout(tmp_path / "arm.yaml")
    parents = {layout.joints[child]: layout.joints[parent] for child, parent in layout.bones}
    assert parents == {"foot": "pelvis", "shoulder": "pelvis", "elbow": "shoulder", "hand": "elbow"}


def test_joints_of_a_built_in_layout_have_its_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At rest, when distances tell nothing."""
    coco = get_layout("coco17")
    header = ",".join(f"{name}_{axis}" for name in reversed(coco.joints) for axis in "xy")
    row = ",".join(str(number) for number in range(2 * coco.num_joints))
    (tmp_path / "rest.csv").write_text("\n".join([header, *[row] * 30]))
    assert main(["layouts", "--template", str(tmp_path / "rest.csv")]) == 0
    (tmp_path / "rest.yaml").write_text(capsys.readouterr().out)
    layout = get_layout(tmp_path / "rest.yaml")
    assert (layout.name, layout.joints, layout.parents) == ("rest", coco.joints, coco.parents)


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts", "coco18"]) == 2
    assert "coco18: no such layout; built in are ntu25" in capsys.readouterr().err
    assert main(["layouts", "--template", str(tmp_path / "none.trc")]) == 2
    assert "none.trc: no such folder or file" in capsys.readouterr().err
    assert main(["layouts", "coco17", "--template", str(MOCAP / "gait.trc")]) == 2
    assert "leave names and --draw out" in capsys.readouterr().err
