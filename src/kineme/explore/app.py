"""The routes of the page's server: JSON of functions that stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from kineme.errors import KinemeError
from kineme.explore.asked import Edge, Label, Scenes, Search, Stretch, Window
from kineme.explore.compare import NEIGHBOURS, Comparison
from kineme.explore.labels import Part
from kineme.explore.library import Library
from kineme.explore.pages import page_files
from kineme.explore.timeline import segments_of, strip
from kineme.explore.told import Explored, description, named_of, state_of
from kineme.typing import Array


def application(explored: Explored) -> FastAPI:
    """The application; `Guard` decides who may talk to it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(KinemeError)
    def refused(request: Request, error: KinemeError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    for path, file in page_files().items():
        app.add_api_route(path, _sent(file.body, file.type), methods=["GET"])
    for routes in (_telling, _finding, _labelling, _computing):
        app.include_router(routes(explored), prefix="/api")
    return app


def _telling(explored: Explored) -> APIRouter:
    """What there is, and what has changed."""
    routes, library, labels = APIRouter(), explored.library, explored.labels

    @lru_cache(maxsize=1)
    def described() -> bytes:
        return bytes(JSONResponse(description(explored)).body)

    @routes.get("/library")
    def whole() -> Response:
        return Response(described(), media_type="application/json")

    @routes.get("/state")
    def state(window: int, seen: str = "") -> dict[str, Any]:
        return state_of(explored, window, seen)

    @routes.get("/named")
    def named() -> dict[str, Any]:
        return named_of(explored.learner.state)

    @routes.get("/recording/{row}")
    def recording(row: int) -> dict[str, Any]:
        return segments_of(library, labels, _row(library, row))

    return routes


def _finding(explored: Explored) -> APIRouter:
    """Motions to look at, and those like them."""
    routes, library = APIRouter(), explored.library

    @routes.post("/scenes")
    def scenes(asked: Scenes) -> list[dict[str, Any]]:
        if asked.stretch is not None:
            row = _row(library, asked.stretch.recording)
            return [library.scene(row, asked.stretch.start, asked.stretch.end)]
        return [_scene(library, _point(library, point)) for point in asked.points]

    @routes.post("/search")
    def search(asked: Search) -> list[dict[str, Any]]:
        searched = library if not asked.run else _comparison(explored).libraries[1]
        if asked.stretch is not None:
            row, start, end = _row(library, asked.stretch.recording), asked.stretch.start, asked.stretch.end
            found = searched.like_part(row, start, end, asked.count, _among(library, row, asked.people))
        else:
            point = _point(library, asked.point)
            among = _among(library, int(library.index.clip[point]), asked.people)
            found = searched.like_point(point, asked.count, among)
        return [{"point": point, "similarity": round(score, 4)} for point, score in found]

    return routes


def _labelling(explored: Explored) -> APIRouter:
    """What changes labels; the classifier then learns anew."""
    routes, library, labels = APIRouter(), explored.library, explored.labels

    def changed(window: int) -> dict[str, Any]:
        explored.learner.wake()
        return state_of(explored, window)

    @routes.post("/label")
    def label(asked: Label) -> dict[str, Any]:
        if asked.stretch is not None:
            parts = [_part(explored, asked.stretch)]
        else:
            points = [_point(library, point) for point in asked.points]
            parts = [library.part(point) for point in points]
            if asked.name is None:  # whatever label a point shows is taken away
                shown = library.labelled(labels.parts())
                parts = [shown[point] for point in points if point in shown]
        labels.set(asked.window, dict.fromkeys(parts, asked.name))
        return changed(asked.window)

    @routes.post("/undo")
    def undo(asked: Window) -> dict[str, Any]:
        labels.undo(asked.window)
        return changed(asked.window)

    @routes.post("/edge")
    def edge(asked: Edge) -> dict[str, Any]:
        old, new = _part(explored, asked.old), _part(explored, asked.new)
        name = labels.parts().get(old)
        if name is None:
            raise KinemeError("this label has been changed in another window")
        labels.set(asked.window, {old: None, new: name})
        return changed(asked.window)

    return routes


def _computing(explored: Explored) -> APIRouter:
    """What takes seconds: one at a time."""
    routes, library, one_at_a_time = APIRouter(), explored.library, Lock()

    @routes.get("/strip/{row}")
    def colours(row: int) -> list[str]:
        with one_at_a_time:
            return strip(library, _row(library, row))

    @routes.get("/predicted/{row}")
    def predicted(row: int) -> list[tuple[float, float, str]]:
        with one_at_a_time:
            found = explored.learner.segments(_row(library, row))
            return [(each.start, each.end, each.label) for each in found]

    @routes.get("/differences")
    def differences() -> dict[str, Any]:
        comparison = _comparison(explored)
        with one_at_a_time:
            return {
                "neighbours": NEIGHBOURS,
                "points": comparison.points.tolist(),
                "shared": comparison.shared.tolist(),
            }

    return routes


def _sent(body: bytes, media_type: str) -> Callable[[], Response]:
    return lambda: Response(body, media_type=media_type)


def _point(library: Library, point: int | None) -> int:
    if point is None or not 0 <= point < len(library):
        raise KinemeError("there is no such motion")
    return point


def _scene(library: Library, point: int) -> dict[str, str | int]:
    index = library.index
    return library.scene(int(index.clip[point]), float(index.start[point]), float(index.end[point]))


def _row(library: Library, row: int) -> int:
    if not 0 <= row < len(library.store):
        raise KinemeError("there is no such recording")
    return row


def _part(explored: Explored, stretch: Stretch) -> Part:
    """A stretch that can be labelled.

    Raises:
        KinemeError: there is none, or the library's preprocessing moves frames.
    """
    library = explored.library
    whole = explored.labels.whole(str(library.store.names[_row(library, stretch.recording)]))
    part = Part(whole.name, round(1000 * stretch.start), min(round(1000 * stretch.end), whole.end))
    if part.start >= part.end:
        raise KinemeError("this part has no length")
    if part != whole:
        library.model.preprocessing.check_keeps_frames()
    return part


def _among(library: Library, row: int, people: str) -> Array | None:
    """(N,) which points may be found beside those of a recording's person; None: all."""
    if people == "any":
        return None
    same = library.of_person(row)
    return same if people == "same" else ~same


def _comparison(explored: Explored) -> Comparison:
    if explored.comparison is None:
        raise KinemeError("there is only one run; start with two to compare them")
    return explored.comparison
