"""What requests may say: numbers, and names of classes. Nothing in them is a path."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

MOST = 60  # players at a time
Number = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Stretch(BaseModel):
    """A part of a recording."""

    recording: Number
    start: Seconds
    end: Seconds


class Search(BaseModel):
    """What is searched for: a point, or a stretch of a recording."""

    point: Number | None = None
    stretch: Stretch | None = None
    count: Annotated[int, Field(ge=1, le=MOST)] = 12
    people: Literal["any", "same", "other"] = "any"
    run: Annotated[int, Field(ge=0, le=1)] = 0


class Scenes(BaseModel):
    """What is to be played."""

    points: Annotated[list[Number], Field(max_length=MOST)] = []
    stretch: Stretch | None = None


class Label(BaseModel):
    """A label for points, or for a stretch; without a name it is taken away."""

    window: Number
    name: str | None
    points: list[Number] = []
    stretch: Stretch | None = None


class Edge(BaseModel):
    """A labelled stretch that begins or ends elsewhere."""

    window: Number
    old: Stretch
    new: Stretch


class Window(BaseModel):
    """A window of the browser."""

    window: Number
