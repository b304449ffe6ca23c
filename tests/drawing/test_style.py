"""What all figures share."""

from kineme.drawing.style import HUES, MARKERS, short


def test_long_names_are_cut_to_a_length():
    assert short("wave", 4) == "wave"
    assert short("waves", 4) == "wav…"


def test_hues_and_markers_are_distinct():
    assert len(set(HUES)) == len(HUES) == 8
    assert len(set(MARKERS)) == len(MARKERS)
