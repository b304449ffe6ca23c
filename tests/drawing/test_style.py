"""What all figures share."""

from pathlib import Path

from kineme.drawing.style import HUES, MARKERS, new_figure, rendered, save, short


def test_long_names_are_cut_to_a_length():
    assert short("wave", 4) == "wave"
    assert short("waves", 4) == "wav…"


def test_hues_and_markers_are_distinct():
    assert len(set(HUES)) == len(HUES) == 8
    assert len(set(MARKERS)) == len(MARKERS)


def test_names_with_dollars_are_text_and_no_formulas(tmp_path: Path) -> None:
    """`$x_{$` would be a formula with a mistake in it, on which matplotlib gives up."""
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.set_title("clip $x_{$ of $3")
    axes.set_yscale("log")
    axes.plot([1, 10, 1000], label="$\\wrong$")
    axes.set_xticks([0, 1], ["$a_$", "b"])
    axes.legend()
    save(figure, tmp_path / "a.svg")
    assert rendered(figure).shape[2] == 3
    assert "clip $x_{$ of $3" in (tmp_path / "a.svg").read_text()
