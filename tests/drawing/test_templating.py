"""Templates escape what they are given."""

from __future__ import annotations

import json

import pytest
from jinja2 import DictLoader, UndefinedError
from markupsafe import Markup

from kineme.drawing.templating import Templates


@pytest.fixture
def templates() -> Templates:
    made = Templates("kineme.drawing")
    pages = {
        "text.html": '<p title="{{ text }}">{{ text }}</p>',
        "data.html": "<script>{{ value|tojson }}</script>",
    }
    made.environment.loader = DictLoader(pages)
    return made


def test_text_is_escaped_and_markup_is_not(templates: Templates) -> None:
    assert templates.render("text.html", text='"<&') == '<p title="&#34;&lt;&amp;">&#34;&lt;&amp;</p>'
    assert templates.render("text.html", text=Markup("<b>")) == '<p title="<b>"><b></p>'


def test_a_value_that_is_missing_is_an_error(templates: Templates) -> None:
    with pytest.raises(UndefinedError, match="'text' is undefined"):
        templates.render("text.html")


def test_data_cannot_end_its_element(templates: Templates) -> None:
    value = {"name": "</script><b>", "é": [1.5, None]}
    text = templates.render("data.html", value=value).removeprefix("<script>").removesuffix("</script>")
    assert "<" not in text
    assert "é" in text
    assert json.loads(text) == value
