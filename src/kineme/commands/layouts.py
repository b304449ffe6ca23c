"""`kineme layouts`: the built-in joint layouts, and layout files for other recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kineme.commands.outputs import check_figure
from kineme.commands.said import written
from kineme.errors import KinemeError

if TYPE_CHECKING:
    from rich.table import Table

    from kineme.layouts import Layout

USAGE = "kineme layouts [OPTIONS] [NAMES ...]"


def layouts(
    names: list[str] | None = None,
    /,
    *,
    draw: Path | None = None,
    template: Path | None = None,
    body_model: Path | None = None,
) -> None:
    """List joint layouts, print one as a layout file, or write a layout file for recordings.

    If the joints of your recordings match no built-in layout, `kineme prepare poses` needs a layout file:

      kineme layouts --template walk.trc > mine.yaml
      kineme prepare poses recordings stores/mine --layout mine.yaml

    Args:
        names: Print these as layout files instead of listing all; built-in names or layout files.
        draw: Draw them (all, by default) to this file, .png or .svg. A single layout is drawn with its joint
            names.
        template: Print a layout file with the joints of this recording. If the recording has no tree,
            bones are guessed from which joints move together; check them.
        body_model: For a template from AMASS: the .npz or .pkl of an SMPL body model.
    """
    from rich.console import Console

    from kineme.layouts import LAYOUTS, get_layout

    if draw is not None:
        check_figure(draw, "draw")
    if template is not None:
        if names or draw is not None:
            raise KinemeError("--template prints the layout of a recording; leave names and --draw out")
        _template(template, body_model)
        return
    chosen = [get_layout(name) for name in names or ()]
    if draw is not None:
        from kineme.drawing.layouts import layout_figure

        layout_figure(chosen or list(LAYOUTS.values()), draw)
        written(draw)
    elif chosen:
        print("---\n".join(layout.to_yaml() for layout in chosen), end="")
    else:
        Console().print(listed())


def listed() -> Table:
    """The built-in layouts, one a row."""
    from rich.table import Table

    from kineme.layouts import LAYOUTS
    from kineme.layouts.builtin import SOURCES

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layout", no_wrap=True)
    table.add_column("joints", justify="right")
    table.add_column("pairs", justify="right")
    table.add_column("root", no_wrap=True)
    table.add_column("of", overflow="fold")
    for name, layout in LAYOUTS.items():
        table.add_row(
            name, str(layout.num_joints), str(len(layout.mirrored)), layout.joints[layout.root], SOURCES[name]
        )
    return table


def _template(path: Path, body_model: Path | None) -> None:
    from kineme.sources.poses.formats import Told
    from kineme.sources.poses.template import layout_template

    layout: Layout = layout_template(path, Told(body_model=body_model))
    print(f"# The joints of {path}. Check parents, pairs and facing; remove points that are not joints.")
    print(layout.to_yaml(), end="")
