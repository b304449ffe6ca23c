"""Where `kineme watch` takes its poses from."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kineme.errors import KinemeError

if TYPE_CHECKING:
    from kineme.sources.live import Chunks
    from kineme.sources.video.watching import Items

logger = logging.getLogger(__name__)


def check_inputs(inputs: Mapping[str, Any], lines_only: Mapping[str, Any]) -> None:
    """Checks that there is one input at most, and no option that has no effect on it.

    Args:
        inputs: parameter → value, None where it was not given.
        lines_only: parameters that have no effect on a camera or video → values.

    Raises:
        KinemeError: there are two inputs, or such an option.
    """
    given = [name for name, value in inputs.items() if value is not None]
    if len(given) > 1:
        raise KinemeError(f"`{given[0]}` and `{given[1]}` are two inputs; choose one")
    if given and given[0] in ("camera", "video"):
        for name, value in lines_only.items():
            if value:
                raise KinemeError(f"`{name}` has no effect on a {given[0]}; drop it")


def pictures_input(
    camera: int | None, video: Path | None, people: int, model: Path | None
) -> AbstractContextManager[Items] | None:
    """What a camera or video shows, while the context lasts; None if there is neither.

    Raises:
        KinemeError: options of a camera or video are given without one.
    """
    from kineme.sources.video import watching

    if camera is not None:
        return watching.watched_camera(camera, people=people, model=model)
    if video is not None:
        return watching.watched_video(video, people=people, model=model)
    if people != 1 or model is not None:
        raise KinemeError("`people` and `model` are for a `camera` or `video`; name one")
    return None


def lines_input(follow: Path | None, listen: int | None) -> Chunks:
    """Lines of a growing file, a port or stdin, as they come.

    Raises:
        KinemeError: the port cannot be opened.
    """
    from kineme.sources.live import LOOPBACK, connections, followed, listening, standard_input

    if follow is not None:
        if not follow.exists():
            logger.info("waiting for %s", follow)
        return followed(follow)
    if listen is not None:
        server = listening(listen)
        logger.info("listening on %s:%d", LOOPBACK, server.getsockname()[1])
        return connections(server)
    if sys.stdin.isatty():
        logger.info("waiting for poses on stdin; pipe them in, or use --follow or --listen")
    return standard_input()
