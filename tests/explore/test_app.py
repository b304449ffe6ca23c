"""The page's server: who may ask, what is answered, and that requests hold numbers and names alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs fastapi: pip install 'kineme[explore]'")
pytest.importorskip(
    "starlette.testclient",
    reason="needs httpx: pip install httpx",
    exc_type=(ImportError, RuntimeError),  # the latter of versions before httpx was replaced
)

from starlette.testclient import TestClient

from kineme.explore.app import application
from kineme.explore.compare import Comparison
from kineme.explore.guard import LARGEST, Guard
from kineme.explore.labels import Labels
from kineme.explore.learning import Learner
from kineme.explore.library import Library
from kineme.explore.pages import page_files
from kineme.explore.told import Explored

HERE = "http://127.0.0.1:8000"
TOKEN = "secret"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def client(library: Library, labels: Labels) -> Iterator[TestClient]:
    """With the token; learning does not run."""
    shown = Explored(
        library, labels, Learner(library, labels), Comparison(library, library), {"store": "long"}
    )
    guarded = Guard(application(shown), 8000, TOKEN, set(page_files()) - {"/"})
    with TestClient(guarded, base_url=HERE, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stretch(start: float, end: float, recording: int = 0) -> dict[str, float]:
    return {"recording": recording, "start": start, "end": end}


@pytest.mark.parametrize(
    "path", ["/", "/?token=wrong", "/api/library", "/api/state?window=1", "/api/strip/0"]
)
def test_nothing_of_the_users_is_told_without_the_token(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Authorization": ""})
    assert answer.status_code == 403
    assert answer.text == "Open this page with the link that kineme explore printed when it was last started."


def test_the_page_opens_with_the_token_of_the_link(client: TestClient) -> None:
    answer = client.get(f"/?token={TOKEN}", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:9999", "evil.example:8000", ""])
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    for path in ("/api/library", "/main.js", f"/?token={TOKEN}"):
        assert client.get(path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8000"]
)
def test_another_origin_is_refused(client: TestClient, labels: Labels, origin: str) -> None:
    body = {"window": 1, "name": "walk", "points": [0]}
    assert client.post("/api/label", json=body, headers={"Origin": origin}).status_code == 400
    assert labels.parts() == {}
    assert client.post("/api/label", json=body, headers={"Origin": HERE}).status_code == 200


def test_a_request_that_is_too_large_is_refused(client: TestClient) -> None:
    assert client.post("/api/undo", content=b" " * (LARGEST + 1)).status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/labels.py", "/etc/passwd", "/page/main.js", "/api/recording/..%2f..%2fx"],
)
def test_no_path_leads_to_a_file(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 422)


def test_every_file_that_the_page_names_is_there(client: TestClient) -> None:
    files = page_files()
    named = set(re.findall(rb'(?:href|src)="([^"]+)"', files["/"].body))
    for file in files.values():
        named |= set(re.findall(rb'from "\./([^"]+)"', file.body)) if "javascript" in file.type else set()
    assert named
    for name in named:
        assert client.get(f"/{name.decode()}").status_code == 200


def test_the_points_are_told(client: TestClient, library: Library) -> None:
    told = client.get("/api/library").json()
    assert (told["store"], told["window"], told["compared"]) == ("long", 2.0, True)
    assert len(told["x"]) == len(told["kind"]) == len(library) == 33
    places = np.stack([told["x"], told["y"]], axis=1) / told["side"]
    np.testing.assert_allclose(places, library.places, atol=1e-5)
    assert told["cameras"] == [""]  # not known
    assert [told["names"][row] for row in told["recording"][10:12]] == ["take0", "take1"]
    assert [told["people"][number] for number in told["person"]] == ["p0", "p1", "p2"]


def test_labels_are_kept_undone_and_told_to_every_window(client: TestClient, labels: Labels) -> None:
    post(client, "label", window=1, name="walk", points=[0, 4])
    state = post(client, "label", window=2, name="turn", points=[20])
    assert state["classes"] == ["walk", "turn"]
    assert dict(zip(state["points"], state["of"], strict=True)) == {0: 0, 4: 0, 20: 1}
    seen = client.get("/api/state", params={"window": 1, "seen": state["stamp"]}).json()
    assert seen == {"stamp": state["stamp"]}
    state = post(client, "undo", window=1)
    assert (state["classes"], state["undo"]) == (["turn"], False)
    assert [part.name for part in labels.parts()] == ["take1"]


def test_a_label_is_taken_away_whatever_stretch_it_is_of(client: TestClient, labels: Labels) -> None:
    post(client, "label", window=1, name="walk", stretch=stretch(0.9, 3.1))
    assert post(client, "label", window=1, name=None, points=[1])["points"] == []
    assert labels.parts() == {}


def test_names_are_text(client: TestClient, labels: Labels) -> None:
    state = post(client, "label", window=1, name=EVIL, points=[0])
    assert state["classes"] == [EVIL]
    answer = client.get("/api/state", params={"window": 1})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert list(labels.parts().values()) == [EVIL]


def test_an_edge_is_moved(client: TestClient, labels: Labels) -> None:
    post(client, "label", window=1, name="walk", stretch=stretch(1, 3))
    post(client, "edge", window=1, old=stretch(1, 3), new=stretch(1, 4.5))
    ((part, label),) = labels.parts().items()
    assert (part.seconds, label) == ((1.0, 4.5), "walk")
    gone = client.post("/api/edge", json={"window": 1, "old": stretch(1, 3), "new": stretch(2, 3)})
    assert gone.status_code == 422
    assert gone.json() == {"detail": "this label has been changed in another window"}
    post(client, "undo", window=1)
    assert [part.seconds for part in labels.parts()] == [(1.0, 3.0)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("label", {"window": 1, "name": "walk", "points": [33]}),
        ("label", {"window": 1, "name": "walk", "points": ["../x"]}),
        ("label", {"window": 1, "name": " ", "points": [0]}),
        ("label", {"window": 1, "name": "walk", "stretch": stretch(2, 2)}),
        ("label", {"window": 1, "name": "walk", "stretch": stretch(0, 1, recording=3)}),
        ("search", {"point": -1}),
        ("search", {}),
        ("search", {"point": 0, "count": 1000}),
        ("search", {"stretch": stretch(5, 500)}),
        ("scenes", {"points": [0] * 61}),
        ("scenes", {"stretch": {"recording": 0, "start": "NaN", "end": 1}}),
    ],
)
def test_what_is_not_there_is_refused_in_words(
    client: TestClient, labels: Labels, path: str, body: Any
) -> None:
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert labels.parts() == {}


@pytest.mark.parametrize(("people", "expected"), [("same", {0}), ("other", {1, 2})])
def test_people_are_chosen(client: TestClient, library: Library, people: str, expected: set[int]) -> None:
    for what in ({"point": 0}, {"stretch": stretch(1, 3.5)}):
        found = post(client, "search", **what, people=people, count=3)
        assert len(found) == 3
        assert {int(library.index.clip[each["point"]]) for each in found} <= expected


def test_either_run_is_searched(library: Library, labels: Labels) -> None:
    backwards = np.asarray(library.index.features)[::-1].copy()
    other = replace(library, index=replace(library.index, features=backwards))
    shown = Explored(library, labels, Learner(library, labels), Comparison(library, other), {})
    with TestClient(application(shown)) as client:
        for run, searched in enumerate((library, other)):
            found = post(client, "search", point=3, count=4, run=run)
            assert [each["point"] for each in found] == [point for point, _ in searched.like_point(3, 4)]


def test_motion_is_sent_as_players_take_it(client: TestClient) -> None:
    (scene,) = post(client, "scenes", stretch=stretch(1, 3))
    assert scene["frames"] == 20
    assert [each["first"] for each in post(client, "scenes", points=[0, 3])] == [0, 30]


def test_a_recording_is_told_with_its_true_and_labelled_stretches(client: TestClient) -> None:
    post(client, "label", window=1, name="walk", stretch=stretch(2, 4, recording=1))
    told = client.get("/api/recording/1").json()
    assert (told["name"], told["seconds"]) == ("take1", 12)
    assert told["true"] == [[1, 3, "rise"], [5, 8, "swing"]]
    assert told["labels"] == [[2, 4, "walk"]]
    assert client.get("/api/predicted/1").json() == []
    colours = client.get("/api/strip/1").json()
    assert len(colours) == 120
    assert all(len(colour) == 7 and colour[0] == "#" for colour in colours)


def test_a_run_is_compared_with_itself(client: TestClient) -> None:
    told = client.get("/api/differences").json()
    assert told["points"] == list(range(33))
    assert set(told["shared"]) == {told["neighbours"]}
