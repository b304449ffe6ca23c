"""Markup in which a stranger's text stays text."""

from __future__ import annotations

import json

from kineme.report.html import Html, boxed, data, join, tag


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("td", "a < b & c", Html("<b>d</b>")) == "<td>a &lt; b &amp; c<b>d</b></td>"
    assert tag("ul", (tag("li", word) for word in ("x", "<y>"))) == "<ul><li>x</li><li>&lt;y&gt;</li></ul>"


def test_attributes_are_spelt_as_in_html() -> None:
    made = tag("input", type="radio", checked=True, disabled=False, title=None, data_run='"1"', class_="a")
    assert made == '<input type="radio" checked data-run="&quot;1&quot;" class="a">'


def test_markup_joined_is_markup() -> None:
    assert isinstance(join("a", tag("b", "c")), Html)
    assert tag("p", join("<", tag("b"))) == "<p>&lt;<b></b></p>"


def test_data_cannot_end_its_element() -> None:
    made = data({"name": "</script><b>"})
    text = made.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><b>"}


def test_wide_things_scroll_in_their_box_by_keyboard_too() -> None:
    made = boxed(tag("table"), label="Figures")
    assert made == '<div class="scroll" tabindex="0" role="region" aria-label="Figures"><table></table></div>'
