"""What commands check of the paths that they are given before they load PyTorch, which takes seconds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kineme import hub
from kineme.clips.folders import is_store, is_there
from kineme.errors import KinemeError
from kineme.runs import weights_of


def check_models(*paths: Path | None) -> None:
    """Checks that weights are where they are named; those of a shared model are not looked for.

    Raises:
        KinemeError: there are none.
    """
    for path in paths:
        if path is not None and not hub.is_address(path):
            weights_of(path)


def check_recordings(paths: Iterable[Path]) -> None:
    """Checks that there is something at every path.

    Raises:
        KinemeError: there is nothing.
    """
    for path in paths:
        if not is_there(path):
            raise KinemeError(f"{path}: no such folder or file")


def check_stores(*paths: Path | None) -> None:
    """Checks that paths are those of clip stores.

    Raises:
        KinemeError: one is not, or the store there is damaged.
    """
    for path in paths:
        if path is not None and not is_store(path):
            from kineme.clips.store import ClipStore

            ClipStore(path)  # says what is wrong
